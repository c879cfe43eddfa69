//! One positive step a word: the one at which the network hears it best.

use std::ops::Range;

use crate::dataset::{Batch, WordWindow};

/// What counts in a batch whatever the network says: the steps outside of all windows are negative.
pub(super) struct MaxPooling {
    /// Weight of each step and word if it is negative, `(batch, steps, n_words)`: 0 within windows.
    negative: Vec<f32>,
    /// Weight of each word's step.
    positive: f32,
}

impl MaxPooling {
    /// The mean over the words plus `negative_weight` times the mean over the negative steps.
    pub(super) fn new(batch: &Batch, negative_weight: f64) -> Self {
        let mut negative = vec![1.0f32; batch.n_rows * batch.n_steps * batch.n_words];
        for (row, word) in batch.words.iter().enumerate().flat_map(|(row, words)| words.iter().map(move |w| (row, w))) {
            for step in word.steps.clone() {
                negative[(row * batch.n_steps + step) * batch.n_words + word.word_idx] = 0.0;
            }
        }
        let n_negative: f64 = negative.iter().map(|&is_negative| f64::from(is_negative)).sum();
        let n_words = batch.words.iter().flatten().filter(|word| word.end.is_some()).count();
        let weight = (negative_weight / n_negative.max(1.0)) as f32;
        negative.iter_mut().for_each(|is_negative| *is_negative *= weight);
        Self { negative, positive: (1.0 / n_words.max(1) as f64) as f32 }
    }

    /// Targets and weights of the rows `rows`, given their `logits`, all `(rows, steps, n_words)`.
    pub(super) fn labels(&self, batch: &Batch, rows: Range<usize>, logits: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let row_len = batch.n_steps * batch.n_words;
        let mut weights = self.negative[rows.start * row_len..rows.end * row_len].to_vec();
        let mut targets = vec![0.0; weights.len()];
        for (row, words) in batch.words[rows].iter().enumerate() {
            for word in words.iter().filter(|word| word.end.is_some()) {
                let place = |step: usize| row * row_len + step * batch.n_words + word.word_idx;
                let best = loudest(word, |step| logits[place(step)]);
                targets[place(best)] = 1.0;
                weights[place(best)] = self.positive;
            }
        }
        (targets, weights)
    }
}

/// The first of the window's steps with the highest logit.
fn loudest(word: &WordWindow, logit: impl Fn(usize) -> f32) -> usize {
    let first = word.steps.start;
    word.steps.clone().fold(first, |best, step| if logit(step) > logit(best) { step } else { best })
}
