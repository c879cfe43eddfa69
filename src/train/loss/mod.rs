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
    Ctc,
}

impl<'a> BatchLoss<'a> {
    /// Of `batch`, with teachers if `is_taught`.
    pub(super) fn new(config: &'a TrainConfig, batch: &'a Batch, is_taught: bool) -> Self {
        let negative_weight = config.negative_weight;
        let Batch { targets, weights, .. } = batch;
        let labels = match config.loss.kind {
            LossKind::CrossEntropy => Labels::CrossEntropy {
                targets: smoothed(targets, config.loss.label_smoothing),
                weights: step_weights(targets, weights, negative_weight),
            },
            LossKind::MaxPooling => Labels::MaxPooling(MaxPooling::new(batch, negative_weight)),
            LossKind::Ctc => Labels::Ctc,
        };
        let taught_weights = is_taught.then(|| taught_step_weights(targets, weights, negative_weight));
        Self { config, batch, labels, taught_weights }
    }

    /// Of the rows `rows` whose logits `(rows, steps, n_words)` are the learner's and, if there are any, `taught` its teachers'; a
    /// scalar.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub(super) fn of_rows(&self, rows: Range<usize>, logits: &Tensor, taught: Option<&Tensor>) -> Result<Tensor> {
        let labelled = self.labelled(rows.clone(), logits)?;
        let (Some(taught), Some(weights)) = (taught, &self.taught_weights) else { return Ok(labelled) };
        let TrainConfig { teacher_weight, teacher_temperature, .. } = *self.config;
        let weights = self.tensor(self.part(weights, &rows), &rows)?;
        let taught = taught_loss(logits, taught, &weights, teacher_temperature)?;
        (labelled * (1.0 - teacher_weight))? + (taught * teacher_weight)?
    }

    fn labelled(&self, rows: Range<usize>, logits: &Tensor) -> Result<Tensor> {
        match &self.labels {
            Labels::CrossEntropy { targets, weights } => {
                let [targets, weights] = [targets, weights].map(|values| self.tensor(self.part(values, &rows), &rows));
                weighted_loss(logits, &targets?, &weights?)
            }
            Labels::MaxPooling(pooling) => {
                let values = logits.flatten_all()?.to_vec1()?;
                let (targets, weights) = pooling.labels(self.batch, rows.clone(), &values);
                let targets = smoothed(&targets, self.config.loss.label_smoothing);
                weighted_loss(logits, &self.tensor(&targets, &rows)?, &self.tensor(&weights, &rows)?)
            }
            Labels::Ctc => {
                let said: Vec<SaidWords> =
                    self.batch.words[rows].iter().map(|words| said_words(words, self.batch.n_steps)).collect();
                ctc_loss(logits, &said, 1.0 / self.batch.n_rows as f64)
            }
        }
    }

    /// Those of `values` `(batch, steps, n_words)` that belong to `rows`.
    fn part<'v>(&self, values: &'v [f32], rows: &Range<usize>) -> &'v [f32] {
        let row_len = self.batch.n_steps * self.batch.n_words;
        &values[rows.start * row_len..rows.end * row_len]
    }

    fn tensor(&self, values: &[f32], rows: &Range<usize>) -> Result<Tensor> {
        Tensor::from_slice(values, (rows.len(), self.batch.n_steps, self.batch.n_words), &Device::Cpu)
    }
}

/// The words that are said to their end. Steps from the middle on of a word that the mixture cuts do not count: whether it can be known
/// by then is not for us to say.
fn said_words(words: &[WordWindow], n_steps: usize) -> SaidWords {
    let cut = words.iter().filter(|word| word.end.is_none()).map(|word| word.steps.start).min();
    SaidWords {
        words: words.iter().filter(|word| word.end.is_some()).map(|word| word.word_idx).collect(),
        n_steps: cut.unwrap_or(n_steps),
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
        let loss = BatchLoss::new(config, &batch, false).of_rows(0..2, &logits, None).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&logits).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        (loss.to_scalar().unwrap(), gradient)
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
            let loss = BatchLoss::new(&config, &batch, true);
            let of = |rows: Range<usize>| {
                let [logits, taught] = [&tensor, &taught].map(|all| all.narrow(0, rows.start, rows.len()).unwrap());
                loss.of_rows(rows, &logits, Some(&taught)).unwrap().to_scalar::<f32>().unwrap()
            };
            assert!((of(0..2) - of(0..1) - of(1..2)).abs() < 1e-5, "{kind:?}");
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
