//! Thresholds, and what they cost.

use super::{WordScores, poisson_interval};
use crate::detector::TriggerConfig;

/// No threshold below this is tried.
pub const LOWEST_THRESHOLD: f32 = 0.05;
/// Thresholds that are tried are this far apart in the logit of the score...
const LOGIT_STEP: f32 = 0.0616;
/// ...and so many; the last is 0.9999.
const N_CANDIDATES: usize = 198;

/// What a threshold costs where events are false.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The threshold.
    pub threshold: f32,
    /// False accepts.
    pub n_false_accepts: usize,
    /// Length of what was heard.
    pub hours: f64,
}

impl OperatingPoint {
    /// False accepts per hour.
    pub fn false_accepts_per_hour(&self) -> f64 {
        self.n_false_accepts as f64 / self.hours.max(f64::MIN_POSITIVE)
    }
}

/// What has to be at most the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRule {
    /// The rate that was counted.
    Point,
    /// The upper end of its 95 % interval.
    Bound,
}

/// How many false accepts are allowed in how many hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// False accepts per hour.
    pub per_hour: f64,
    /// What that means.
    pub rule: TargetRule,
    /// In how many conditions each hour was heard, at least 1. Events in the same words under other noise are no independent
    /// evidence, so the interval counts each hour once.
    pub n_repetitions: f64,
}

impl Target {
    /// A counted rate.
    pub fn point(per_hour: f64) -> Self {
        Self { per_hour, rule: TargetRule::Point, n_repetitions: 1.0 }
    }

    fn allows(&self, n_false_accepts: usize, hours: f64) -> bool {
        match self.rule {
            TargetRule::Point => n_false_accepts as f64 <= self.per_hour * hours,
            TargetRule::Bound => rate_interval(n_false_accepts, hours, self.n_repetitions)[1] <= self.per_hour,
        }
    }
}

/// How many different hours without a false accept prove a rate, so many an hour, at the bound.
pub fn hours_for_bound(per_hour: f64) -> f64 {
    poisson_interval(0.0)[1] / per_hour
}

/// The 95 % interval of false accepts per hour, when `n` were counted in `hours`, each different hour heard `n_repetitions` times.
pub fn rate_interval(n: usize, hours: f64, n_repetitions: f64) -> [f64; 2] {
    let different_hours = (hours / n_repetitions).max(f64::MIN_POSITIVE);
    poisson_interval(n as f64 / n_repetitions).map(|mean| mean / different_hours)
}

/// Thresholds worth telling apart, rising: evenly spaced in the logit of the score, from [`LOWEST_THRESHOLD`] up.
pub fn candidates() -> impl DoubleEndedIterator<Item = f32> {
    let low = (LOWEST_THRESHOLD / (1.0 - LOWEST_THRESHOLD)).ln();
    (0..N_CANDIDATES).map(move |i| {
        let threshold = 1.0 / (1.0 + (-(low + LOGIT_STEP * i as f32)).exp());
        threshold.max(LOWEST_THRESHOLD)
    })
}

/// What `trigger` with another threshold costs in these streams, all sets together.
pub fn evaluate_threshold(sets: &[&WordScores], trigger: TriggerConfig, threshold: f32) -> OperatingPoint {
    let trigger = trigger.with_threshold(threshold);
    OperatingPoint {
        threshold,
        n_false_accepts: sets.iter().map(|set| set.outcome(trigger).n_false).sum(),
        hours: sets.iter().map(|set| set.negative_hours()).sum(),
    }
}

/// The lowest candidate threshold with no more false accepts than `target` allows, all sets together; the highest candidate if none
/// is high enough.
pub fn choose_threshold(sets: &[&WordScores], trigger: TriggerConfig, target: Target) -> OperatingPoint {
    let candidates: Vec<f32> = candidates().collect();
    // False accepts fall with the threshold but for rare merges of neighbouring events, so bisection finds the place.
    let (mut low, mut high) = (0, candidates.len() - 1);
    while low < high {
        let middle = (low + high) / 2;
        let point = evaluate_threshold(sets, trigger, candidates[middle]);
        if target.allows(point.n_false_accepts, point.hours) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    evaluate_threshold(sets, trigger, candidates[high])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{StepTiming, StreamLayout, Trace, TracedStreams};
    use crate::units::Milliseconds;

    /// `hours` of 80 ms steps with three peaks.
    fn traced(hours: usize) -> TracedStreams {
        let n_steps = 45_000 * hours;
        let mut probabilities = vec![0.0; n_steps];
        for (i, peak) in [0.3, 0.6, 0.9].into_iter().enumerate() {
            probabilities[10_000 * (i + 1)] = peak;
        }
        let n_samples = n_steps as u64 * 1280;
        let layout = StreamLayout { n_samples, n_negative_samples: n_samples, ..StreamLayout::default() };
        let timing = StepTiming { samples_per_step: 1280, warm_up_samples: 0 };
        TracedStreams { streams: vec![(layout, Trace { probabilities, n_words: 1 })], timing }
    }

    fn trigger() -> TriggerConfig {
        TriggerConfig { smoothing_ms: Milliseconds(80), ..TriggerConfig::default() }
    }

    #[test]
    fn the_threshold_lies_just_above_the_false_accepts_that_are_not_allowed() {
        let traced = traced(1);
        let choose = |per_hour| choose_threshold(&[&traced.word(0, trigger())], trigger(), Target::point(per_hour));
        let point = choose(1.0);
        assert_eq!(point.n_false_accepts, 1);
        assert!((point.false_accepts_per_hour() - 1.0).abs() < 1e-6);
        assert!(point.threshold > 0.6 && point.threshold < 0.65, "{}", point.threshold);
        assert_eq!(choose(0.0).n_false_accepts, 0);
    }

    #[test]
    fn the_bound_asks_for_more_than_the_point() {
        let traced = traced(8);
        let choose = |per_hour, rule, n_repetitions| {
            let target = Target { per_hour, rule, n_repetitions };
            choose_threshold(&[&traced.word(0, trigger())], trigger(), target).n_false_accepts
        };
        // 8 h: 0 events prove 0.46 an hour, 1 event 0.70.
        assert_eq!(choose(0.5, TargetRule::Point, 1.0), 3);
        assert_eq!(choose(0.5, TargetRule::Bound, 1.0), 0);
        assert_eq!(choose(0.7, TargetRule::Bound, 1.0), 1);
        // Four hours heard twice: 0 events prove 0.92, half an event 1.2.
        assert_eq!(choose(1.0, TargetRule::Bound, 2.0), 0);
        assert_eq!(choose(1.2, TargetRule::Bound, 2.0), 1);
    }

    #[test]
    fn candidates_rise_to_the_last() {
        let all: Vec<f32> = candidates().collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((all[0] - 0.05).abs() < 1e-6 && (all[all.len() - 1] - 0.9999).abs() < 1e-5);
    }
}
