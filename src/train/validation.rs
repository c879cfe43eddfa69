//! How good the network is now, on speakers it has not been trained on.

use crate::detector::TriggerConfig;
use crate::eval::{EvalStream, OperatingPoint, Outcome, StepTiming, Target, TracedStreams, choose_threshold};
use crate::model::StreamingNetwork;

use super::TrainConfig;

/// The held-out recordings, laid into streams once.
pub struct ValidationSet {
    /// Streams with words, clean and noisy.
    pub positives: Vec<EvalStream>,
    /// Streams without, clean and noisy.
    pub negatives: Vec<EvalStream>,
    /// How many conditions each recording was laid out in.
    pub n_conditions: usize,
}

/// What validation found.
pub(super) struct Validation {
    /// By word.
    pub(super) words: Vec<WordResult>,
}

/// One word's result.
pub(super) struct WordResult {
    pub(super) point: OperatingPoint,
    pub(super) outcome: Outcome,
}

impl Validation {
    /// What early stopping compares: the mean miss rate over the words, and a little of the thresholds, since a lower one at
    /// the same miss rate means clearer scores.
    pub(super) fn cost(&self) -> f64 {
        let n = self.words.len().max(1) as f64;
        let misses: f64 = self.words.iter().map(|word| word.outcome.miss_rate()).sum();
        let thresholds: f64 = self.words.iter().map(|word| f64::from(word.point.threshold)).sum();
        (misses + 0.01 * thresholds) / n
    }

    /// The mean miss rate over the words.
    pub(super) fn miss_rate(&self) -> f64 {
        self.words.iter().map(|word| word.outcome.miss_rate()).sum::<f64>() / self.words.len().max(1) as f64
    }
}

/// The validation set under one network.
pub(super) struct ValidationTraces {
    positives: TracedStreams,
    negatives: TracedStreams,
}

impl ValidationTraces {
    pub(super) fn new(config: &TrainConfig, network: &StreamingNetwork, set: &ValidationSet) -> Self {
        let timing = StepTiming::new(&config.features, &config.network);
        let run = |streams: &[EvalStream]| TracedStreams::new(network, timing, streams);
        Self { positives: run(&set.positives), negatives: run(&set.negatives) }
    }

    /// Chooses each word's threshold for `target_per_hour` and counts the misses there.
    pub(super) fn validate(&self, n_words: usize, trigger: TriggerConfig, target_per_hour: f64) -> Validation {
        let words = (0..n_words)
            .map(|word_idx| {
                let negatives = self.negatives.word(word_idx, trigger);
                let point = choose_threshold(&[&negatives], trigger, Target::point(target_per_hour));
                let positives = self.positives.word(word_idx, trigger);
                WordResult { outcome: positives.outcome(trigger.with_threshold(point.threshold)), point }
            })
            .collect();
        Validation { words }
    }
}
