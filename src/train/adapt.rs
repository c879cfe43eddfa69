//! A trained network learns a new word from a few recordings.
//!
//! What the network has learned of speech lies below its head: training goes on from those layers, the head of the new words
//! starts afresh and at first learns alone. With so few recordings none is held back, and none decides when to stop: the number
//! of steps is fixed, every recording is learned from, and how many will be missed is told by the runs of [`super::curve`].

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::TrainConfig;
use super::learner::{Learner, LearnerStep};
use super::mining::mine;
use crate::dataset::{Bank, BatchStream, Mixer};
use crate::features::FeatureConfig;
use crate::model::{ModelConfig, NamedTensors, SecondLookConfig, StreamingNetwork, Weights, WeightsError};

/// The trained network that another one begins with.
#[derive(Debug, Clone)]
pub struct Base {
    /// The model's name.
    pub name: String,
    /// SHA-256 of its weights file: what a resumed run compares.
    pub sha256: String,
    /// Its weights.
    pub weights: Weights,
    /// When its networks beyond the first are asked.
    pub second_look: Option<SecondLookConfig>,
}

impl Base {
    /// What it has become with these weights, ready to run.
    ///
    /// # Errors
    /// When the weights do not fit.
    pub(super) fn adapted(
        &self,
        config: &TrainConfig,
        n_words: usize,
        weights: &Weights,
    ) -> Result<StreamingNetwork, WeightsError> {
        let TrainConfig { network, features, .. } = config;
        let step_s = features.sample_rate().seconds(network.samples_per_step(features.hop_length_samples));
        let adapted = StreamingNetwork::new(network, features.n_mels, n_words, weights)?;
        Ok(adapted.with_second_look(self.second_look.as_ref(), step_s))
    }
}

/// What replaces the settings of the same name when a network is adapted, and what only an adaptation has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptConfig {
    /// Networks that are adapted, where the model to begin with has several: the first ones.
    pub n_networks: usize,
    /// Optimiser steps of each, all of which are done.
    pub n_steps: u64,
    /// Optimiser steps of the trainings that measure the learning curve.
    pub n_curve_steps: u64,
    /// Highest learning rate: that of the head.
    pub learning_rate: f64,
    /// The convolutions learn at this part of it.
    pub convolution_rate: f64,
    /// The recurrent layers learn at this part of it.
    pub recurrent_rate: f64,
    /// For so many steps at the beginning only the head learns, so that its first random errors do not spoil what lies below.
    pub head_only_steps: u64,
    /// Decay of the running average of the weights.
    pub average_decay: f64,
    /// Steps between searches for hard negatives.
    pub mine_every: u64,
    /// Variants of each recording at another speed.
    pub n_speed_variants: usize,
    /// Variants of each recording at another speed and in a room.
    pub n_room_variants: usize,
    /// Lowest and highest speed.
    pub word_speed: [f64; 2],
    /// Probability that an item's mel axis is warped.
    pub warp_probability: f32,
    /// Factor of the mel axis.
    pub warp: [f32; 2],
    /// Part of the other speech that is held out to choose the thresholds by.
    pub validation_fraction: f64,
}

impl Default for AdaptConfig {
    fn default() -> Self {
        Self {
            n_networks: 2,
            n_steps: 1000,
            n_curve_steps: 600,
            learning_rate: 3e-3,
            convolution_rate: 1.0,
            recurrent_rate: 1.0,
            head_only_steps: 100,
            average_decay: 0.99,
            mine_every: 500,
            n_speed_variants: 8,
            n_room_variants: 16,
            word_speed: [0.85, 1.18],
            warp_probability: 0.5,
            warp: [0.9, 1.1],
            validation_fraction: 0.3,
        }
    }
}

/// The parts of the network by how fast they learn, as factors of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PartRates {
    convolutions: f64,
    recurrent: f64,
    head_only_steps: u64,
}

impl Default for PartRates {
    fn default() -> Self {
        Self { convolutions: 1.0, recurrent: 1.0, head_only_steps: 0 }
    }
}

impl PartRates {
    /// The factor of the tensor `name` at `step`, counted from 0.
    pub(super) fn of(self, name: &str, step: u64) -> f64 {
        if name.starts_with("head.") {
            1.0
        } else if step < self.head_only_steps {
            0.0
        } else if name.starts_with("conv") {
            self.convolutions
        } else {
            self.recurrent
        }
    }
}

