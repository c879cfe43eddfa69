//! Probabilities of a stream, computed once and then decided on again and again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::EvalStream;
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
    /// The probabilities of one word, step by step.
    pub fn word(&self, word_idx: usize) -> impl Iterator<Item = f32> + '_ {
        self.probabilities.iter().skip(word_idx).step_by(self.n_words).copied()
    }
}

/// Runs each stream from the zero state, on as many threads as the machine has; traces come in the order of the streams.
pub fn run_streams(network: &StreamingNetwork, streams: &[EvalStream]) -> Vec<Trace> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(streams.len().max(1));
    let next = AtomicUsize::new(0);
    let mut traces: Vec<(usize, Trace)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n_threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(stream) = streams.get(i) else { return done };
                        let mut probabilities = Vec::new();
                        network.seq(&mut network.zero_state(), &stream.frames, &mut probabilities);
                        done.push((i, Trace { probabilities, n_words: network.n_words() }));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    traces.sort_by_key(|(i, _)| *i);
    traces.into_iter().map(|(_, trace)| trace).collect()
}
