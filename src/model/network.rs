//! The differentiable form: batches of clips through candle, for training and for checks.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module};

use super::directions::{DirectionNames, direction_suffixes};
use super::{ModelConfig, NetworkState, Weights, WeightsError};
use crate::kernels::{Activation, ConvShape, RecurrentCell, recurrent_sequence, unfold_conv};

/// What happens to the input of each recurrent layer and of the head, in their order: dropout while training, a look at it in a
/// report. `()` leaves all as it is.
pub trait LayerInputs {
    /// What layer `layer` is to read in place of `x`, `(batch, steps, width)`; the head counts as the layer after the last.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    fn pass(&mut self, layer: usize, x: Tensor) -> candle_core::Result<Tensor>;
}

impl LayerInputs for () {
    fn pass(&mut self, _layer: usize, x: Tensor) -> candle_core::Result<Tensor> {
        Ok(x)
    }
}

struct Layer {
    weight: Tensor,
    bias: Tensor,
}

/// One direction of a recurrent layer.
struct Direction {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    /// `(state)`, where it is learned.
    initial: Option<Tensor>,
}

/// The network over candle tensors. Cloned tensors share storage, so gradients reach the variables it was made from.
pub struct Network {
    config: ModelConfig,
    n_mels: usize,
    convolutions: Vec<Layer>,
    /// Of each layer the forward direction and, in a bidirectional network, the backward one.
    recurrent: Vec<Vec<Direction>>,
    head: Linear,
}

impl Network {
    /// Builds the network over `weights`.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub fn new(config: &ModelConfig, n_mels: usize, weights: &Weights) -> Result<Self, WeightsError> {
        let tensor = |name: String| weights.get(&name).cloned();
        let layer = |prefix: String| -> Result<Layer, WeightsError> {
            Ok(Layer { weight: tensor(format!("{prefix}.weight"))?, bias: tensor(format!("{prefix}.bias"))? })
        };
        let direction = |layer: usize, suffix: &str| -> Result<Direction, WeightsError> {
            let names = DirectionNames::new(config, layer, suffix);
            Ok(Direction {
                weight_ih: tensor(names.weight_ih)?,
                weight_hh: tensor(names.weight_hh)?,
                bias: tensor(names.bias)?,
                initial: names.initial.map(tensor).transpose()?,
            })
        };
        Ok(Self {
            convolutions: (0..config.convolutions.len())
                .map(|i| layer(format!("conv{i}")))
                .collect::<Result<_, _>>()?,
            recurrent: (0..config.n_layers)
                .map(|i| direction_suffixes(config).iter().map(|suffix| direction(i, suffix)).collect())
                .collect::<Result<_, WeightsError>>()?,
            head: Linear::new(tensor("head.weight".into())?, Some(tensor("head.bias".into())?)),
            config: config.clone(),
            n_mels,
        })
    }

    /// The state of `batch` streams that have heard nothing yet.
    ///
    /// # Errors
    /// When the tensors cannot be allocated.
    pub fn zero_state(&self, batch: usize) -> candle_core::Result<NetworkState> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
        Ok(NetworkState {
            convolution_tails: self
                .config
                .convolutions
                .iter()
                .enumerate()
                .map(|(i, convolution)| {
                    let n_inputs = self.config.convolution_input_size(i, self.n_mels);
                    zeros(&[batch, convolution.kernel - convolution.stride, n_inputs])
                })
                .collect::<candle_core::Result<_>>()?,
            recurrent: (0..self.config.n_layers)
                .map(|_| zeros(&[batch, self.config.cell.state_size(self.config.hidden_size)]))
                .collect::<candle_core::Result<_>>()?,
            is_new: Some(Tensor::ones((batch, 1), DType::F32, &Device::Cpu)?),
        })
    }

    /// Runs `features` `(batch, time, n_mels)`, time a multiple of the frames per step, and gives the logits
    /// `(batch, steps, n_words)` with the state after the last step. A backward direction begins behind the last step. Gradients pass through both states; truncated
    /// backpropagation through time cuts them by [`NetworkState::detached`].
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn seq(
        &self,
        features: &Tensor,
        state: &NetworkState,
        layer_inputs: &mut dyn LayerInputs,
    ) -> candle_core::Result<(Tensor, NetworkState)> {
        let mut x = features.clone();
        let mut next = NetworkState { convolution_tails: Vec::new(), recurrent: Vec::new(), is_new: None };
        for (i, (convolution, layer)) in self.config.convolutions.iter().zip(&self.convolutions).enumerate() {
            let with_tail = Tensor::cat(&[&state.convolution_tails[i], &x], 1)?;
            let n_tail = convolution.kernel - convolution.stride;
            let n_time = with_tail.dim(1)?;
            next.convolution_tails.push(with_tail.narrow(1, n_time - n_tail, n_tail)?.contiguous()?);
            let shape =
                ConvShape { kernel: convolution.kernel, stride: convolution.stride, activation: Activation::Relu };
            x = unfold_conv(&with_tail, &layer.weight, &layer.bias, shape)?;
        }
        for (idx, (layer, carried)) in self.recurrent.iter().zip(&state.recurrent).enumerate() {
            let input = layer_inputs.pass(idx, x)?;
            let state = match &state.is_new {
                Some(is_new) => layer[0].begin(carried, is_new)?,
                None => carried.clone(),
            };
            let (output, last) = layer[0].run(self.config.cell, &input, &state)?;
            next.recurrent.push(last);
            x = match layer.get(1) {
                None => output,
                Some(backward) => {
                    let n_rows = input.dim(0)?;
                    let from_the_end =
                        backward.begin(&state.zeros_like()?, &Tensor::ones((n_rows, 1), DType::F32, &Device::Cpu)?)?;
                    let (reversed, _) = backward.run(self.config.cell, &input.flip(&[1])?, &from_the_end)?;
                    Tensor::cat(&[&output, &reversed.flip(&[1])?], 2)?
                }
            };
        }
        let logits = self.head.forward(&layer_inputs.pass(self.recurrent.len(), x)?)?;
        Ok((logits, next))
    }
}

impl Direction {
    /// The `carried` state `(batch, state)`, of rows that are new the initial one; `is_new` is 0 or 1, `(batch, 1)`.
    fn begin(&self, carried: &Tensor, is_new: &Tensor) -> candle_core::Result<Tensor> {
        match &self.initial {
            // What is new carries zeros.
            Some(initial) => carried + is_new.matmul(&initial.unsqueeze(0)?)?,
            None => Ok(carried.clone()),
        }
    }

    fn run(&self, cell: RecurrentCell, x: &Tensor, state: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        recurrent_sequence(cell, x, &self.weight_ih, &self.weight_hh, &self.bias, Some(state))
    }
}
