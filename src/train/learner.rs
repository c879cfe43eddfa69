//! A network that learns: its variables with the optimiser's moments, and the state that its streams carry from batch to batch.

use std::sync::Arc;

use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::TrainConfig;
use super::adapt::with_trunk;
use super::initial::initial_weights;
use super::optimizer::Optimizer;
use super::schedule::learning_rate;
use super::shard::{ShardState, reset_rows, run_step, shard_rows};
use super::teacher::Teacher;
use crate::dataset::{Batch, seed_of};
use crate::model::{Network, Weights};

/// Keeps a step's own random numbers apart from those of its mixes.
const STEP_PURPOSE: u64 = 0x5354_4550;

/// A network in training. A step goes forward and backward through a batch and moves the weights along the gradient.
pub struct Learner {
    pub(super) optimizer: Optimizer,
    teachers: Arc<[Teacher]>,
    /// One entry a shard.
    pub(super) states: Vec<ShardState>,
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnerStep {
    /// Loss of the batch.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
}

/// The training has run away.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "the loss is {loss} at step {step}; the last good checkpoint is kept: resume with a lower train.learning_rate or train.clip_norm"
)]
pub struct Diverged {
    /// Not finite.
    pub loss: f64,
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
                    learner: network.zero_state(n_rows)?,
                    teachers: teachers.iter().map(|teacher| teacher.zero_state(n_rows)).collect::<Result<_, _>>()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { optimizer, teachers, states })
    }

    /// The weights as they are now.
    ///
    /// # Errors
    /// When the tensors cannot be made.
    pub fn weights(&self) -> Result<Weights> {
        Ok(self.optimizer.values()?)
    }

    /// Learns from `batch`, the one of its step. Every random choice comes from the seed and the step alone, so that a resumed
    /// run makes the same ones.
    ///
    /// # Errors
    /// [`Diverged`] when the loss is not finite, with the weights as they were before; when a shape does not fit.
    pub fn step(&mut self, config: &TrainConfig, batch: &Batch) -> Result<LearnerStep> {
        let step = batch.step;
        let mut rng = Pcg64Mcg::seed_from_u64(seed_of(&[config.seed, step, STEP_PURPOSE]));
        let is_reset: Vec<bool> =
            (0..config.batch_size).map(|_| rng.random::<f32>() < config.reset_probability).collect();
        reset_rows(&mut self.states, &is_reset)?;
        let result = run_step(config, &self.optimizer, batch, &self.teachers, &self.states, rng.random())?;
        if !result.loss.is_finite() {
            return Err(Diverged { loss: result.loss, step }.into());
        }
        let learning_rate = learning_rate(config, step);
        let gradient_norm = self.optimizer.step(&result.gradients, learning_rate, config)?;
        self.states = result.states;
        Ok(LearnerStep { loss: result.loss, gradient_norm, learning_rate })
    }
}
