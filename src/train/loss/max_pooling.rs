//! One positive step a word: the one at which the network hears it best.

use std::ops::Range;

use super::Part;
use crate::dataset::{Batch, WordWindow};

/// What counts in a batch whatever the network says: the steps outside of all windows are negative.
pub(super) struct MaxPooling {
    /// Weight of each step and word if it is negative, `(batch, steps, n_words)`: 0 within windows.
    negative: Vec<f32>,
    /// Weight of each word's step.
    positive: f32,
    /// The windows of each row whose words are to be heard, as far as they count, and their ends.
    windows: Vec<Vec<(usize, Range<usize>, usize)>>,
}

impl MaxPooling {
    /// The mean over the words plus `negative_weight` times the mean over the negative steps. Only steps where `counted` is 1 and not 0
    /// count, the first ones of each row being `first_steps`, and only words that end there.
    pub(super) fn new(batch: &Batch, counted: &[f32], first_steps: &[usize], negative_weight: f64) -> Self {
        let mut negative = counted.to_vec();
        for (row, words) in batch.words.iter().enumerate() {
            for word in words {
                for step in word.steps.clone() {
                    negative[(row * batch.n_steps + step) * batch.n_words + word.word_idx] = 0.0;
                }
            }
        }
        let n_negative: f64 = negative.iter().map(|&is_negative| f64::from(is_negative)).sum();
        let weight = (negative_weight / n_negative.max(1.0)) as f32;
        negative.iter_mut().for_each(|is_negative| *is_negative *= weight);
        let window = |word: &WordWindow, first: usize| {
            let end = word.end?.min(batch.n_steps - 1);
            (end >= first).then(|| (word.word_idx, word.steps.start.max(first)..word.steps.end, end))
        };
        let windows: Vec<Vec<_>> = (batch.words.iter().zip(first_steps))
            .map(|(words, &first)| words.iter().filter_map(|word| window(word, first)).collect())
            .collect();
        let n_words = windows.iter().flatten().count();
        Self { negative, positive: (1.0 / n_words.max(1) as f64) as f32, windows }
    }

    /// Targets and weights of `part`, given its `logits`, all `(rows, steps, n_words)`. Where a part of the steps cuts a window, the word
    /// belongs to the part that holds its end, and is to be heard there.
    pub(super) fn labels(&self, part: &Part, logits: &[f32], batch: &Batch) -> (Vec<f32>, Vec<f32>) {
        let mut weights = part.of(&self.negative, batch.n_words, batch);
        let mut targets = vec![0.0; weights.len()];
        for (row, windows) in self.windows[part.rows.clone()].iter().enumerate() {
            for (word_idx, steps, _) in windows.iter().filter(|(.., end)| part.steps.contains(end)) {
                let place = |step: usize| (row * part.steps.len() + step - part.steps.start) * batch.n_words + word_idx;
                let mut inside = steps.start.max(part.steps.start)..steps.end.min(part.steps.end);
                let Some(first) = inside.next() else { continue };
                // The first of the most probable ones.
                let best = inside.fold(
                    first,
                    |best, step| {
                        if logits[place(step)] > logits[place(best)] { step } else { best }
                    },
                );
                targets[place(best)] = 1.0;
                weights[place(best)] = self.positive;
            }
        }
        (targets, weights)
    }
}
