//! The directions of a recurrent layer, and how their tensors are called.

use super::{InitialState, ModelConfig, NamedTensors, WeightsError};

/// The directions of each layer as the ends of their tensors' names: forward, and in a bidirectional network backward.
pub fn direction_suffixes(config: &ModelConfig) -> &'static [&'static str] {
    if config.bidirectional { &["", "_reverse"] } else { &[""] }
}

/// The tensors of one direction of a layer.
pub struct DirectionNames {
    /// From the input, `(gates · hidden, inputs)`.
    pub weight_ih: String,
    /// From the state before, `(gates · hidden, hidden)`.
    pub weight_hh: String,
    /// `(bias parts · hidden)`.
    pub bias: String,
    /// The initial state, `(state)`, where it is learned.
    pub initial: Option<String>,
}

impl DirectionNames {
    /// Those of layer `layer` with one of the [`direction_suffixes`].
    pub fn new(config: &ModelConfig, layer: usize, suffix: &str) -> Self {
        let name = |tensor: &str| format!("{}.{tensor}_l{layer}{suffix}", config.cell.name());
        Self {
            weight_ih: name("weight_ih"),
            weight_hh: name("weight_hh"),
            bias: name("bias"),
            initial: (config.initial_state == InitialState::Learned).then(|| name("initial")),
        }
    }

    /// The initial state's numbers, `(state)`.
    ///
    /// # Errors
    /// When the tensor is missing.
    pub(super) fn initial_values(
        &self,
        config: &ModelConfig,
        weights: &impl NamedTensors,
    ) -> Result<Vec<f32>, WeightsError> {
        match &self.initial {
            Some(name) => weights.values(name),
            None => Ok(vec![0.0; config.cell.state_size(config.hidden_size)]),
        }
    }
}
