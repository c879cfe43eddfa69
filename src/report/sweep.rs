//! What would be found at other thresholds: a trigger of each word at each of about a hundred, over the scores as they come.

use crate::bundle::Manifest;
use crate::detector::{Trigger, TriggerConfig, WordTiming};
use crate::pipeline::{StepScores, samples_per_step};
use crate::units::SampleRate;

/// More findings than this are not kept: thresholds at which too much is found are given up, the lowest first.
const MAX_FOUND: usize = 60_000;

/// The same for a span of thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// End of the step of the decision, in samples.
    pub decision_sample: u64,
    /// End of the step at which the score reached the threshold.
    pub crossed_sample: u64,
    /// Highest score from there to the decision.
    pub score: f32,
    /// The first of the thresholds at which this is found, by its place among all.
    pub low_idx: u16,
    /// The last of them.
    pub high_idx: u16,
}

struct SweptWord {
    timing: WordTiming,
    own_idx: usize,
    /// One for each threshold.
    triggers: Vec<Trigger>,
    /// Below this score no trigger is left or becomes anything but idle.
    quiet_below: f32,
    is_quiet: bool,
    found: Vec<Found>,
}

/// Follows the scores of a track.
pub struct Sweep {
    rate: SampleRate,
    step_samples: u64,
    warm_up_samples: u64,
    thresholds: Vec<f32>,
    /// The lowest threshold that was not given up.
    lowest_idx: usize,
    words: Vec<SweptWord>,
    n_found: usize,
    n_max: usize,
}

impl Sweep {
    /// At hundredths from 0.05 on, thousandths from 0.99 on, and at each word's own threshold.
    pub fn new(manifest: &Manifest) -> Self {
        Self::bounded(manifest, MAX_FOUND)
    }

    fn bounded(manifest: &Manifest, n_max: usize) -> Self {
        let (rate, step_samples) = (manifest.features.sample_rate(), samples_per_step(manifest));
        // The numbers that people type: 0.67 is 670/1000 to the bit.
        let thousandths = (50..980).step_by(10).chain([980, 985]).chain(990..1000);
        let mut thresholds: Vec<f32> = thousandths.map(|n: u32| (f64::from(n) / 1000.0) as f32).collect();
        thresholds.extend(manifest.words.iter().map(|word| word.trigger.threshold));
        thresholds.sort_by(f32::total_cmp);
        thresholds.dedup();
        let words = manifest
            .words
            .iter()
            .map(|word| {
                let own_idx = thresholds.partition_point(|threshold| *threshold < word.trigger.threshold);
                let rule = |threshold: f32| {
                    let own = word.trigger;
                    if threshold == own.threshold { own } else { own.with_threshold(threshold) }
                };
                let rules: Vec<TriggerConfig> = thresholds.iter().map(|threshold| rule(*threshold)).collect();
                let quiet_below = rules.iter().map(|rule| rule.release_threshold.min(rule.threshold));
                SweptWord {
                    timing: word.timing,
                    own_idx,
                    quiet_below: quiet_below.fold(f32::INFINITY, f32::min),
                    triggers: rules.into_iter().map(|rule| Trigger::new(rule, rate, step_samples)).collect(),
                    is_quiet: true,
                    found: Vec::new(),
                }
            })
            .collect();
        Self {
            rate,
            step_samples,
            warm_up_samples: manifest.model.warm_up_ms.samples(rate),
            thresholds,
            lowest_idx: 0,
            words,
            n_found: 0,
            n_max,
        }
    }

    /// Takes the next step; hands over which word each finding is of.
    pub fn push(&mut self, step: &StepScores, mut on_found: impl FnMut(usize, &Found)) {
        if step.end_sample <= self.warm_up_samples {
            return;
        }
        for (word_idx, (word, score)) in self.words.iter_mut().zip(step.scores).enumerate() {
            let is_quiet = *score < word.quiet_below;
            if is_quiet && word.is_quiet {
                continue;
            }
            word.is_quiet = is_quiet;
            let n_before = word.found.len();
            for (idx, trigger) in word.triggers.iter_mut().enumerate().skip(self.lowest_idx) {
                let Some(firing) = trigger.push(step.end_sample, *score) else { continue };
                let idx = idx as u16;
                match word.found[n_before..].last_mut() {
                    Some(last)
                        if last.high_idx + 1 == idx
                            && last.crossed_sample == firing.crossed
                            && last.score == firing.peak =>
                    {
                        last.high_idx = idx;
                    }
                    _ => word.found.push(Found {
                        decision_sample: step.end_sample,
                        crossed_sample: firing.crossed,
                        score: firing.peak,
                        low_idx: idx,
                        high_idx: idx,
                    }),
                }
            }
            word.found[n_before..].iter().for_each(|found| on_found(word_idx, found));
            self.n_found += word.found.len() - n_before;
        }
        let lowest_own_idx = self.words.iter().map(|word| word.own_idx).min().unwrap_or(0);
        while self.n_found > self.n_max && self.lowest_idx < lowest_own_idx {
            self.lowest_idx += 1;
            for word in &mut self.words {
                word.found.retain(|found| usize::from(found.high_idx) >= self.lowest_idx);
            }
            self.n_found = self.words.iter().map(|word| word.found.len()).sum();
        }
    }

    /// All thresholds, from the lowest to the highest.
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// The place of the lowest threshold of which everything is known.
    pub fn lowest_idx(&self) -> usize {
        self.lowest_idx
    }

