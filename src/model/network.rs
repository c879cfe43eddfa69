//! The differentiable form: batches of clips through candle, for training and for checks.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module};

use super::{ModelConfig, Weights, WeightsError};
use crate::kernels::{Activation, ConvShape, recurrent_sequence, unfold_conv};

/// What a batch of streams carries from one sequence to the next.
#[derive(Debug, Clone)]
pub struct NetworkState {
    /// For each convolution the inputs that its next outputs still need, `(batch, kernel − stride, inputs)`.
    pub convolution_tails: Vec<Tensor>,
    /// For each recurrent layer `(batch, state)`: h, and behind it the LSTM's c.
    pub recurrent: Vec<Tensor>,
}

impl NetworkState {
    /// The same state as a constant: gradients end here.
    pub fn detached(&self) -> Self {
        let detached = |tensors: &[Tensor]| tensors.iter().map(Tensor::detach).collect();
        Self { convolution_tails: detached(&self.convolution_tails), recurrent: detached(&self.recurrent) }
    }
}

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

struct RecurrentLayer {
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
}

/// The network over candle tensors. Cloned tensors share storage, so gradients reach the variables it was made from.
pub struct Network {
    config: ModelConfig,
    n_mels: usize,
    convolutions: Vec<Layer>,
    recurrent: Vec<RecurrentLayer>,
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
        Ok(Self {
            convolutions: (0..config.convolutions.len())
                .map(|i| layer(format!("conv{i}")))
                .collect::<Result<_, _>>()?,
            recurrent: (0..config.n_layers)
                .map(|i| {
                    let cell = config.cell.name();
                    Ok(RecurrentLayer {
                        weight_ih: tensor(format!("{cell}.weight_ih_l{i}"))?,
                        weight_hh: tensor(format!("{cell}.weight_hh_l{i}"))?,
                        bias: tensor(format!("{cell}.bias_l{i}"))?,
                    })
                })
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
        })
    }

    /// Runs `features` `(batch, time, n_mels)`, time a multiple of the frames per step, and gives the logits
    /// `(batch, steps, n_words)` with the state after the last step. Gradients pass through both states; truncated
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
        let mut next = NetworkState { convolution_tails: Vec::new(), recurrent: Vec::new() };
        for (i, (convolution, layer)) in self.config.convolutions.iter().zip(&self.convolutions).enumerate() {
            let with_tail = Tensor::cat(&[&state.convolution_tails[i], &x], 1)?;
            let n_tail = convolution.kernel - convolution.stride;
            let n_time = with_tail.dim(1)?;
            next.convolution_tails.push(with_tail.narrow(1, n_time - n_tail, n_tail)?.contiguous()?);
            let shape =
                ConvShape { kernel: convolution.kernel, stride: convolution.stride, activation: Activation::Relu };
            x = unfold_conv(&with_tail, &layer.weight, &layer.bias, shape)?;
        }
        for (idx, (layer, state)) in self.recurrent.iter().zip(&state.recurrent).enumerate() {
            let input = layer_inputs.pass(idx, x)?;
            let (output, state) = recurrent_sequence(
                self.config.cell,
                &input,
                &layer.weight_ih,
                &layer.weight_hh,
                &layer.bias,
                Some(state),
            )?;
            x = output;
            next.recurrent.push(state);
        }
        let logits = self.head.forward(&layer_inputs.pass(self.recurrent.len(), x)?)?;
        Ok((logits, next))
    }
}
