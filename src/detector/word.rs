//! All words of a model side by side.

use super::smoothing::MovingAverage;
use super::trigger::Trigger;
use super::{TriggerConfig, WordTiming};
use crate::units::{Milliseconds, SampleRate};

/// One word heard. All positions are samples since the stream began, at the model's rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Which word of the model.
    pub word_idx: usize,
    /// Highest score from the crossing of the threshold to the decision, 0 to 1.
    pub score: f32,
    /// Estimated start of the word: its end less the word's typical duration.
    pub start_sample: u64,
    /// Estimated end of the word: the crossing of the threshold less the delay measured in training.
    pub end_sample: u64,
    /// End of the step at which the decision fell.
    pub decision_sample: u64,
}

impl Detection {
    /// From the estimated end of the word to the decision.
    pub fn latency(&self, rate: SampleRate) -> Milliseconds {
        Milliseconds::from_samples(self.decision_sample - self.end_sample, rate)
    }
}

/// Smoothing and trigger of one word.
#[derive(Debug, Clone)]
pub struct WordDetector {
    average: MovingAverage,
    trigger: Trigger,
    timing: WordTiming,
    rate: SampleRate,
}

impl WordDetector {
    /// A word's decision rule at the start of a stream whose steps last `step_samples` at `rate`.
    pub fn new(config: TriggerConfig, timing: WordTiming, rate: SampleRate, step_samples: u64) -> Self {
        Self {
            average: MovingAverage::new(config.smoothed_steps(rate, step_samples)),
            trigger: Trigger::new(config, rate, step_samples),
            timing,
            rate,
        }
    }

    /// Clears the smoothing window, the trigger state and the refractory period.
    pub fn reset(&mut self) {
        self.average.reset();
        self.trigger.reset();
    }

    /// Takes the probability of the step that ends at sample `step_end`; gives the score and, if the word is taken as said,
    /// the detection. While `suppressed` the score is smoothed but nothing triggers.
    pub fn push(
        &mut self,
        word_idx: usize,
        step_end: u64,
        probability: f32,
        suppressed: bool,
    ) -> (f32, Option<Detection>) {
        let score = self.average.push(if probability.is_nan() { 0.0 } else { probability });
        let detection = if suppressed { None } else { self.trigger.push(step_end, score) }.map(|firing| {
            let span = self.timing.span(firing.crossed, self.rate);
            Detection {
                word_idx,
                score: firing.peak,
                start_sample: span.start,
                end_sample: span.end,
                decision_sample: step_end,
            }
        });
        (score, detection)
    }
}

/// The detectors of all words, and the warm-up they share.
#[derive(Debug, Clone)]
pub struct Detector {
    words: Vec<WordDetector>,
    warm_up_samples: u64,
    n_suppressed_steps: u64,
}

impl Detector {
    /// Words in the model's order. Before sample `warm_up_samples` nothing triggers.
    pub fn new(words: Vec<WordDetector>, warm_up_samples: u64) -> Self {
        Self { words, warm_up_samples, n_suppressed_steps: 0 }
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.words.iter_mut().for_each(WordDetector::reset);
        self.n_suppressed_steps = 0;
    }

    /// From the next step on word `word_idx` is decided by `config`, but for its smoothing, whose window stays as it is.
    pub fn set_trigger(&mut self, word_idx: usize, config: TriggerConfig) {
        let word = &mut self.words[word_idx];
        word.trigger.set_config(config, word.rate);
    }

    /// Word `word_idx` goes on where `before_idx` of another detector of the same stream has come to: a word that is still held or within
    /// its refractory period stays so.
    pub fn go_on_from(&mut self, word_idx: usize, before: &Self, before_idx: usize) {
        self.words[word_idx].trigger.go_on_from(&before.words[before_idx].trigger);
    }

    /// Steps so far whose decisions the warm-up suppressed.
    pub fn n_suppressed_steps(&self) -> u64 {
        self.n_suppressed_steps
    }

    /// Takes the probabilities `(n_words)` of the step that ends at sample `step_end`; writes the scores `(n_words)` and
    /// hands every detection to `on_detection`, in the order of the words.
    pub fn push(
        &mut self,
        step_end: u64,
        probabilities: &[f32],
        scores: &mut [f32],
        mut on_detection: impl FnMut(Detection),
    ) {
        let suppressed = step_end <= self.warm_up_samples;
        self.n_suppressed_steps += u64::from(suppressed);
        for (word_idx, word) in self.words.iter_mut().enumerate() {
            let (score, detection) = word.push(word_idx, step_end, probabilities[word_idx], suppressed);
            scores[word_idx] = score;
            detection.into_iter().for_each(&mut on_detection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector(warm_up_samples: u64) -> Detector {
        let trigger = TriggerConfig { smoothing_ms: Milliseconds(80), ..TriggerConfig::default() };
        let timing = WordTiming { typical_duration_ms: Milliseconds(500), crossing_delay_ms: Milliseconds(100) };
        Detector::new(vec![WordDetector::new(trigger, timing, SampleRate::MODEL, 1280)], warm_up_samples)
    }

    fn run(detector: &mut Detector, probabilities: &[f32]) -> Vec<Detection> {
        let mut detections = Vec::new();
        for (i, &probability) in probabilities.iter().enumerate() {
            detector.push((i as u64 + 1) * 1280, &[probability], &mut [0.0], |detection| detections.push(detection));
        }
        detections
    }

    #[test]
    fn times_of_the_word_come_from_the_crossing() {
        let mut probabilities = [0.0; 20];
        probabilities[14] = 0.9;
        let detections = run(&mut detector(0), &probabilities);
        let crossed = 15 * 1280;
        assert_eq!(detections.len(), 1);
        assert_eq!(detections[0].decision_sample, crossed);
        assert_eq!(detections[0].end_sample, crossed - 1600);
        assert_eq!(detections[0].start_sample, crossed - 1600 - 8000);
        assert_eq!(detections[0].latency(SampleRate::MODEL), Milliseconds(100));
    }

    #[test]
    fn a_word_that_reaches_before_the_stream_starts_at_zero() {
        assert_eq!(run(&mut detector(0), &[0.9])[0].start_sample, 0);
    }

    #[test]
    fn warm_up_suppresses_and_counts() {
        let mut detector = detector(2 * 1280);
        let detections = run(&mut detector, &[0.9, 0.9, 0.0, 0.9]);
        assert_eq!(detector.n_suppressed_steps(), 2);
        assert_eq!(detections.iter().map(|d| d.decision_sample / 1280).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_score_still_high_after_the_warm_up_triggers_then() {
        assert_eq!(run(&mut detector(2 * 1280), &[0.9; 4])[0].decision_sample, 3 * 1280);
    }
}
