//! How a network is trained. The values that reproduce a run are kept with its checkpoints.

use serde::{Deserialize, Serialize};

use super::{AdaptConfig, LossConfig, LossKind, TruncationConfig};
use crate::dataset::{BatchConfig, MixConfig};
use crate::detector::TriggerConfig;
use crate::features::FeatureConfig;
use crate::model::ModelConfig;
use crate::units::Milliseconds;

/// Everything that decides what a training does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of the initial weights, the mixes, the dropout and the splits.
    pub seed: u64,
    /// Optimiser steps at most.
    pub n_steps: u64,
    /// Mixes a step.
    pub batch_size: usize,
    /// Threads that share a batch, each with its part of the rows; their gradients are summed in a fixed order. Part of
    /// what reproduces a run.
    pub n_shards: usize,
    /// Threads that make mixes.
    pub n_mixers: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// The learning rate rises linearly for so many steps.
    pub warm_up_steps: u64,
    /// The learning rate falls along a cosine to this part of the highest.
    pub final_learning_rate_ratio: f64,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f64,
    /// The gradient is scaled down to this norm when it is longer.
    pub clip_norm: f64,
    /// Part of the activations dropped before each recurrent layer and the head.
    pub dropout: f32,
    /// Decay of the running average of the weights that is validated and kept; 0 keeps the weights themselves.
    pub average_decay: f64,
    /// Probability that a row starts a step from the zero state and not from where its last mix ended.
    pub reset_probability: f32,
    /// After such a start, the loss of a row's first audio does not count: of a random length up to this one, so that states of all
    /// ages are learned from.
    #[serde(default)]
    pub reset_warm_up_ms: Milliseconds,
    /// Weight of the mean loss over negative steps against that over positive steps; [`LossKind::Ctc`] has no
    /// such means.
    pub negative_weight: f64,
    /// Weight of the teachers' word against that of the labels, where there are teachers.
    pub teacher_weight: f64,
    /// What logits are divided by before a student is compared with its teachers.
    pub teacher_temperature: f64,
    /// Bands of features that are masked for a mix: the probability of each of two masks.
    pub band_mask_probability: f32,
    /// Optimiser steps between validations.
    pub validate_every: u64,
    /// Training stops after so many validations without a better one.
    pub patience: u64,
    /// Optimiser steps between searches for hard negatives; 0 searches never.
    pub mine_every: u64,
    /// Hard negatives kept for each word.
    pub n_hard_negatives: usize,
    /// Part of the speakers held out for validation where no validation data is given.
    pub validation_fraction: f64,
    /// The thresholds are chosen for this many false accepts an hour, for each word, on the validation negatives.
    pub target_false_accepts_per_hour: f64,
    /// Optimiser steps between checkpoints.
    pub checkpoint_every: u64,
    /// How far gradients go back through time.
    #[serde(default)]
    pub truncation: TruncationConfig,
    /// What is learned from the labels.
    #[serde(default)]
    pub loss: LossConfig,
    /// What is different when a trained network is adapted to new words.
    pub adapt: AdaptConfig,
    /// The decision rule that is stored for every word; its threshold is replaced by the one chosen.
    pub trigger: TriggerConfig,
    /// The features.
    pub features: FeatureConfig,
    /// The network's shape.
    pub network: ModelConfig,
    /// How mixes are made.
    pub mix: MixConfig,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            n_steps: 6000,
            batch_size: 48,
            n_shards: 2,
            n_mixers: 1,
            learning_rate: 3e-3,
            warm_up_steps: 50,
            final_learning_rate_ratio: 0.02,
            weight_decay: 1e-3,
            clip_norm: 1.0,
            dropout: 0.1,
            average_decay: 0.998,
            reset_probability: 0.1,
            reset_warm_up_ms: Milliseconds(0),
            negative_weight: 50.0,
            teacher_weight: 0.7,
            teacher_temperature: 2.0,
            band_mask_probability: 0.4,
            validate_every: 500,
            patience: 8,
            mine_every: 1000,
            n_hard_negatives: 300,
            validation_fraction: 0.2,
            target_false_accepts_per_hour: 0.5,
            checkpoint_every: 500,
            truncation: TruncationConfig::default(),
            loss: LossConfig::default(),
            adapt: AdaptConfig::default(),
            trigger: TriggerConfig::default(),
            features: FeatureConfig::default(),
            network: ModelConfig::default(),
            mix: MixConfig::default(),
        }
    }
}

impl From<&TrainConfig> for BatchConfig {
    fn from(config: &TrainConfig) -> Self {
        Self {
            seed: config.seed,
            n_rows: config.batch_size,
            n_workers: config.n_mixers,
            band_mask_probability: config.band_mask_probability,
        }
    }
}

