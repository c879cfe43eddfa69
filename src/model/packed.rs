//! One network, packed for running.

use super::directions::DirectionNames;
use super::look_ahead::{BidirectionalLayers, WindowState};
use super::{ModelConfig, NamedTensors, WeightsError};
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
    recurrent: RecurrentLayers,
    /// Of each layer's forward direction, `(state)`.
    initial: Vec<Vec<f32>>,
    head: PackedDense,
    output_size: usize,
    hidden_size: usize,
}

enum RecurrentLayers {
    Forward(Vec<PackedRecurrent>),
    Bidirectional(BidirectionalLayers),
}

/// What one stream carries from step to step in one network, and the buffers it computes in.
#[derive(Clone)]
pub(super) struct PackedState {
    /// For each convolution `(kernel − stride + block, inputs)`: the tail of what it has seen, then room for new input.
    convolution_inputs: Vec<Vec<f32>>,
    /// For each recurrent layer `(state)`: h, and behind it the LSTM's c.
    recurrent: Vec<Vec<f32>>,
    window: WindowState,
    scratch: RecurrentScratch,
    block: [Vec<f32>; 2],
}

impl PackedNetwork {
    /// Packs `weights`.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub(super) fn new(config: &ModelConfig, n_mels: usize, weights: &impl NamedTensors) -> Result<Self, WeightsError> {
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
        let initial = |layer| DirectionNames::new(config, layer, "").initial_values(config, weights);
        Ok(Self {
            convolutions,
            recurrent: if config.bidirectional {
                RecurrentLayers::Bidirectional(BidirectionalLayers::new(config, weights)?)
            } else {
                RecurrentLayers::Forward(pack_layers(config, weights, "")?)
            },
            initial: (0..config.n_layers).map(initial).collect::<Result<_, _>>()?,
            head: dense("head")?,
            output_size: config.recurrent_output_size(),
            hidden_size: config.hidden_size,
        })
    }

    /// The state of a stream that has heard nothing yet.
    pub(super) fn zero_state(&self) -> PackedState {
        PackedState {
            convolution_inputs: self.convolutions.iter().map(|convolution| vec![0.0; convolution.n_tail()]).collect(),
            recurrent: self.initial.clone(),
            window: WindowState::default(),
            scratch: RecurrentScratch::default(),
            block: [Vec::new(), Vec::new()],
        }
    }

    /// Back to the state of a stream that has heard nothing yet; the buffers keep their size.
    pub(super) fn reset(&self, state: &mut PackedState) {
        state.convolution_inputs.iter_mut().for_each(|values| values.fill(0.0));
        state.recurrent.iter_mut().zip(&self.initial).for_each(|(values, initial)| values.copy_from_slice(initial));
        state.window.reset();
    }

    /// Runs `n_steps` steps: `frames` is `(n_steps · frames_per_step, n_mels)`; `logits` `(steps, n_words)` becomes those of the
    /// steps that are decided now: of these steps, or in a bidirectional network of earlier ones.
    pub(super) fn run(&self, state: &mut PackedState, frames: &[f32], n_steps: usize, logits: &mut Vec<f32>) {
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
        match &self.recurrent {
            RecurrentLayers::Forward(layers) => {
                for (layer, layer_state) in layers.iter().zip(&mut state.recurrent) {
                    next.resize(n_steps * self.hidden_size, 0.0);
                    layer.sequence(current, n_steps, layer_state, &mut state.scratch, next);
                    std::mem::swap(current, next);
                }
            }
            RecurrentLayers::Bidirectional(layers) => {
                next.clear();
                layers.push(&mut state.recurrent, &mut state.scratch, &mut state.window, current, next);
                std::mem::swap(current, next);
            }
        }
        self.to_words(current, logits);
    }

    /// The logits of the steps that are not decided yet when the sound ends.
    pub(super) fn finish(&self, state: &mut PackedState, logits: &mut Vec<f32>) {
        logits.clear();
        if let RecurrentLayers::Bidirectional(layers) = &self.recurrent {
            let output = &mut state.block[0];
            output.clear();
            layers.finish(&mut state.recurrent, &mut state.scratch, &mut state.window, output);
            self.to_words(output, logits);
        }
    }

    /// The recurrent layers' output `(steps, output_size)` to `logits`.
    fn to_words(&self, output: &[f32], logits: &mut Vec<f32>) {
        let n_steps = output.len() / self.output_size;
        logits.resize(n_steps * self.head.n_outputs(), 0.0);
        self.head.forward(output, self.output_size, n_steps, Activation::None, logits);
    }
}

/// The recurrent layers in the direction whose tensors' names end in `suffix`.
///
/// # Errors
/// When a tensor is missing.
pub(super) fn pack_layers(
    config: &ModelConfig,
    weights: &impl NamedTensors,
    suffix: &str,
) -> Result<Vec<PackedRecurrent>, WeightsError> {
    let pack = |layer| {
        let names = DirectionNames::new(config, layer, suffix);
        let [w_ih, w_hh, bias] = [names.weight_ih, names.weight_hh, names.bias].map(|name| weights.values(&name));
        Ok(PackedRecurrent::new(config.cell, &w_ih?, &w_hh?, &bias?))
    };
    (0..config.n_layers).map(pack).collect()
}

impl PackedConvolution {
    fn n_tail(&self) -> usize {
        (self.kernel - self.stride) * self.n_inputs
    }
}
