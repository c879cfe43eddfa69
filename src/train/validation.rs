//! How good the network is now, on recordings that were held out.

use std::path::{Path, PathBuf};

use crate::detector::TriggerConfig;
use crate::eval::{EvalStream, OperatingPoint, Outcome, StepTiming, Target, TracedStreams, choose_threshold};
use crate::model::StreamingNetwork;

use super::TrainConfig;
use super::curve::Tally;

/// The held-out recordings, laid into streams once.
pub struct ValidationSet {
    /// Streams with words, clean and noisy.
    pub positives: Vec<EvalStream>,
    /// Streams without, clean and noisy.
    pub negatives: Vec<EvalStream>,
    /// How many of the streams with words, the first ones, are clean.
    pub n_clean_positives: usize,
    /// How many conditions each recording was laid out in.
    pub n_conditions: usize,
    /// The noise of the other condition lies so far below the words, in decibels; none: there is no other.
    pub snr_db: Option<f32>,
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
                let [missed, spoken] =
                    if stream_idx < self.set.n_clean_positives { &mut tally.clean } else { &mut tally.noisy };
                *missed += n_missed;
                *spoken += n_missed + n_hit;
            }
            tally
        };
        (0..n_words).map(of_word).collect()
    }
}