impl TrainConfig {
    /// Checks every key against its range.
    ///
    /// # Errors
    /// The key and a sentence that says what was found and what is possible.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        let fail = |key: &'static str, found: String, expected: &str| {
            Err((key, format!("{key} is {found}; expected {expected}")))
        };
        for (key, value) in [
            ("train.n_steps", self.n_steps),
            ("train.n_mixers", self.n_mixers as u64),
            ("train.validate_every", self.validate_every),
            ("train.checkpoint_every", self.checkpoint_every),
            ("train.patience", self.patience),
            ("train.batch_size", self.batch_size as u64),
        ] {
            if value == 0 {
                return fail(key, value.to_string(), "at least 1");
            }
        }
        if !(1..=self.batch_size).contains(&self.n_shards) {
            let expected = format!("1 to train.batch_size ({})", self.batch_size);
            return fail("train.n_shards", self.n_shards.to_string(), &expected);
        }
        type Check = (&'static str, f64, bool, &'static str);
        let checks: [Check; 15] = {
            let within = |value: f64, low: f64, high: f64| value >= low && value <= high;
            let (rate, fraction) = (self.learning_rate, self.validation_fraction);
            let target = self.target_false_accepts_per_hour;
            let (dropout, reset) = (f64::from(self.dropout), f64::from(self.reset_probability));
            let (mask, ratio) = (f64::from(self.band_mask_probability), self.final_learning_rate_ratio);
            let (decay, average) = (self.weight_decay, self.average_decay);
            let (clip, negative) = (self.clip_norm, self.negative_weight);
            let (teacher, temperature) = (self.teacher_weight, self.teacher_temperature);
            let smoothing = self.loss.label_smoothing;
            let (above_0_below_1, above_0) = ("above 0 and below 1", "above 0");
            [
                ("train.learning_rate", rate, rate > 0.0 && rate < 1.0, above_0_below_1),
                ("train.validation_fraction", fraction, fraction > 0.0 && fraction < 1.0, above_0_below_1),
                ("train.target_false_accepts_per_hour", target, target > 0.0 && target.is_finite(), above_0),
                ("train.clip_norm", clip, clip > 0.0, above_0),
                ("train.negative_weight", negative, negative > 0.0 && negative.is_finite(), above_0),
                ("train.teacher_weight", teacher, within(teacher, 0.0, 1.0), "0 to 1"),
                ("train.teacher_temperature", temperature, within(temperature, 0.5, 100.0), "0.5 to 100"),
                ("train.loss.label_smoothing", smoothing, within(smoothing, 0.0, 0.5), "0 to 0.5"),
                ("train.dropout", dropout, within(dropout, 0.0, 0.95), "0 to 0.95"),
                ("train.reset_probability", reset, within(reset, 0.0, 1.0), "0 to 1"),
                ("train.band_mask_probability", mask, within(mask, 0.0, 1.0), "0 to 1"),
                ("train.final_learning_rate_ratio", ratio, within(ratio, 0.0, 1.0), "0 to 1"),
                ("train.average_decay", average, (0.0..1.0).contains(&average), "0 and more, below 1"),
                ("train.weight_decay", decay, within(decay, 0.0, 10.0), "0 to 10"),
                ("train.trigger.threshold", self.trigger.threshold.into(), self.trigger.threshold < 1.0, "below 1"),
            ]
        };
        for (key, value, is_ok, expected) in checks {
            if !is_ok {
                return fail(key, value.to_string(), expected);
            }
        }
        self.adapt.validate()?;
        self.features.validate().map_err(|error| ("train.features", format!("train.{error}")))?;
        self.network.validate().map_err(|error| ("train.network", format!("train.network: {error}")))?;
        self.trigger.validate().map_err(|error| ("train.trigger", format!("train.trigger.{error}")))?;
        self.mix.validate().map_err(|error| ("train.mix", format!("train.{error}")))?;
        let (warm_up, mix) = (self.reset_warm_up_ms.0, self.mix.duration_ms.0);
        if warm_up > mix {
            let expected = format!("0 to train.mix.duration_ms ({mix})");
            return fail("train.reset_warm_up_ms", warm_up.to_string(), &expected);
        }
        let n_steps = self.steps_per_mix();
        self.truncation.validate(n_steps)?;
        if self.loss.kind == LossKind::Ctc && self.updates_per_batch() > 1 {
            let key = "train.truncation.k1_steps";
            let expected = "0 with train.loss.kind = \"ctc\", which asks for the words of whole mixes";
            return fail(key, self.truncation.k1_steps.to_string(), expected);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_truncations_that_make_no_sense_say_why() {
        let refusal = |config: TrainConfig| config.validate().unwrap_err().1;
        let loss = LossConfig { label_smoothing: 0.6, ..LossConfig::default() };
        let message = refusal(TrainConfig { loss, ..TrainConfig::default() });
        assert_eq!(message, "train.loss.label_smoothing is 0.6; expected 0 to 0.5");

        let message = refusal(TrainConfig { reset_warm_up_ms: Milliseconds(6001), ..TrainConfig::default() });
        assert_eq!(message, "train.reset_warm_up_ms is 6001; expected 0 to train.mix.duration_ms (6000)");

        let loss = LossConfig { kind: LossKind::Ctc, ..LossConfig::default() };
        let ctc = |k1_steps, k2_steps| {
            let truncation = TruncationConfig { k1_steps, k2_steps };
            TrainConfig { loss, truncation, ..TrainConfig::default() }
        };
        let message = refusal(ctc(25, 0));
        assert!(message.starts_with("train.truncation.k1_steps is 25; expected 0 with train.loss.kind"), "{message}");
        ctc(75, 150).validate().unwrap();
    }
}
