//! How good the network is now, on recordings that were held out.

use std::path::{Path, PathBuf};

use crate::dataset::{Inventory, PositiveFile, SkippedFile};
use crate::detector::TriggerConfig;
use crate::eval::recordings::Role;
use crate::eval::{
    Condition, EvalStream, Material, OperatingPoint, Outcome, Room, StepTiming, StreamShape, Target, TracedStreams,
    choose_threshold,
};
use crate::model::StreamingNetwork;
use crate::units::SampleRate;

use super::TrainConfig;
use super::curve::Tally;

/// Signal-to-noise ratio of the noisy conditions, in decibels.
const SNR_DB: f32 = 10.0;

/// The held-out recordings, laid into streams once.
pub struct ValidationSet {
    /// Streams with words, in every condition.
    pub positives: Vec<EvalStream>,
    /// Streams without, in every condition, and noise alone.
    pub negatives: Vec<EvalStream>,
    /// The condition of each of `positives`.
    pub positive_conditions: Vec<Condition>,
    /// How many conditions the words were laid out in.
    pub n_conditions: usize,
    /// The noise of the noisy conditions lies so far below the words, in decibels; none: there is no noise.
    pub snr_db: Option<f32>,
    /// Length of what is in `negatives`, each recording counted once, in hours.
    pub different_hours: f64,
    /// The recordings of words, in the order that truths count them in.
    pub recordings: Vec<TestRecording>,
}

/// A held-out recording of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRecording {
    /// The file.
    pub path: PathBuf,
    /// Who speaks, if anything tells.
    pub speaker: Option<String>,
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
        let recording = |file: &PositiveFile| TestRecording { path: file.path.clone(), speaker: file.speaker.clone() };
        let mut set = Self {
            positives: Vec::new(),
            negatives: Vec::new(),
            positive_conditions: Vec::new(),
            n_conditions: conditions.len(),
            snr_db: conditions.iter().find_map(|condition| condition.snr_db),
            different_hours: 0.0,
            recordings: inventory.positives.iter().map(recording).collect(),
        };
        let mut streams = |role, condition| {
            let (streams, unusable) = material.streams(role, condition, shape, progress);
            skipped.extend(unusable);
            streams
        };
        for condition in conditions {
            set.positives.extend(streams(Role::Positive, condition));
            set.positive_conditions.resize(set.positives.len(), condition);
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
pub(super) struct ValidationTraces<'a> {
    set: &'a ValidationSet,
    positives: TracedStreams,
    negatives: TracedStreams,
}

impl<'a> ValidationTraces<'a> {
    pub(super) fn new(config: &TrainConfig, network: &StreamingNetwork, set: &'a ValidationSet) -> Self {
        let timing = StepTiming::new(&config.features, &config.network);
        let run = |streams: &[EvalStream]| TracedStreams::new(network, timing, streams);
        Self { set, positives: run(&set.positives), negatives: run(&set.negatives) }
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

    /// What is missed of the recordings that `is_tested` names, word by word, at thresholds chosen as by
    /// [`validate`](Self::validate).
    pub(super) fn tallies(
        &self,
        config: &TrainConfig,
        n_words: usize,
        is_tested: &dyn Fn(&Path) -> bool,
    ) -> Vec<Tally> {
        let target = Target::point(config.target_false_accepts_per_hour);
        let of_word = |word_idx: usize| {
            let negatives = self.negatives.word(word_idx, config.trigger);
            let threshold = choose_threshold(&[&negatives], config.trigger, target).threshold;
            let positives = self.positives.word(word_idx, config.trigger);
            let mut tally = Tally::default();
            let events = positives.events(config.trigger.with_threshold(threshold));
            for (stream_idx, (layout, _, matched)) in events.enumerate() {
                let is_tested =
                    |truth_idx: usize| is_tested(&self.set.recordings[layout.truths[truth_idx].recording_idx].path);
                let n_missed = matched.misses.iter().filter(|&&truth_idx| is_tested(truth_idx)).count();
                let n_hit = matched.hits.iter().filter(|(truth_idx, _)| is_tested(*truth_idx)).count();
                let condition = self.set.positive_conditions[stream_idx];
                let [missed, spoken] = match (condition.room, condition.snr_db) {
                    (Room::Dry, None) => &mut tally.clean,
                    (Room::Dry, Some(_)) => &mut tally.noisy,
                    // A paragraph for people tells of the plain conditions; the thresholds know of all.
                    (Room::Reverberant, _) => continue,
                };
                *missed += n_missed;
                *spoken += n_missed + n_hit;
            }
            tally
        };
        (0..n_words).map(of_word).collect()
    }
}
