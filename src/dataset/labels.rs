//! Which outputs are to hear a word, which do not matter, and where in the mixture each word is.

use std::ops::Range;

use super::LabelConfig;
use crate::units::{Milliseconds, SampleRate};

/// A word's place in a mixture, in frames; its end may lie beyond the mixture's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlacedWord {
    pub(super) word_idx: usize,
    pub(super) frames: Range<f32>,
}

/// A word's place among the outputs of a mixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordWindow {
    /// Which word.
    pub word_idx: usize,
    /// The outputs that may hear it: from the word's middle (or from where outputs before its end do not matter, if that is
    /// earlier) to the end of those that do not matter after it, and not beyond the next window of the same word. All others are
    /// to be 0. Never empty.
    pub steps: Range<usize>,
    /// The output at the word's end, the first that is to be 1; none: the mixture ends before the word does, and whether it can be
    /// known by then is not for us to say.
    pub end: Option<usize>,
}

/// Label lengths in outputs.
#[derive(Debug, Clone)]
pub(super) struct LabelWriter {
    frames_per_step: usize,
    n_words: usize,
    n_positive: usize,
    n_before: usize,
    n_after: usize,
}

impl LabelWriter {
    /// `hop_samples` from frame to frame, one output every `frames_per_step` frames.
    pub(super) fn new(config: &LabelConfig, hop_samples: usize, frames_per_step: usize, n_words: usize) -> Self {
        let step_samples = (hop_samples * frames_per_step) as u64;
        let n_steps =
            |time: Milliseconds| ((time.samples(SampleRate::MODEL) + step_samples / 2) / step_samples) as usize;
        Self {
            frames_per_step,
            n_words,
            n_positive: n_steps(config.positive_ms).max(1),
            n_before: n_steps(config.ignore_before_ms),
            n_after: n_steps(config.ignore_after_ms),
        }
    }

    /// Frames after a word's end whose outputs are not simply 0.
    pub(super) fn n_frames_after_word(&self) -> usize {
        // One more, since the end is rounded to whole outputs.
        (self.n_positive + self.n_after + 1) * self.frames_per_step
    }

    /// Fills `targets` and `weights`, both `(n_steps, n_words)`, for a mixture of `n_steps` outputs.
    pub(super) fn write(&self, words: &[PlacedWord], n_steps: usize, targets: &mut Vec<f32>, weights: &mut Vec<f32>) {
        targets.clear();
        targets.resize(n_steps * self.n_words, 0.0);
        weights.clear();
        weights.resize(n_steps * self.n_words, 1.0);
        for word in words {
            let mut ignore = |steps: Range<usize>| {
                for step in steps.start.min(n_steps)..steps.end.min(n_steps) {
                    weights[step * self.n_words + word.word_idx] = 0.0;
                }
            };
            let end = self.step(word.frames.end);
            if self.is_cut(word, n_steps) {
                // Whether a word can be known before its end is not for us to say.
                ignore(self.middle(word)..n_steps);
            } else {
                ignore(end.saturating_sub(self.n_before)..end + self.n_positive + self.n_after);
            }
        }
        // One word's ignored time may hold the next one's end: that one counts.
        for word in words.iter().filter(|word| !self.is_cut(word, n_steps)) {
            let end = self.step(word.frames.end);
            for step in end.min(n_steps)..(end + self.n_positive).min(n_steps) {
                targets[step * self.n_words + word.word_idx] = 1.0;
                weights[step * self.n_words + word.word_idx] = 1.0;
            }
        }
    }

    /// Fills `windows` for the same mixture, in the order of `words`, which is that of their ends. A word with less than its first
    /// half inside has none.
    pub(super) fn write_windows(&self, words: &[PlacedWord], n_steps: usize, windows: &mut Vec<WordWindow>) {
        windows.clear();
        for word in words {
            let (middle, end) = (self.middle(word), self.step(word.frames.end));
            let is_cut = self.is_cut(word, n_steps);
            let mut steps = if is_cut {
                middle..n_steps
            } else {
                middle.min(end.saturating_sub(self.n_before))..(end + self.n_positive + self.n_after).min(n_steps)
            };
            if let Some(earlier) = windows.iter_mut().rev().find(|earlier| earlier.word_idx == word.word_idx) {
                steps.start = steps.start.max(earlier.end.map_or(0, |end| end + 1));
                earlier.steps.end = earlier.steps.end.min(steps.start);
            }
            if !steps.is_empty() {
                windows.push(WordWindow { word_idx: word.word_idx, steps, end: (!is_cut).then_some(end) });
            }
        }
    }