impl AdaptConfig {
    /// Checks what an ordinary training has no key for; the rest is checked in the place where it goes.
    pub(super) fn validate(&self) -> Result<(), (&'static str, String)> {
        for (key, value) in [
            ("train.adapt.convolution_rate", self.convolution_rate),
            ("train.adapt.recurrent_rate", self.recurrent_rate),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err((key, format!("{key} is {value}; expected 0 to 1")));
            }
        }
        for (key, found) in
            [("train.adapt.n_networks", self.n_networks as u64), ("train.adapt.n_curve_steps", self.n_curve_steps)]
        {
            if found == 0 {
                return Err((key, format!("{key} is 0; expected at least 1")));
            }
        }
        Ok(())
    }

    pub(super) fn part_rates(&self) -> PartRates {
        PartRates {
            convolutions: self.convolution_rate,
            recurrent: self.recurrent_rate,
            head_only_steps: self.head_only_steps,
        }
    }
}

impl TrainConfig {
    /// The configuration of an adaptation of a network of this shape. It is validated once, at its end.
    pub fn adapting(&self, features: &FeatureConfig, network: &ModelConfig) -> Self {
        let adapt = &self.adapt;
        let mut config = Self {
            n_steps: adapt.n_steps,
            learning_rate: adapt.learning_rate,
            average_decay: adapt.average_decay,
            mine_every: adapt.mine_every,
            validate_every: adapt.n_steps,
            validation_fraction: adapt.validation_fraction,
            features: features.clone(),
            network: network.clone(),
            ..self.clone()
        };
        config.mix.warp_probability = adapt.warp_probability;
        config.mix.warp = adapt.warp;
        config.mix.bank.n_speed_variants = adapt.n_speed_variants;
        config.mix.bank.n_room_variants = adapt.n_room_variants;
        config.mix.bank.word_speed = adapt.word_speed;
        config
    }
}

/// The weights of `base` with the head of `fresh`.
pub(super) fn with_trunk(config: &TrainConfig, n_words: usize, base: &Weights, fresh: &Weights) -> Result<Weights> {
    let names = Weights::expected(&config.network, config.features.n_mels, n_words);
    let tensors: HashMap<_, _> = names
        .into_iter()
        .map(|(name, _)| {
            let from = if name.starts_with("head.") { fresh } else { base };
            Ok((name.clone(), from.get(&name)?.clone()))
        })
        .collect::<Result<_>>()?;
    let weights = Weights::new(tensors);
    weights.check(&config.network, config.features.n_mels, n_words)?;
    Ok(weights)
}

/// Adapts one network to the words of `bank`, learning from the recordings that `is_kept` names only: all steps of the
/// configuration, nothing validated, nothing written. `None` if `on_step`, told the number of steps done and what the last one
/// brought, says to stop.
///
/// # Errors
/// When the loss is not finite, or a shape does not fit.
pub fn fit(
    config: &TrainConfig,
    base: &Weights,
    bank: &Arc<Bank>,
    is_kept: &dyn Fn(usize) -> bool,
    on_step: &mut dyn FnMut(u64, LearnerStep) -> bool,
) -> Result<Option<Weights>> {
    let n_words = bank.words.len();
    let mut learner = Learner::adapting(config, n_words, base, [].into())?;
    let mut mixer = Mixer::new(bank.clone(), config.mix.clone(), config.network.frames_per_step(), n_words);
    mixer.keep_clips(is_kept);
    let segment = if config.mine_every == 0 { config.n_steps } else { config.mine_every };
    let mut step = 0;
    while step < config.n_steps {
        if step > 0 {
            let weights = learner.optimizer.averaged(config)?;
            let network = StreamingNetwork::new(&config.network, config.features.n_mels, n_words, &weights)?;
            mixer.set_hard_negatives(mine(&network, bank, config));
        }
        let mut batches = BatchStream::start(Arc::new(mixer.clone()), config, step)?;
        for _ in 0..segment.min(config.n_steps - step) {
            let result = learner.step(config, &batches.next_batch()?)?;
            step += 1;
            if !on_step(step, result) {
                return Ok(None);
            }
        }
    }
    Ok(Some(learner.optimizer.averaged(config)?))
}