    /// The place of a word's own threshold.
    pub fn own_idx(&self, word_idx: usize) -> usize {
        self.words[word_idx].own_idx
    }

    /// All that was found of a word at any threshold, in the order of decisions.
    pub fn found(&self, word_idx: usize) -> &[Found] {
        &self.words[word_idx].found
    }

    /// What was found of a word at a threshold.
    pub fn at(&self, word_idx: usize, threshold_idx: usize) -> impl Iterator<Item = &Found> {
        let holds = move |found: &&Found| (found.low_idx..=found.high_idx).contains(&(threshold_idx as u16));
        self.words[word_idx].found.iter().filter(holds)
    }

    /// Where the word lies that was found, in samples.
    pub(super) fn span(&self, word_idx: usize, found: &Found) -> std::ops::Range<u64> {
        self.words[word_idx].timing.span(found.crossed_sample, self.rate)
    }

    pub(super) fn timing(&self, word_idx: usize) -> WordTiming {
        self.words[word_idx].timing
    }

    pub(super) fn step_samples(&self) -> u64 {
        self.step_samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Location};
    use crate::detector::{Detection, Detector, WordDetector};
    use crate::units::Milliseconds;
    use proptest::prelude::*;

    fn manifest(min_duration_ms: u32) -> Manifest {
        let mut manifest = Bundle::load(&Location::Builtin(0)).unwrap().manifest;
        for word in &mut manifest.words {
            // The scores of the test are taken as they are.
            word.trigger.smoothing_ms = Milliseconds(0);
            word.trigger.min_duration_ms = Milliseconds(min_duration_ms);
        }
        manifest.words.truncate(2);
        manifest
    }

    fn swept(manifest: &Manifest, scores: &[[f32; 2]], n_max: usize) -> Sweep {
        let mut sweep = Sweep::bounded(manifest, n_max);
        for (step, scores) in (1..).zip(scores) {
            let step = StepScores { end_sample: step * 1280, probabilities: scores, scores };
            sweep.push(&step, |_, _| {});
        }
        sweep
    }

    /// What the model's own decision rule finds with every threshold at `threshold`, or as it is.
    fn detected(manifest: &Manifest, scores: &[[f32; 2]], threshold: Option<f32>) -> Vec<Detection> {
        let rate = manifest.features.sample_rate();
        let word = |word: &crate::bundle::WordEntry| {
            let rule = threshold.map_or(word.trigger, |threshold| word.trigger.with_threshold(threshold));
            WordDetector::new(rule, word.timing, rate, 1280)
        };
        let words = manifest.words.iter().map(word).collect();
        let mut detector = Detector::new(words, manifest.model.warm_up_ms.samples(rate));
        let mut detections = Vec::new();
        for (step, scores) in (1..).zip(scores) {
            detector.push(step * 1280, scores, &mut [0.0; 2], |detection| detections.push(detection));
        }
        detections
    }

    fn of_word(sweep: &Sweep, word_idx: usize, threshold_idx: usize) -> Vec<Detection> {
        let detection = |found: &Found| {
            let span = sweep.span(word_idx, found);
            Detection {
                word_idx,
                score: found.score,
                start_sample: span.start,
                end_sample: span.end,
                decision_sample: found.decision_sample,
            }
        };
        sweep.at(word_idx, threshold_idx).map(detection).collect()
    }

    proptest! {
        #[test]
        fn at_each_threshold_exactly_the_detectors_events_are_found(
            scores in prop::collection::vec(prop::array::uniform2(prop_oneof![0.0f32..0.04, 0.0f32..1.0, 0.9f32..1.0]), 0..200),
            min_duration_ms in prop_oneof![Just(0u32), 0u32..300],
        ) {
            let manifest = manifest(min_duration_ms);
            let sweep = swept(&manifest, &scores, usize::MAX);
            for (word_idx, word) in manifest.words.iter().enumerate() {
                let own: Vec<Detection> = detected(&manifest, &scores, None);
                let own: Vec<Detection> = own.into_iter().filter(|event| event.word_idx == word_idx).collect();
                prop_assert_eq!(of_word(&sweep, word_idx, sweep.own_idx(word_idx)), own);
                for (idx, threshold) in sweep.thresholds().iter().enumerate() {
                    if *threshold == word.trigger.threshold {
                        continue;
                    }
                    let expected = detected(&manifest, &scores, Some(*threshold));
                    let expected: Vec<Detection> =
                        expected.into_iter().filter(|event| event.word_idx == word_idx).collect();
                    prop_assert_eq!(of_word(&sweep, word_idx, idx), expected, "at {}", threshold);
                }
            }
        }
    }

    #[test]
    fn thresholds_that_find_too_much_are_given_up_but_never_a_words_own() {
        let manifest = manifest(0);
        // Every 14 steps a word, half of them quiet ones.
        let scores: Vec<[f32; 2]> = (0..2000)
            .map(|i| match i % 28 {
                0 => [0.3, 0.0],
                14 => [0.999, 0.0],
                _ => [0.0; 2],
            })
            .collect();
        let sweep = swept(&manifest, &scores, 100);
        assert!(sweep.thresholds()[sweep.lowest_idx()] > 0.3);
        assert_eq!(sweep.at(0, sweep.lowest_idx()).count(), 71);
        let sweep = swept(&manifest, &scores, 10);
        assert_eq!(sweep.lowest_idx(), sweep.own_idx(1), "the lower one of the two");
        assert_eq!(sweep.at(0, sweep.own_idx(0)).count(), 71);
    }
}
