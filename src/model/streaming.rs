//! The running form: one stream, packed weights, a state that lives as long as the stream.

use super::packed::{PackedNetwork, PackedState};
use super::second_look::{SecondLook, SecondLookState};
use super::{ModelConfig, NamedTensors, SecondLookConfig, Weights, WeightsError};

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
    is_bidirectional: bool,
}

/// Everything one stream carries from step to step, and the buffers it computes in.
#[derive(Clone)]
pub struct StreamingState {
    /// One entry a network.
    networks: Vec<PackedState>,
    second_look: Option<SecondLookState>,
    /// Of one network.
    logits: Vec<f32>,
    /// The sum over the networks.
    sums: Vec<f32>,
    n_steps: u64,
}

impl StreamingState {
    /// Steps since the zero state, decided or not.
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
    pub fn of_networks<T: NamedTensors>(
        config: &ModelConfig,
        n_mels: usize,
        n_words: usize,
        networks: impl Iterator<Item = Result<T, WeightsError>>,
    ) -> Result<Self, WeightsError> {
        let pack = |weights: Result<T, WeightsError>| {
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
            is_bidirectional: config.bidirectional,
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
            sums: Vec::new(),
            n_steps: 0,
        }
    }

    /// Whether steps are decided only when later ones are known, so that nobody can listen with it.
    pub fn is_bidirectional(&self) -> bool {
        self.is_bidirectional
    }

    /// One step: `frames` `(frames_per_step, n_mels)` to `probabilities` `(n_words)`.
    ///
    /// # Panics
    /// When the network is bidirectional: it has nothing to say about a step yet.
    pub fn step(&self, state: &mut StreamingState, frames: &[f32], probabilities: &mut [f32]) {
        debug_assert_eq!(frames.len(), self.frames_per_step * self.n_mels);
        assert!(!self.is_bidirectional, "a bidirectional network runs by seq and finish");
        self.run_block(state, frames);
        probabilities.copy_from_slice(&state.sums);
    }

    /// Any number of whole steps: `frames` `(steps · frames_per_step, n_mels)`; the probabilities `(steps, n_words)` of all steps
    /// that are decided now are appended: of these steps, or in a bidirectional network of as many as can be, from the first that
    /// was not decided before. Bit-identical to the same frames in single steps.
    ///
    /// # Panics
    /// When `frames` is not a whole number of steps.
    pub fn seq(&self, state: &mut StreamingState, frames: &[f32], probabilities: &mut Vec<f32>) {
        let step_len = self.frames_per_step * self.n_mels;
        assert!(frames.len().is_multiple_of(step_len), "frames are handed over in whole steps");
        for block in frames.chunks(MAX_STEPS_PER_BLOCK * step_len) {
            self.run_block(state, block);
            probabilities.extend_from_slice(&state.sums);
        }
    }

    /// Ends the stream: appends the probabilities of all steps that are not decided yet.
    pub fn finish(&self, state: &mut StreamingState, probabilities: &mut Vec<f32>) {
        if self.is_bidirectional {
            sum_logits(&self.networks, state, |network, network_state, logits| network.finish(network_state, logits));
            to_probabilities(&mut state.sums);
            probabilities.extend_from_slice(&state.sums);
        }
    }

    /// A whole recording from the beginning to the end: `frames` `(steps · frames_per_step, n_mels)` to probabilities
    /// `(steps, n_words)`.
    ///
    /// # Panics
    /// When `frames` is not a whole number of steps.
    pub fn recording(&self, frames: &[f32]) -> Vec<f32> {
        let (mut state, mut probabilities) = (self.zero_state(), Vec::new());
        self.seq(&mut state, frames, &mut probabilities);
        self.finish(&mut state, &mut probabilities);
        probabilities
    }

    /// Leaves the probabilities of the steps that are decided now in `state.sums`.
    fn run_block(&self, state: &mut StreamingState, frames: &[f32]) {
        let step_len = self.frames_per_step * self.n_mels;
        let n_steps = frames.len() / step_len;
        sum_logits(&self.networks, state, |network, network_state, logits| {
            network.run(network_state, frames, n_steps, logits);
        });
        if let (Some(second_look), Some(second_state)) = (&self.second_look, &mut state.second_look) {
            let steps = frames.chunks_exact(step_len);
            for (frames, logits) in steps.zip(state.sums.chunks_exact_mut(self.n_words)) {
                second_look.step(second_state, frames, logits);
            }
        }
        to_probabilities(&mut state.sums);
        state.n_steps += n_steps as u64;
    }
}

/// The mean of what `run` gives for each network, in `state.sums`.
fn sum_logits(
    networks: &[PackedNetwork],
    state: &mut StreamingState,
    run: impl Fn(&PackedNetwork, &mut PackedState, &mut Vec<f32>),
) {
    let StreamingState { networks: states, logits, sums, .. } = state;
    sums.clear();
    for (network, network_state) in networks.iter().zip(states) {
        run(network, network_state, logits);
        // All decide the same steps.
        sums.resize(logits.len(), 0.0);
        sums.iter_mut().zip(&*logits).for_each(|(sum, logit)| *sum += logit);
    }
    let scale = 1.0 / networks.len() as f32;
    sums.iter_mut().for_each(|logit| *logit *= scale);
}

fn to_probabilities(logits: &mut [f32]) {
    for value in logits {
        *value = 1.0 / (1.0 + (-*value).exp());
    }
}
