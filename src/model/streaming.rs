//! The running form: one stream, packed weights, a state that lives as long as the stream.

use super::packed::{PackedNetwork, PackedState};
use super::second_look::{SecondLook, SecondLookState};
use super::{ModelConfig, SecondLookConfig, Weights, WeightsError};

/// Steps that are run together at most; bounds the buffers whatever the caller hands over.
const MAX_STEPS_PER_BLOCK: usize = 64;

/// One network, or several whose mean logit decides, packed for running. Immutable: any number of streams can share it, each with
/// its own [`StreamingState`].
pub struct StreamingNetwork {
    /// Those that listen always.
    networks: Vec<PackedNetwork>,
    second_look: Option<SecondLook>,
    n_mels: usize,
    n_words: usize,
    frames_per_step: usize,
}

/// Everything one stream carries from step to step, and the buffers it computes in.
#[derive(Clone)]
pub struct StreamingState {
    /// One entry a network.
    networks: Vec<PackedState>,
    second_look: Option<SecondLookState>,
    logits: Vec<f32>,
    n_steps: u64,
}

impl StreamingState {
    /// Steps since the zero state.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }
}

impl StreamingNetwork {
    /// Packs `weights`.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape than `config` gives it, or holds a number that is not finite.
    pub fn new(config: &ModelConfig, n_mels: usize, n_words: usize, weights: &Weights) -> Result<Self, WeightsError> {
        Self::of_networks(config, n_mels, n_words, weights.networks().map(Ok))
    }

    /// Packs networks as they come.
    ///
    /// # Errors
    /// The first one of `networks`, or as [`new`](Self::new).
    pub fn of_networks(
        config: &ModelConfig,
        n_mels: usize,
        n_words: usize,
        networks: impl Iterator<Item = Result<Weights, WeightsError>>,
    ) -> Result<Self, WeightsError> {
        let pack = |weights: Result<Weights, WeightsError>| {
            let weights = weights?;
            weights.check(config, n_mels, n_words)?;
            PackedNetwork::new(config, n_mels, &weights)
        };
        Ok(Self {
            networks: networks.map(pack).collect::<Result<_, _>>()?,
            second_look: None,
            n_mels,
            n_words,
            frames_per_step: config.frames_per_step(),
        })
    }

    /// The same, with all networks but the first listening only when `second_look` says so, if it says anything. A step lasts
    /// `step_s` seconds.
    pub fn with_second_look(mut self, second_look: Option<&SecondLookConfig>, step_s: f64) -> Self {
        if let Some(second_look) = second_look.filter(|_| self.networks.len() > 1) {
            let others = self.networks.split_off(1);
            let step_len = self.frames_per_step * self.n_mels;
            self.second_look = Some(SecondLook::new(others, second_look, step_s, step_len, self.n_words));
        }
        self
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
            networks: self.networks.iter().map(PackedNetwork::zero_state).collect(),
            second_look: self.second_look.as_ref().map(SecondLook::zero_state),
            logits: Vec::new(),
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
        probabilities.fill(0.0);
        state.logits.resize(probabilities.len(), 0.0);
        for (network, network_state) in self.networks.iter().zip(&mut state.networks) {
            network.run(network_state, frames, n_steps, &mut state.logits);
            probabilities.iter_mut().zip(&state.logits).for_each(|(sum, logit)| *sum += logit);
        }
        let scale = 1.0 / self.networks.len() as f32;
        probabilities.iter_mut().for_each(|logit| *logit *= scale);
        if let (Some(second_look), Some(second_state)) = (&self.second_look, &mut state.second_look) {
            let steps = frames.chunks_exact(self.frames_per_step * self.n_mels);
            for (frames, logits) in steps.zip(probabilities.chunks_exact_mut(self.n_words)) {
                second_look.step(second_state, frames, logits);
            }
        }
        for value in probabilities {
            *value = 1.0 / (1.0 + (-*value).exp());
        }
        state.n_steps += n_steps as u64;
    }
}
