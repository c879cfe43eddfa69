//! Features to probabilities: causal strided convolutions, stacked recurrent layers, one sigmoid for each word.
//!
//! `features (time, n_mels) → convolutions → (GRU, LSTM or plain RNN) × n_layers → head → probabilities (steps, n_words)`
//!
//! The layers of a bidirectional network run backward, too, over a window of what follows: such a network gives a step's
//! probabilities some seconds later, and is for labelling recordings.
//!
//! A model may hold several networks of one shape: the mean of their logits decides, always or, with a second look
//! ([`SecondLookConfig`]), around what the first of them takes for a word.
//!
//! One set of weights has two forms. [`Network`] is differentiable and works on batches of clips; [`StreamingNetwork`] packs
//! the same weights for one stream and allocates nothing while it runs. In both, the state is a value that the caller
//! keeps: it starts as zeros (or as the model has learned to), every step advances it, and nothing else ever touches it.

mod config;
mod directions;
mod initial_state;
mod look_ahead;
mod named_tensors;
mod network;
mod network_state;
mod packed;
mod second_look;
mod streaming;
mod weights;
mod weights_file;

pub use config::{ConvolutionConfig, ModelConfig, ModelConfigError};
pub use directions::{DirectionNames, direction_suffixes};
pub use initial_state::InitialState;
pub use named_tensors::NamedTensors;
pub use network::{LayerInputs, Network};
pub use network_state::NetworkState;
pub use second_look::SecondLookConfig;
pub use streaming::{StreamingNetwork, StreamingState};
pub use weights::{Weights, WeightsError};
pub use weights_file::{NetworkInFile, WeightsFile};

pub use crate::kernels::RecurrentCell;
