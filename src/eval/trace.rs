//! Probabilities of a stream, computed once and then decided on again and again.

use crate::model::StreamingNetwork;

/// The probabilities `(steps, n_words)` of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Row-major.
    pub probabilities: Vec<f32>,
    /// Width.
    pub n_words: usize,
}

impl Trace {
    /// Runs a network over feature frames `(time, n_mels)` from the zero state.
    pub fn new(network: &StreamingNetwork, frames: &[f32]) -> Self {
        Self { probabilities: network.recording(frames), n_words: network.n_words() }
    }

    /// The probabilities of one word, step by step.
    pub fn word(&self, word_idx: usize) -> impl Iterator<Item = f32> + '_ {
        self.probabilities.iter().skip(word_idx).step_by(self.n_words).copied()
    }
}
