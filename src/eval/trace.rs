//! Probabilities of a stream, computed once and then decided on again and again.

use super::EvalStream;
use crate::model::StreamingNetwork;
use crate::parallel;

/// The probabilities `(steps, n_words)` of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Row-major.
    pub probabilities: Vec<f32>,
    /// Width.
    pub n_words: usize,
}

impl Trace {
    /// The probabilities of one word, step by step.
    pub fn word(&self, word_idx: usize) -> impl Iterator<Item = f32> + '_ {
        self.probabilities.iter().skip(word_idx).step_by(self.n_words).copied()
    }
}

/// Runs each stream from the zero state, on as many threads as the machine has; traces come in the order of the streams.
pub fn run_streams(network: &StreamingNetwork, streams: &[EvalStream]) -> Vec<Trace> {
    let run = |_: &mut (), stream: &EvalStream| {
        let mut probabilities = Vec::new();
        network.seq(&mut network.zero_state(), &stream.frames, &mut probabilities);
        Trace { probabilities, n_words: network.n_words() }
    };
    parallel::map("tw-eval", streams, parallel::n_cores(), || (), run, &|_, _| {})
}