    fn step(&self, frame: f32) -> usize {
        (frame / self.frames_per_step as f32).round().max(0.0) as usize
    }

    fn middle(&self, word: &PlacedWord) -> usize {
        self.step((word.frames.start + word.frames.end) / 2.0)
    }

    fn is_cut(&self, word: &PlacedWord, n_steps: usize) -> bool {
        word.frames.end > (n_steps * self.frames_per_step) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outputs of 80 ms: positive for 4, ignored for 2 before and 5 after.
    fn labels(words: &[PlacedWord], word_idx: usize) -> String {
        let labeller = LabelWriter::new(&LabelConfig::default(), 160, 8, 2);
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        labeller.write(words, 20, &mut targets, &mut weights);
        (0..20)
            .map(|step| match (targets[step * 2 + word_idx], weights[step * 2 + word_idx]) {
                (1.0, 1.0) => '1',
                (0.0, 1.0) => '.',
                (0.0, 0.0) => '-',
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn word(word_idx: usize, start: f32, end: f32) -> PlacedWord {
        PlacedWord { word_idx, frames: start..end }
    }

    #[test]
    fn the_outputs_from_the_word_end_on_are_positive() {
        // Frame 43 is 5.4 outputs in.
        let words = [word(1, 10.0, 43.0)];
        assert_eq!(labels(&words, 1), "...--1111-----......");
        assert_eq!(labels(&words, 0), "....................");
    }

    #[test]
    fn a_word_in_the_ignored_time_of_another_counts() {
        assert_eq!(labels(&[word(0, 0.0, 24.0), word(0, 24.0, 80.0)], 0), ".--1111---1111-----.");
    }

    #[test]
    fn a_word_cut_by_the_end_has_no_weight_from_its_middle_on() {
        assert_eq!(labels(&[word(0, 120.0, 170.0)], 0), "..................--");
        assert_eq!(labels(&[word(0, 100.0, 160.0)], 0), "..................--");
        assert_eq!(labels(&[word(0, 100.0, 150.0)], 0), ".................--1");
    }

    fn windows(words: &[PlacedWord]) -> Vec<(usize, Range<usize>, Option<usize>)> {
        let labeller = LabelWriter::new(&LabelConfig::default(), 160, 8, 2);
        let mut windows = Vec::new();
        labeller.write_windows(words, 20, &mut windows);
        windows.into_iter().map(|window| (window.word_idx, window.steps, window.end)).collect()
    }

    #[test]
    fn a_window_reaches_from_the_middle_to_the_end_of_the_ignored_time() {
        assert_eq!(windows(&[word(1, 0.0, 64.0)]), [(1, 4..17, Some(8))]);
        // Of a short word the ignored time begins before its middle.
        assert_eq!(windows(&[word(1, 56.0, 64.0)]), [(1, 6..17, Some(8))]);
        assert_eq!(windows(&[word(0, 0.0, 32.0), word(1, 40.0, 88.0)]), [(0, 2..13, Some(4)), (1, 8..20, Some(11))]);
    }

    #[test]
    fn windows_of_one_word_do_not_overlap() {
        assert_eq!(windows(&[word(0, 0.0, 24.0), word(0, 24.0, 80.0)]), [(0, 1..7, Some(3)), (0, 7..19, Some(10))]);
        // The second word's ignored time would begin at the first one's end.
        assert_eq!(windows(&[word(0, 0.0, 24.0), word(0, 26.0, 40.0)]), [(0, 1..4, Some(3)), (0, 4..14, Some(5))]);
    }

    #[test]
    fn a_word_cut_by_the_end_has_a_window_from_its_middle_on_if_that_is_inside() {
        assert_eq!(windows(&[word(0, 120.0, 170.0)]), [(0, 18..20, None)]);
        assert_eq!(windows(&[word(0, 150.0, 190.0)]), []);
    }
}
