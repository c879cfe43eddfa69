//! The loss of a batch: what its labels, and teachers if there are any, ask of the logits.
//!
//! Every loss is normalised by what counts in the whole batch, never by that of a shard: the shards' losses and gradients are summed.
//!
//! - [`LossKind::CrossEntropy`]: the mean over positive steps plus `negative_weight` times that over negative ones.
//! - [`LossKind::MaxPooling`]: the mean over words plus `negative_weight` times the mean over the steps outside of all words' windows.
//! - [`LossKind::Ctc`]: the mean over rows of −ln p(words). With about one word a row, a word pulls about as hard as in the others.
//!   `negative_weight` has no place here: the paths weigh steps with and without words themselves.

mod config;
mod cross_entropy;
mod ctc;
mod max_pooling;
mod step_weights;
mod taught;

use std::ops::Range;

use candle_core::{Device, Result, Tensor};

pub use config::{LossConfig, LossKind};
use cross_entropy::{smoothed, weighted_loss};
use ctc::{SaidWords, ctc_loss};
use max_pooling::MaxPooling;
use step_weights::{step_weights, taught_step_weights};
use taught::taught_loss;

use super::TrainConfig;
use crate::dataset::{Batch, WordWindow};

/// Some rows of a batch, and some of their steps.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    pub(super) steps: Range<usize>,
}

impl Part {
    /// What of `values` `(batch, steps, width)` belongs to it, `(rows, steps, width)`.
    pub(super) fn of(&self, values: &[f32], width: usize, batch: &Batch) -> Vec<f32> {
        let row_len = batch.n_steps * width;
        let rows = values[self.rows.start * row_len..self.rows.end * row_len].chunks_exact(row_len);
        rows.flat_map(|row| &row[self.steps.start * width..self.steps.end * width]).copied().collect()
    }
}

/// The loss of one batch, before anything is known of the logits.
pub(super) struct BatchLoss<'a> {
    config: &'a TrainConfig,
    batch: &'a Batch,
    labels: Labels,
    /// Weight of each step and word in what teachers say, `(batch, steps, n_words)`.
    taught_weights: Option<Vec<f32>>,
}

/// What the labels ask.
enum Labels {
    /// Targets and weights `(batch, steps, n_words)`.
    CrossEntropy {
        targets: Vec<f32>,
        weights: Vec<f32>,
    },
    MaxPooling(MaxPooling),
    /// Row by row.
    Ctc(Vec<SaidWords>),
}

impl<'a> BatchLoss<'a> {
    /// Of `batch`, with teachers if `is_taught`. What is before the `first_steps` of the rows does not count, nor do words that end
    /// there.
    pub(super) fn new(config: &'a TrainConfig, batch: &'a Batch, is_taught: bool, first_steps: &[usize]) -> Self {
        let negative_weight = config.negative_weight;
        let Batch { targets, weights, n_steps, n_words, .. } = batch;
        let counted: Vec<f32> = (first_steps.iter())
            .flat_map(|&first| (0..n_steps * n_words).map(move |i| if i < first * n_words { 0.0 } else { 1.0 }))
            .collect();
        let labels = match config.loss.kind {
            LossKind::CrossEntropy => {
                let weights: Vec<f32> =
                    weights.iter().zip(&counted).map(|(weight, counted)| weight * counted).collect();
                Labels::CrossEntropy {
                    targets: smoothed(targets, config.loss.label_smoothing),
                    weights: step_weights(targets, &weights, negative_weight),
                }
            }
            LossKind::MaxPooling => Labels::MaxPooling(MaxPooling::new(batch, &counted, first_steps, negative_weight)),
            LossKind::Ctc => {
                let rows = batch.words.iter().zip(first_steps);
                Labels::Ctc(rows.map(|(words, &first)| said_words(words, first..*n_steps)).collect())
            }
        };
        let taught_weights = is_taught.then(|| taught_step_weights(targets, weights, &counted, negative_weight));
        Self { config, batch, labels, taught_weights }
    }

    /// Of a part of the batch whose logits `(rows, steps, n_words)` are the learner's and, if there are any, `taught` its teachers'; a
    /// scalar. The parts of a batch add up; [`LossKind::Ctc`] takes whole rows only.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub(super) fn of(&self, part: &Part, logits: &Tensor, taught: Option<&Tensor>) -> Result<Tensor> {
        let labelled = self.labelled(part, logits)?;
        let (Some(taught), Some(weights)) = (taught, &self.taught_weights) else { return Ok(labelled) };
        let TrainConfig { teacher_weight, teacher_temperature, .. } = *self.config;
        let taught = taught_loss(logits, taught, &self.tensor(part, weights)?, teacher_temperature)?;
        (labelled * (1.0 - teacher_weight))? + (taught * teacher_weight)?
    }

    fn labelled(&self, part: &Part, logits: &Tensor) -> Result<Tensor> {
        match &self.labels {
            Labels::CrossEntropy { targets, weights } => {
                weighted_loss(logits, &self.tensor(part, targets)?, &self.tensor(part, weights)?)
            }
            Labels::MaxPooling(pooling) => {
                let values = logits.flatten_all()?.to_vec1()?;
                let (targets, weights) = pooling.labels(part, &values, self.batch);
                let targets = smoothed(&targets, self.config.loss.label_smoothing);
                let tensor = |values: Vec<f32>| Tensor::from_vec(values, logits.shape(), &Device::Cpu);
                weighted_loss(logits, &tensor(targets)?, &tensor(weights)?)
            }
            Labels::Ctc(said) => ctc_loss(logits, &said[part.rows.clone()], 1.0 / self.batch.n_rows as f64),
        }
    }

    /// What of `values` `(batch, steps, n_words)` belongs to `part`.
    fn tensor(&self, part: &Part, values: &[f32]) -> Result<Tensor> {
        let n_words = self.batch.n_words;
        let shape = (part.rows.len(), part.steps.len(), n_words);
        Tensor::from_vec(part.of(values, n_words, self.batch), shape, &Device::Cpu)
    }
}

