//! How good the network is now, on speakers it has not been trained on.

use crate::detector::TriggerConfig;
use crate::eval::{EvalStream, OperatingPoint, Outcome, Trace, WordTraces, choose_threshold, run_streams};
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

/// The traces of the validation set under one network.
pub(super) struct ValidationTraces<'a> {
    set: &'a ValidationSet,
    positives: Vec<Trace>,
    negatives: Vec<Trace>,
    samples_per_step: u64,
    warm_up_samples: u64,
}

impl<'a> ValidationTraces<'a> {
    pub(super) fn new(config: &TrainConfig, network: &StreamingNetwork, set: &'a ValidationSet) -> Self {
        Self {
            positives: run_streams(network, &set.positives),
            negatives: run_streams(network, &set.negatives),
            samples_per_step: (config.network.frames_per_step() * config.features.hop_length_samples) as u64,
            warm_up_samples: config.network.warm_up_ms.samples(config.features.sample_rate()),
            set,
        }
    }

    fn word(&self, word_idx: usize, streams: &'a [EvalStream], traces: &'a [Trace]) -> WordTraces<'a> {
        WordTraces {
            word_idx,
            streams,
            traces,
            samples_per_step: self.samples_per_step,
            warm_up_samples: self.warm_up_samples,
        }
    }

    /// Chooses each word's threshold for `target_per_hour` and counts the misses there.
    pub(super) fn validate(&'a self, n_words: usize, trigger: TriggerConfig, target_per_hour: f64) -> Validation {
        let words = (0..n_words)
            .map(|word_idx| {
                let negatives = self.word(word_idx, &self.set.negatives, &self.negatives);
                let point = choose_threshold(&[negatives], trigger, target_per_hour);
                let positives = self.word(word_idx, &self.set.positives, &self.positives);
                WordResult { outcome: positives.outcome(trigger.with_threshold(point.threshold)), point }
            })
            .collect();
        Validation { words }
    }
}
