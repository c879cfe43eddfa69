//! A network that learns: its variables with the optimiser's moments, and the state that its streams carry from update to update.

use std::sync::Arc;

use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::TrainConfig;
use super::adapt::with_trunk;
use super::carried::CarriedState;
use super::initial::initial_weights;
use super::loss::BatchLoss;
use super::optimizer::{GradientNorms, Optimizer};
use super::schedule::learning_rate;
use super::shard::{ShardState, UpdatePart, run_update, shard_rows};
use super::teacher::Teacher;
use crate::dataset::{Batch, seed_of};
use crate::model::{Network, Weights};
use crate::units::SampleRate;

/// Keeps a step's own random numbers apart from those of its mixes, and those of warm-ups apart from both.
const STEP_PURPOSE: u64 = 0x5354_4550;
const WARM_UP_PURPOSE: u64 = 0x5741_524d;

/// A network in training. A step goes forward and backward through a batch and moves the weights along
/// the gradient.
pub struct Learner {
    pub(super) optimizer: Optimizer,
    teachers: Arc<[Teacher]>,
    /// One entry a shard.
    pub(super) states: Vec<ShardState>,
    /// Of the last step; of its updates the one with the largest gradient.
    gradient_norms: GradientNorms,
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnerStep {
    /// Loss of the batch.
    pub loss: f64,
    /// Norm of the gradient before clipping; of several updates the largest.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
}

/// The training has run away.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "the {quantity} is {value} at step {step}; the last good checkpoint is kept: resume with a lower train.learning_rate or train.clip_norm"
)]
pub struct Diverged {
    /// Loss, or the norm of the gradient, in words.
    pub quantity: &'static str,
    /// Not finite.
    pub value: f64,
    /// Counted from 0.
    pub step: u64,
}

impl Learner {
    /// A network of `n_words` words with initial weights from the seed of `config`, its streams at their beginning. It learns from
    /// the labels, and from `teachers` if there are any.
    ///
    /// # Errors
    /// When the tensors cannot be made.
    pub fn new(config: &TrainConfig, n_words: usize, teachers: Arc<[Teacher]>) -> Result<Self> {
        let n_mels = config.features.n_mels;
        let initial = initial_weights(&config.network, n_mels, n_words, config.seed)?;
        Self::with_initial(config, n_words, &initial, teachers)
    }

    /// The same with the weights of `base` below a fresh head, its parts learning at the rates of [`TrainConfig::adapt`].
    ///
    /// # Errors
    /// When the weights of `base` do not fit the configuration.
    pub fn adapting(config: &TrainConfig, n_words: usize, base: &Weights, teachers: Arc<[Teacher]>) -> Result<Self> {
        let n_mels = config.features.n_mels;
        let fresh = initial_weights(&config.network, n_mels, n_words, config.seed)?;
        let initial = with_trunk(config, n_words, base, &fresh)?;
        let mut learner = Self::with_initial(config, n_words, &initial, teachers)?;
        learner.optimizer.set_part_rates(config.adapt.part_rates());
        Ok(learner)
    }

