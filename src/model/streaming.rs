//! The running form: one stream, packed weights, a state that lives as long as the stream.

use super::{ModelConfig, Weights, WeightsError};
use crate::kernels::{Activation, GruScratch, PackedDense, PackedGru};

/// Steps that are run together at most; bounds the buffers whatever the caller hands over.
const MAX_STEPS_PER_BLOCK: usize = 64;

struct PackedConvolution {
    dense: PackedDense,
    n_inputs: usize,
    kernel: usize,
    stride: usize,
}

/// A network packed for running. Immutable: any number of streams can share it, each with its own [`StreamingState`].
pub struct StreamingNetwork {
    convolutions: Vec<PackedConvolution>,
    gru: Vec<PackedGru>,
    head: PackedDense,
    n_mels: usize,
    n_words: usize,
    hidden_size: usize,
    frames_per_step: usize,
}

/// Everything one stream carries from step to step, and the buffers it computes in.
#[derive(Clone)]
pub struct StreamingState {
    /// For each convolution `(kernel − stride + block, inputs)`: the tail of what it has seen, then room for new input.
    convolution_inputs: Vec<Vec<f32>>,
    /// For each GRU layer `(hidden)`.
    hidden: Vec<Vec<f32>>,
    scratch: GruScratch,
    block: [Vec<f32>; 2],
    n_steps: u64,
}

impl StreamingState {
    /// Steps since the zero state.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// The hidden state of GRU layer `layer`, `(hidden)`.
    pub fn hidden(&self, layer: usize) -> &[f32] {
        &self.hidden[layer]
    }
}

impl StreamingNetwork {
    /// Packs `weights`.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape than `config` gives it, or holds a number that is not finite.
    pub fn new(config: &ModelConfig, n_mels: usize, n_words: usize, weights: &Weights) -> Result<Self, WeightsError> {
        weights.check(config, n_mels, n_words)?;
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
        let gru = (0..config.n_layers)
            .map(|layer| {
                Ok(PackedGru::new(
                    &weights.values(&format!("gru.weight_ih_l{layer}"))?,
                    &weights.values(&format!("gru.weight_hh_l{layer}"))?,
                    &weights.values(&format!("gru.bias_l{layer}"))?,
                ))
            })
            .collect::<Result<_, WeightsError>>()?;
        Ok(Self {
            convolutions,
            gru,
            head: dense("head")?,
            n_mels,
            n_words,
            hidden_size: config.hidden_size,
            frames_per_step: config.frames_per_step(),
        })
    }

    /// Feature frames that a step consumes.
    pub fn frames_per_step(&self) -> usize {
        self.frames_per_step
    }

    /// Words, the width of the output.
    pub fn n_words(&self) -> usize {
        self.n_words
    }

    /// The state of a stream that has heard nothing yet.
    pub fn zero_state(&self) -> StreamingState {
        StreamingState {
            convolution_inputs: self.convolutions.iter().map(|convolution| vec![0.0; convolution.n_tail()]).collect(),
            hidden: vec![vec![0.0; self.hidden_size]; self.gru.len()],
            scratch: GruScratch::default(),
            block: [Vec::new(), Vec::new()],
            n_steps: 0,
        }
    }

    /// One step: `frames` `(frames_per_step, n_mels)` to `probabilities` `(n_words)`.
    pub fn step(&self, state: &mut StreamingState, frames: &[f32], probabilities: &mut [f32]) {
        debug_assert_eq!(frames.len(), self.frames_per_step * self.n_mels);
        self.run_block(state, frames, probabilities);
    }

    /// Any number of whole steps: `frames` `(steps · frames_per_step, n_mels)`; the probabilities `(steps, n_words)` are
    /// appended. Bit-identical to the same frames in single steps.
    ///
    /// # Panics
    /// When `frames` is not a whole number of steps.
    pub fn seq(&self, state: &mut StreamingState, frames: &[f32], probabilities: &mut Vec<f32>) {
        let step_len = self.frames_per_step * self.n_mels;
        assert!(frames.len().is_multiple_of(step_len), "frames are handed over in whole steps");
        for block in frames.chunks(MAX_STEPS_PER_BLOCK * step_len) {
            let start = probabilities.len();
            probabilities.resize(start + block.len() / step_len * self.n_words, 0.0);
            self.run_block(state, block, &mut probabilities[start..]);
        }
    }

    fn run_block(&self, state: &mut StreamingState, frames: &[f32], probabilities: &mut [f32]) {
        let n_steps = frames.len() / (self.frames_per_step * self.n_mels);
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
        for (gru, hidden) in self.gru.iter().zip(&mut state.hidden) {
            next.resize(n_steps * self.hidden_size, 0.0);
            gru.sequence(current, n_steps, hidden, &mut state.scratch, next);
            std::mem::swap(current, next);
        }
        self.head.forward(current, self.hidden_size, n_steps, Activation::None, probabilities);
        for probability in probabilities {
            *probability = 1.0 / (1.0 + (-*probability).exp());
        }
        state.n_steps += n_steps as u64;
    }
}

impl PackedConvolution {
    fn n_tail(&self) -> usize {
        (self.kernel - self.stride) * self.n_inputs
    }
}
