//! How good the network is now, on speakers it has not been trained on.

use crate::dataset::{Inventory, SkippedFile};
use crate::detector::TriggerConfig;
use crate::eval::recordings::Role;
use crate::eval::{
    Condition, EvalStream, Material, OperatingPoint, Outcome, StepTiming, StreamShape, Target, TracedStreams,
    choose_threshold,
};
use crate::model::StreamingNetwork;
use crate::units::SampleRate;

use super::TrainConfig;

/// Signal-to-noise ratio of the noisy conditions, in decibels.
const SNR_DB: f32 = 10.0;

/// The held-out recordings, laid into streams once.
pub struct ValidationSet {
    /// Streams with words, in every condition.
    pub positives: Vec<EvalStream>,
    /// Streams without, in every condition, and noise alone.
    pub negatives: Vec<EvalStream>,
    /// How many conditions the words were laid out in.
    pub n_conditions: usize,
    /// Length of what is in `negatives`, each recording counted once, in hours.
    pub different_hours: f64,
}

impl ValidationSet {
    /// Lays `inventory` out as an evaluation does: clean, noisy, in rooms, in both, and noise alone. Recordings that cannot be used are
    /// named in `skipped`. `progress` is called with the streams done and all streams of the present condition.
    pub fn new(
        inventory: &Inventory,
        config: &TrainConfig,
        skipped: &mut Vec<SkippedFile>,
        progress: &dyn Fn(usize, usize),
    ) -> Self {
        let material = Material::new(inventory, Vec::new(), config.seed, skipped);
        let shape = StreamShape { features: &config.features, frames_per_step: config.network.frames_per_step() };
        let conditions = material.conditions(SNR_DB);
        let mut set =
            Self { positives: Vec::new(), negatives: Vec::new(), n_conditions: conditions.len(), different_hours: 0.0 };
        let mut streams = |role, condition| {
            let (streams, unusable) = material.streams(role, condition, shape, progress);
            skipped.extend(unusable);
            streams
        };
        for condition in conditions {
            set.positives.extend(streams(Role::Positive, condition));
            let mut negatives = streams(Role::Negative, condition);
            if condition == Condition::CLEAN {
                negatives.extend(streams(Role::Noise, condition));
                let n_samples: u64 = negatives.iter().map(|stream| stream.layout.n_negative_samples).sum();
                set.different_hours = SampleRate::MODEL.seconds(n_samples) / 3600.0;
            }
            set.negatives.extend(negatives);
        }
        set
    }
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