    fn with_initial(config: &TrainConfig, n_words: usize, initial: &Weights, teachers: Arc<[Teacher]>) -> Result<Self> {
        let n_mels = config.features.n_mels;
        let names = Weights::expected(&config.network, n_mels, n_words).into_iter().map(|(name, _)| name);
        let optimizer = Optimizer::new(initial, names)?;
        let network = Network::new(&config.network, n_mels, initial)?;
        let states = (0..config.n_shards)
            .map(|shard| {
                let n_rows = shard_rows(shard, config.n_shards, config.batch_size).len();
                Ok(ShardState {
                    learner: CarriedState::new(network.zero_state(n_rows)?),
                    teachers: teachers.iter().map(|teacher| teacher.zero_state(n_rows)).collect::<Result<_, _>>()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { optimizer, teachers, states, gradient_norms: GradientNorms::default() })
    }

    /// The weights as they are now.
    ///
    /// # Errors
    /// When the tensors cannot be made.
    pub fn weights(&self) -> Result<Weights> {
        Ok(self.optimizer.values()?)
    }

    /// The norm of each tensor's gradient in the last step before clipping, in the fixed order of the names; of several updates that
    /// with the largest gradient.
    pub(super) fn gradient_norms(&self) -> impl Iterator<Item = (&str, f64)> {
        let norm = |name: &String| self.gradient_norms.tensors.get(name).copied().unwrap_or(0.0);
        self.optimizer.vars().map(move |(name, _)| (name.as_str(), norm(name)))
    }

    /// Learns from `batch`, the one of its step, by one update or, with [`TrainConfig::truncation`], by several. Every random choice
    /// comes from the seed and the step alone, so that a resumed run makes the same ones.
    ///
    /// # Errors
    /// [`Diverged`] when the loss or the gradient is not finite, with the weights as they were before that update; when a shape does
    /// not fit.
    pub fn step(&mut self, config: &TrainConfig, batch: &Batch) -> Result<LearnerStep> {
        let step = batch.step;
        let mut rng = Pcg64Mcg::seed_from_u64(seed_of(&[config.seed, step, STEP_PURPOSE]));
        let is_reset: Vec<bool> =
            (0..config.batch_size).map(|_| rng.random::<f32>() < config.reset_probability).collect();
        let first_steps = first_steps(config, step, &is_reset);
        let batch_loss = BatchLoss::new(config, batch, !self.teachers.is_empty(), &first_steps);
        let learning_rate = learning_rate(config, step);
        let segments = config.truncation.segments(batch.n_steps);
        let n_back_steps = config.truncation.n_back_steps(batch.n_steps);
        // On average an update's gradient is as long as that of the whole batch.
        let scale = segments.len() as f64;
        let mut is_reset = Some(is_reset);
        let mut brought = LearnerStep { loss: 0.0, gradient_norm: 0.0, learning_rate };
        for (idx, steps) in segments.iter().enumerate() {
            let part = UpdatePart {
                steps: steps.clone(),
                is_reset: is_reset.take(),
                n_kept_steps: n_back_steps.saturating_sub(segments[(idx + 1) % segments.len()].len()),
                scale,
                dropout_seed: rng.random(),
            };
            let optimizer = &self.optimizer;
            let result = run_update(config, optimizer, (batch, &batch_loss), &self.teachers, &self.states, &part)?;
            ensure_finite("loss", result.loss, step)?;
            let norms = GradientNorms::of(&result.gradients);
            ensure_finite("gradient's norm", norms.all, step)?;
            self.optimizer.update(&result.gradients, norms.all, learning_rate, step, config)?;
            self.states = result.states;
            brought.loss += result.loss / scale;
            if idx == 0 || norms.all > brought.gradient_norm {
                brought.gradient_norm = norms.all;
                self.gradient_norms = norms;
            }
        }
        Ok(brought)
    }
}

/// Where in `batch` each row begins to count: so that states of all ages are learned from, a row that is reset is not asked at once.
fn first_steps(config: &TrainConfig, step: u64, is_reset: &[bool]) -> Vec<usize> {
    let samples_per_step = config.network.samples_per_step(config.features.hop_length_samples);
    let most = config.reset_warm_up_ms.samples(SampleRate::MODEL) / samples_per_step;
    let mut rng = Pcg64Mcg::seed_from_u64(seed_of(&[config.seed, step, WARM_UP_PURPOSE]));
    is_reset.iter().map(|&is_reset| if is_reset { rng.random_range(0..=most) as usize } else { 0 }).collect()
}

fn ensure_finite(quantity: &'static str, value: f64, step: u64) -> Result<(), Diverged> {
    if value.is_finite() { Ok(()) } else { Err(Diverged { quantity, value, step }) }
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::*;
    use crate::dataset::MixConfig;
    use crate::model::{ModelConfig, NamedTensors};
    use crate::train::{LossConfig, LossKind, TruncationConfig};
    use crate::units::Milliseconds;

    fn config() -> TrainConfig {
        TrainConfig {
            batch_size: 4,
            n_shards: 2,
            reset_probability: 0.5,
            network: ModelConfig { convolutions: Vec::new(), hidden_size: 6, ..ModelConfig::default() },
            mix: MixConfig { duration_ms: Milliseconds(500), ..MixConfig::default() },
            ..TrainConfig::default()
        }
    }

    /// Without convolutions a frame is a step: 50 of them, 20 to 30 to be heard.
    fn batch(config: &TrainConfig, step: u64) -> Batch {
        let (n_rows, n_steps, n_mels) = (config.batch_size, 50, config.features.n_mels);
        let is_positive = |i: usize| (20..30).contains(&(i % n_steps));
        Batch {
            step,
            n_rows,
            n_frames: n_steps,
            n_steps,
            n_words: 1,
            features: (0..n_rows * n_steps * n_mels)
                .map(|i| ((i + step as usize) * 7919 % 1009) as f32 / 504.0 - 1.0)
                .collect(),
            targets: (0..n_rows * n_steps).map(|i| f32::from(is_positive(i))).collect(),
            weights: vec![1.0; n_rows * n_steps],
            words: vec![vec![crate::dataset::WordWindow { word_idx: 0, steps: 15..35, end: Some(20) }]; n_rows],
        }
    }

    fn values(learner: &Learner) -> Vec<f32> {
        let weights = learner.weights().unwrap();
        learner.optimizer.vars().flat_map(|(name, _)| weights.values(name).unwrap()).collect()
    }

    #[test]
    fn a_loss_that_is_no_number_stops_and_leaves_the_weights() {
        for kind in [LossKind::CrossEntropy, LossKind::MaxPooling, LossKind::Ctc] {
            let config = TrainConfig { loss: LossConfig { kind, ..LossConfig::default() }, ..config() };
            let mut learner = Learner::new(&config, 1, [].into()).unwrap();
            let before = values(&learner);
            let mut bad = batch(&config, 0);
            bad.features[100] = f32::NAN;
            let message = learner.step(&config, &bad).unwrap_err().to_string();
            assert!(
                message.contains("the loss is NaN at step 0; the last good checkpoint is kept"),
                "{kind:?}: {message}"
            );
            assert_eq!(values(&learner), before, "{kind:?}");
            // The state is not poisoned either.
            assert!(learner.step(&config, &batch(&config, 0)).unwrap().loss.is_finite(), "{kind:?}");
        }
    }

    #[test]
    fn an_endless_gradient_of_a_finite_loss_stops_and_leaves_the_weights() {
        let config = config();
        let mut learner = Learner::new(&config, 1, [].into()).unwrap();
        let mut state = learner.optimizer.state().unwrap();
        for (name, tensor) in &mut state {
            // Below the head nothing is heard, so the logits are 0; but what pulls at it there is more than a number can hold.
            let value = if name == "value/head.weight" { 3e38f32 } else { 0.0 };
            *tensor = Tensor::full(value, tensor.shape(), tensor.device()).unwrap();
        }
        learner.optimizer.restore(&state, 0).unwrap();
        let before = values(&learner);
        let message = learner.step(&config, &batch(&config, 3)).unwrap_err().to_string();
        assert!(message.starts_with("the gradient's norm is ") && message.contains("at step 3"), "{message}");
        assert_eq!(values(&learner), before);
        assert!(values(&learner).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn one_segment_is_the_whole_mix_however_it_is_written() {
        let run = |truncation| {
            let config = TrainConfig { truncation, ..config() };
            let mut learner = Learner::new(&config, 1, [].into()).unwrap();
            for step in 0..4 {
                learner.step(&config, &batch(&config, step)).unwrap();
            }
            values(&learner)
        };
        let truncation = |k1_steps, k2_steps| TruncationConfig { k1_steps, k2_steps };
        let whole = run(truncation(0, 0));
        assert!(run(truncation(50, 50)) == whole);
        let others =
            [run(truncation(20, 20)), run(truncation(20, 0)), run(truncation(0, 100)), run(truncation(20, 100))];
        for (i, other) in others.iter().enumerate() {
            assert!(*other != whole && others[..i].iter().all(|earlier| earlier != other), "{i} changes nothing");
        }
    }

    #[test]
    fn only_rows_that_are_reset_warm_up_and_no_longer_than_asked() {
        let config = TrainConfig { reset_warm_up_ms: Milliseconds(200), ..config() };
        let is_reset: Vec<bool> = (0..400).map(|row| row % 2 == 0).collect();
        let first = first_steps(&config, 7, &is_reset);
        assert!(first.iter().zip(&is_reset).all(|(&first, &is_reset)| first == 0 || is_reset));
        // 20 steps of 10 ms, all as likely.
        assert_eq!(first.iter().max(), Some(&20));
        let mean = first.iter().sum::<usize>() as f64 / 200.0;
        assert!((8.0..12.0).contains(&mean), "{mean}");
        assert_eq!(first_steps(&TrainConfig::default(), 7, &is_reset), vec![0; 400]);
    }
}