/// The words of a row that are said to their end within `steps`. Steps from the middle on of a word that the mixture cuts do not count:
/// whether it can be known by then is not for us to say.
fn said_words(words: &[WordWindow], steps: Range<usize>) -> SaidWords {
    let cut = words.iter().filter(|word| word.end.is_none()).map(|word| word.steps.start).min();
    let is_said = |word: &&WordWindow| word.end.is_some_and(|end| end >= steps.start);
    SaidWords {
        words: words.iter().filter(is_said).map(|word| word.word_idx).collect(),
        steps: steps.start..cut.unwrap_or(steps.end).max(steps.start),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    const N_STEPS: usize = 8;

    /// Two rows of one word: in the first it is at 2..7 and ends at 4; the second one's is cut from 6 on.
    fn batch() -> Batch {
        let window = |steps, end| WordWindow { word_idx: 0, steps, end };
        let mut targets = vec![0.0; 2 * N_STEPS];
        let mut weights = vec![1.0; 2 * N_STEPS];
        targets[4..6].fill(1.0);
        for ignored in [3, 6, 14, 15] {
            weights[ignored] = 0.0;
        }
        Batch {
            step: 0,
            n_rows: 2,
            n_frames: N_STEPS * 8,
            n_steps: N_STEPS,
            n_words: 1,
            features: Vec::new(),
            targets,
            weights,
            words: vec![vec![window(2..7, Some(4))], vec![window(6..8, None)]],
        }
    }

    fn config(kind: LossKind, label_smoothing: f64) -> TrainConfig {
        let loss = LossConfig { kind, label_smoothing };
        TrainConfig { loss, negative_weight: 10.0, ..TrainConfig::default() }
    }

    /// The loss of all rows and its gradient by the logits.
    fn loss(config: &TrainConfig, logits: [f32; 2 * N_STEPS]) -> (f32, Vec<f32>) {
        let batch = batch();
        let logits = Var::from_slice(&logits, (2, N_STEPS, 1), &Device::Cpu).unwrap();
        let loss = BatchLoss::new(config, &batch, false, &[0, 0]).of(&part(0..2, 0..N_STEPS), &logits, None).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&logits).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        (loss.to_scalar().unwrap(), gradient)
    }

    fn part(rows: Range<usize>, steps: Range<usize>) -> Part {
        Part { rows, steps }
    }

    const KINDS: [LossKind; 3] = [LossKind::CrossEntropy, LossKind::MaxPooling, LossKind::Ctc];

    #[test]
    fn the_losses_of_the_parts_of_a_batch_add_up() {
        let logits: Vec<f32> = (0..2 * N_STEPS).map(|i| (i * 7 % 5) as f32 - 3.0).collect();
        let batch = batch();
        let tensor = Tensor::from_slice(&logits, (2, N_STEPS, 1), &Device::Cpu).unwrap();
        let taught = (&tensor * 0.5).unwrap();
        for kind in KINDS {
            let config = config(kind, 0.1);
            let loss = BatchLoss::new(&config, &batch, true, &[0, 0]);
            let of = |rows: Range<usize>, steps: Range<usize>| {
                let cut = |all: &Tensor| all.narrow(0, rows.start, rows.len())?.narrow(1, steps.start, steps.len());
                let [logits, taught] = [&tensor, &taught].map(|all| cut(all).unwrap());
                loss.of(&part(rows, steps), &logits, Some(&taught)).unwrap().to_scalar::<f32>().unwrap()
            };
            let whole = of(0..2, 0..N_STEPS);
            assert!((whole - of(0..1, 0..N_STEPS) - of(1..2, 0..N_STEPS)).abs() < 1e-5, "{kind:?}");
            if kind != LossKind::Ctc {
                assert!((whole - of(0..2, 0..2) - of(0..2, 2..N_STEPS)).abs() < 1e-5, "{kind:?}");
            }
        }
    }

    #[test]
    fn max_pooling_pulls_at_the_best_step_of_a_window_and_pushes_outside_of_it() {
        let mut logits = [-1.0; 2 * N_STEPS];
        logits[3] = 0.5;
        let (_, gradient) = loss(&config(LossKind::MaxPooling, 0.0), logits);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        // One word; 3 + 6 negative steps, weight 10.
        let negative = sigmoid(-1.0) * 10.0 / 9.0;
        for (i, gradient) in gradient.into_iter().enumerate() {
            let expected = match i {
                3 => sigmoid(0.5) - 1.0,
                2..7 | 14.. => 0.0,
                _ => negative,
            };
            assert!((gradient - expected).abs() < 1e-6, "{i}: {gradient} {expected}");
        }
    }

    #[test]
    fn a_word_whose_window_is_cut_is_heard_where_it_ends() {
        let (config, batch) = (config(LossKind::MaxPooling, 0.0), batch());
        // The word's window is 2..7 and it ends at 4; the best step is 2, but not of those from 3 on.
        let mut logits = [-1.0f32; N_STEPS];
        (logits[2], logits[5]) = (2.0, 0.5);
        let pulls = |steps: Range<usize>| -> Vec<bool> {
            let cut = Var::from_slice(&logits[steps.clone()], (1, steps.len(), 1), &Device::Cpu).unwrap();
            let loss = BatchLoss::new(&config, &batch, false, &[0, 0]).of(&part(0..1, steps), &cut, None).unwrap();
            let gradients = loss.backward().unwrap();
            gradients
                .get(&cut)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
                .iter()
                .map(|&g| g < 0.0)
                .collect()
        };
        assert_eq!(pulls(0..3), [false; 3]);
        assert_eq!(pulls(3..N_STEPS), [false, false, true, false, false]);
    }

    #[test]
    fn smoothed_labels_are_reached_at_a_finite_logit() {
        // Targets 0.95 and 0.05.
        let sure = (0.95f32 / 0.05).ln();
        for kind in [LossKind::CrossEntropy, LossKind::MaxPooling] {
            let mut logits = [-sure; 2 * N_STEPS];
            logits[4..6].fill(sure);
            let (_, gradient) = loss(&config(kind, 0.1), logits);
            assert!(gradient.iter().all(|g| g.abs() < 1e-5), "{kind:?}: {gradient:?}");
            let (_, gradient) = loss(&config(kind, 0.0), logits);
            assert!(gradient[4] < -0.01 && gradient[0] > 0.01, "{kind:?}: {gradient:?}");
        }
    }

    #[test]
    fn ctc_does_not_ask_when_and_leaves_out_what_follows_the_middle_of_a_cut_word() {
        let config = config(LossKind::Ctc, 0.0);
        let early = [4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, -4.0, 4.0, 4.0];
        let mut late = early;
        late.swap(0, 7);
        let (early, gradient) = loss(&config, early);
        assert_eq!(gradient[14..], [0.0, 0.0]);
        assert!(early < 0.2 && (early - loss(&config, late).0).abs() < 1e-6, "{early}");
        assert!(loss(&config, [-4.0; 16]).0 > 0.5, "a word that is not said");
        assert!(loss(&config, [4.0; 16]).0 > 5.0, "a word that nobody said");
    }

    #[test]
    fn what_is_before_the_first_steps_does_not_count() {
        let batch = batch();
        for kind in KINDS {
            let config = config(kind, 0.0);
            for first in [1, 3, 5] {
                let gradient_of = |first_steps: &[usize]| {
                    let logits = Var::zeros((2, N_STEPS, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
                    let loss = BatchLoss::new(&config, &batch, true, first_steps);
                    let loss = loss.of(&part(0..2, 0..N_STEPS), &logits, Some(&logits.ones_like().unwrap())).unwrap();
                    let gradients = loss.backward().unwrap();
                    gradients.get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
                };
                let gradient = gradient_of(&[first, 0]);
                assert!(gradient[..first].iter().all(|&g| g == 0.0), "{kind:?} {first}: {gradient:?}");
                assert!(gradient[first] != 0.0 && gradient[N_STEPS] != 0.0, "{kind:?} {first}: {gradient:?}");
            }
            // A word that ends before them is nobody's.
            let logits = Tensor::full(-9.0f32, (2, N_STEPS, 1), &Device::Cpu).unwrap();
            let loss = BatchLoss::new(&config, &batch, false, &[6, 0]);
            let loss = loss.of(&part(0..2, 0..N_STEPS), &logits, None).unwrap().to_scalar::<f32>().unwrap();
            assert!(loss < 0.01, "{kind:?}: {loss}");
        }
    }

    #[test]
    fn gradients_of_all_kinds_are_of_one_size() {
        // As at the beginning of a training: doubtful everywhere.
        let size = |kind| loss(&config(kind, 0.0), [-3.0; 2 * N_STEPS]).1.iter().map(|g| g.abs()).sum::<f32>();
        let expected = size(LossKind::CrossEntropy);
        for kind in KINDS {
            let ratio = size(kind) / expected;
            assert!((0.3..3.0).contains(&ratio), "{kind:?}: {ratio}");
        }
    }
}
