//! Networks that listen only around what the first one takes for a word.
//!
//! Most of a day nothing sounds like a word, and asking one network is enough to know that. When it proposes one, the others hear
//! the last seconds again, from the zero state, and listen on until nothing has been proposed for a while; as long as they do, the
//! mean of all logits counts. They cost time a few times an hour and may be as many as one likes.

use serde::{Deserialize, Serialize};

use super::packed::{PackedNetwork, PackedState};
use super::{ModelConfig, ModelConfigError};
use crate::units::Milliseconds;

/// When the further networks of a model are asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecondLookConfig {
    /// Probability of any word at which the first network proposes it. Thresholds below mean little.
    pub proposal_probability: f32,
    /// Audio that the others hear from before the proposal.
    pub history_ms: Milliseconds,
    /// Audio after the last proposal for which they go on listening.
    pub hold_ms: Milliseconds,
}

impl Default for SecondLookConfig {
    fn default() -> Self {
        Self { proposal_probability: 0.3, history_ms: Milliseconds(2400), hold_ms: Milliseconds(960) }
    }
}

impl SecondLookConfig {
    /// Checks every key against its range, and that networks of this shape can be asked again.
    ///
    /// # Errors
    /// Names the first key that is out of range, with what was found and what is possible.
    pub fn validate(&self, model: &ModelConfig) -> Result<(), ModelConfigError> {
        if model.bidirectional {
            let expected = "none with model.bidirectional = true: such networks hear what follows anyhow";
            return Err(ModelConfigError::new("second_look", "there", expected));
        }
        let probability = self.proposal_probability;
        if !(probability > 0.0 && probability < 1.0) {
            return Err(ModelConfigError::new("second_look.proposal_probability", probability, "above 0 and below 1"));
        }
        for (key, Milliseconds(found)) in
            [("second_look.history_ms", self.history_ms), ("second_look.hold_ms", self.hold_ms)]
        {
            if !(100..=30_000).contains(&found) {
                return Err(ModelConfigError::new(key, found, "100 to 30000"));
            }
        }
        Ok(())
    }
}

/// The further networks, packed.
pub(super) struct SecondLook {
    networks: Vec<PackedNetwork>,
    proposal_logit: f32,
    n_history_steps: usize,
    n_hold_steps: usize,
    n_words: usize,
    /// Numbers in the frames of a step.
    step_len: usize,
}

/// What one stream carries for them.
#[derive(Clone)]
pub(super) struct SecondLookState {
    networks: Vec<PackedState>,
    /// Frames of the last steps: room for twice the history, so that it lies in one piece and is moved rarely.
    frames: Vec<f32>,
    /// Steps in `frames`.
    n_held: usize,
    /// Steps for which the networks still listen.
    n_awake: usize,
    logits: Vec<f32>,
}

impl SecondLook {
    pub(super) fn new(
        networks: Vec<PackedNetwork>,
        config: &SecondLookConfig,
        step_s: f64,
        step_len: usize,
        n_words: usize,
    ) -> Self {
        let steps = |length: Milliseconds| ((length.seconds() / step_s).round() as usize).max(1);
        let probability = config.proposal_probability;
        Self {
            networks,
            proposal_logit: (probability / (1.0 - probability)).ln(),
            n_history_steps: steps(config.history_ms),
            n_hold_steps: steps(config.hold_ms),
            n_words,
            step_len,
        }
    }

    /// The state of a stream that has heard nothing yet.
    pub(super) fn zero_state(&self) -> SecondLookState {
        let mut state = SecondLookState {
            networks: self.networks.iter().map(PackedNetwork::zero_state).collect(),
            frames: vec![0.0; 2 * self.n_history_steps * self.step_len],
            n_held: self.n_history_steps,
            n_awake: 0,
            logits: Vec::new(),
        };
        // Once through, so that every buffer has its size and none grows while a microphone is heard.
        self.hear_again(&mut state, &mut vec![0.0; self.n_words]);
        state.n_held = 0;
        state
    }

    /// One step, whose `frames` and logits of the first network these are. While the others listen, the mean of all replaces
    /// the logits.
    pub(super) fn step(&self, state: &mut SecondLookState, frames: &[f32], logits: &mut [f32]) {
        self.remember(state, frames);
        let is_proposed = logits.iter().any(|&logit| logit >= self.proposal_logit);
        if state.n_awake > 0 {
            for (network, network_state) in self.networks.iter().zip(&mut state.networks) {
                network.run(network_state, frames, 1, &mut state.logits);
                add(&state.logits, logits);
            }
        } else if is_proposed {
            self.hear_again(state, logits);
        } else {
            return;
        }
        let scale = 1.0 / (1 + self.networks.len()) as f32;
        logits.iter_mut().for_each(|logit| *logit *= scale);
        state.n_awake = if is_proposed { self.n_hold_steps } else { state.n_awake - 1 };
    }

    fn remember(&self, state: &mut SecondLookState, frames: &[f32]) {
        if state.n_held == 2 * self.n_history_steps {
            state.frames.copy_within(self.n_history_steps * self.step_len.., 0);
            state.n_held = self.n_history_steps;
        }
        state.frames[state.n_held * self.step_len..][..self.step_len].copy_from_slice(frames);
        state.n_held += 1;
    }

    /// Runs the networks over the history from the zero state and adds their last logits to `logits`.
    fn hear_again(&self, state: &mut SecondLookState, logits: &mut [f32]) {
        let n_steps = state.n_held.min(self.n_history_steps);
        let history = &state.frames[(state.n_held - n_steps) * self.step_len..state.n_held * self.step_len];
        for (network, network_state) in self.networks.iter().zip(&mut state.networks) {
            network.reset(network_state);
            network.run(network_state, history, n_steps, &mut state.logits);
            add(&state.logits[(n_steps - 1) * self.n_words..], logits);
        }
    }
}

fn add(logits: &[f32], sums: &mut [f32]) {
    sums.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += logit);
}
