//! Thresholds, and what they cost.

use super::matching::{Outcome, match_events};
use super::{EvalStream, Trace, Truth};
use crate::detector::{TriggerConfig, WordDetector, WordTiming};
use crate::units::SampleRate;

/// The traces of one set of streams, decided on for one word.
#[derive(Clone, Copy)]
pub struct WordTraces<'a> {
    /// Which word.
    pub word_idx: usize,
    /// The streams.
    pub streams: &'a [EvalStream],
    /// Their traces.
    pub traces: &'a [Trace],
    /// Length of a step, in samples.
    pub samples_per_step: u64,
    /// Steps at each stream's start that suppress events.
    pub warm_up_samples: u64,
}

impl WordTraces<'_> {
    /// The decisions of the word's trigger over all streams, matched with the truth.
    pub fn outcome(&self, trigger: TriggerConfig) -> Outcome {
        let mut total = Outcome::default();
        for (stream, trace) in self.streams.iter().zip(self.traces) {
            let mut detector =
                WordDetector::new(trigger, WordTiming::default(), SampleRate::MODEL, self.samples_per_step);
            let mut decisions = Vec::new();
            for (step, probability) in trace.word(self.word_idx).enumerate() {
                let step_end = (step as u64 + 1) * self.samples_per_step;
                let suppressed = step_end <= self.warm_up_samples;
                let (_, detection) = detector.push(self.word_idx, step_end, probability, suppressed);
                decisions.extend(detection.map(|detection| detection.decision_sample));
            }
            let truths: Vec<Truth> =
                stream.truths.iter().filter(|truth| truth.word_idx == self.word_idx).copied().collect();
            total.add(match_events(&decisions, &truths, SampleRate::MODEL));
        }
        total
    }

    fn hours(&self) -> f64 {
        self.streams.iter().map(|stream| SampleRate::MODEL.seconds(stream.n_samples)).sum::<f64>() / 3600.0
    }
}

/// What a threshold costs on a set of negatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The threshold.
    pub threshold: f32,
    /// False accepts on the negatives.
    pub n_false_accepts: usize,
    /// Length of the negatives.
    pub hours: f64,
}

impl OperatingPoint {
    /// False accepts per hour.
    pub fn false_accepts_per_hour(&self) -> f64 {
        self.n_false_accepts as f64 / self.hours.max(f64::MIN_POSITIVE)
    }
}

/// Thresholds worth telling apart: evenly spaced in the logit of the score, from 0.05 to 0.999.
fn candidates() -> impl Iterator<Item = f32> {
    let logit = |p: f32| (p / (1.0 - p)).ln();
    let (low, high) = (logit(0.05), logit(0.999));
    (0..=160).map(move |i| 1.0 / (1.0 + (-(low + (high - low) * i as f32 / 160.0)).exp()))
}

/// What `trigger` with another threshold costs on the negatives, all sets together.
pub fn evaluate_threshold(negatives: &[WordTraces], trigger: TriggerConfig, threshold: f32) -> OperatingPoint {
    let trigger = trigger.with_threshold(threshold);
    OperatingPoint {
        threshold,
        n_false_accepts: negatives.iter().map(|set| set.outcome(trigger).n_false).sum(),
        hours: negatives.iter().map(WordTraces::hours).sum(),
    }
}

/// The lowest candidate threshold with at most `target_per_hour` false accepts per hour on the negatives, all sets together;
/// the highest candidate if none is low enough.
pub fn choose_threshold(negatives: &[WordTraces], trigger: TriggerConfig, target_per_hour: f64) -> OperatingPoint {
    let candidates: Vec<f32> = candidates().collect();
    let hours: f64 = negatives.iter().map(WordTraces::hours).sum();
    let allowed = (target_per_hour * hours).floor() as usize;
    // False accepts fall with the threshold but for rare merges of neighbouring events, so bisection finds the place.
    let (mut low, mut high) = (0, candidates.len() - 1);
    while low < high {
        let middle = (low + high) / 2;
        if evaluate_threshold(negatives, trigger, candidates[middle]).n_false_accepts <= allowed {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    evaluate_threshold(negatives, trigger, candidates[high])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Milliseconds;

    #[test]
    fn the_threshold_lies_just_above_the_false_accepts_that_are_not_allowed() {
        // An hour of 80 ms steps with three peaks.
        let n_steps = 45_000;
        let mut probabilities = vec![0.0; n_steps];
        for (i, peak) in [0.3, 0.6, 0.9].into_iter().enumerate() {
            probabilities[10_000 * (i + 1)] = peak;
        }
        let streams = [EvalStream { frames: Vec::new(), truths: Vec::new(), n_samples: n_steps as u64 * 1280 }];
        let traces = [Trace { probabilities, n_words: 1 }];
        let negatives =
            WordTraces { word_idx: 0, streams: &streams, traces: &traces, samples_per_step: 1280, warm_up_samples: 0 };
        let trigger = TriggerConfig { smoothing_ms: Milliseconds(80), ..TriggerConfig::default() };
        let point = choose_threshold(&[negatives], trigger, 1.0);
        assert_eq!(point.n_false_accepts, 1);
        assert!((point.false_accepts_per_hour() - 1.0).abs() < 1e-6);
        assert!(point.threshold > 0.6 && point.threshold < 0.65, "{}", point.threshold);
        assert_eq!(choose_threshold(&[negatives], trigger, 0.0).n_false_accepts, 0);
    }
}
