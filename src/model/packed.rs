//! One network, packed for running.

use super::{ModelConfig, Weights, WeightsError};
use crate::kernels::{Activation, PackedDense, PackedRecurrent, RecurrentScratch};

struct PackedConvolution {
    dense: PackedDense,
    n_inputs: usize,
    kernel: usize,
    stride: usize,
}

/// Packed weights; any number of streams can share them, each with a [`PackedState`] of its own.
pub(super) struct PackedNetwork {
    convolutions: Vec<PackedConvolution>,
    recurrent: Vec<PackedRecurrent>,
    head: PackedDense,
    hidden_size: usize,
}

/// What one stream carries from step to step in one network, and the buffers it computes in.
#[derive(Clone)]
pub(super) struct PackedState {
    /// For each convolution `(kernel − stride + block, inputs)`: the tail of what it has seen, then room for new input.
    convolution_inputs: Vec<Vec<f32>>,
    /// For each recurrent layer `(state)`: h, and behind it the LSTM's c.
    recurrent: Vec<Vec<f32>>,
    scratch: RecurrentScratch,
    block: [Vec<f32>; 2],
}

impl PackedNetwork {
    /// Packs `weights`.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub(super) fn new(config: &ModelConfig, n_mels: usize, weights: &Weights) -> Result<Self, WeightsError> {
        let dense = |prefix: &str| -> Result<PackedDense, WeightsError> {
            Ok(PackedDense::new(
                &weights.values(&format!("{prefix}.weight"))?,
                &weights.values(&format!("{prefix}.bias"))?,
            ))
        };
        let convolutions = config
            .convolutions
            .iter()
            .enumerate()
            .map(|(i, convolution)| {
                Ok(PackedConvolution {
                    dense: dense(&format!("conv{i}"))?,
                    n_inputs: config.convolution_input_size(i, n_mels),
                    kernel: convolution.kernel,
                    stride: convolution.stride,
                })
            })
            .collect::<Result<_, WeightsError>>()?;
        let cell = config.cell;
        let recurrent = (0..config.n_layers)
            .map(|layer| {
                let values = |tensor: &str| weights.values(&format!("{}.{tensor}_l{layer}", cell.name()));
                Ok(PackedRecurrent::new(cell, &values("weight_ih")?, &values("weight_hh")?, &values("bias")?))
            })
            .collect::<Result<_, WeightsError>>()?;
        Ok(Self { convolutions, recurrent, head: dense("head")?, hidden_size: config.hidden_size })
    }

    /// The state of a stream that has heard nothing yet.
    pub(super) fn zero_state(&self) -> PackedState {
        PackedState {
            convolution_inputs: self.convolutions.iter().map(|convolution| vec![0.0; convolution.n_tail()]).collect(),
            recurrent: self.recurrent.iter().map(|layer| vec![0.0; layer.state_size()]).collect(),
            scratch: RecurrentScratch::default(),
            block: [Vec::new(), Vec::new()],
        }
    }

    /// `n_steps` steps: `frames` `(n_steps · frames_per_step, n_mels)` to `logits` `(n_steps, n_words)`.
    pub(super) fn run(&self, state: &mut PackedState, frames: &[f32], n_steps: usize, logits: &mut [f32]) {
        let [current, next] = &mut state.block;
        current.clear();
        current.extend_from_slice(frames);
        for (convolution, inputs) in self.convolutions.iter().zip(&mut state.convolution_inputs) {
            inputs.extend_from_slice(current);
            let n_outputs = current.len() / convolution.n_inputs / convolution.stride;
            current.resize(n_outputs * convolution.dense.n_outputs(), 0.0);
            convolution.dense.forward(
                inputs,
                convolution.stride * convolution.n_inputs,
                n_outputs,
                Activation::Relu,
                current,
            );
            let consumed = inputs.len() - convolution.n_tail();
            inputs.copy_within(consumed.., 0);
            inputs.truncate(convolution.n_tail());
        }
        for (layer, layer_state) in self.recurrent.iter().zip(&mut state.recurrent) {
            next.resize(n_steps * self.hidden_size, 0.0);
            layer.sequence(current, n_steps, layer_state, &mut state.scratch, next);
            std::mem::swap(current, next);
        }
        self.head.forward(current, self.hidden_size, n_steps, Activation::None, logits);
    }
}

impl PackedState {
    /// Back to the zero state; the buffers keep their size.
    pub(super) fn reset(&mut self) {
        self.convolution_inputs.iter_mut().chain(&mut self.recurrent).for_each(|values| values.fill(0.0));
    }
}

impl PackedConvolution {
    fn n_tail(&self) -> usize {
        (self.kernel - self.stride) * self.n_inputs
    }
}
