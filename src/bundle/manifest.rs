//! `manifest.toml` of a model folder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detector::{TriggerConfig, WordTiming};
use crate::features::FeatureConfig;
use crate::model::{ModelConfig, SecondLookConfig};

/// The newest format this build reads and the one it writes. Raised when an older build would misread a model.
pub const FORMAT_VERSION: u32 = 1;

/// All that is known of a model, except its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Short name, as given to `--model`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Licence of the weights, an SPDX expression where there is one.
    pub license: String,
    /// The weights file.
    pub weights: WeightsEntry,
    /// What the network was trained to see.
    pub features: FeatureConfig,
    /// The network's shape.
    pub model: ModelConfig,
    /// When networks beyond the first are asked; none: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_look: Option<SecondLookConfig>,
    /// The words, in the order of the network's outputs.
    pub words: Vec<WordEntry>,
    /// How it was trained and what came of it.
    pub training: TrainingSummary,
    /// What it was trained on.
    #[serde(default)]
    pub provenance: Vec<ProvenanceEntry>,
}

/// The weights file and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsEntry {
    /// File name inside the folder.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// How many numbers.
    pub n_parameters: usize,
}

/// One word: its decision rule and its timing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordEntry {
    /// As it appears in events.
    pub name: String,
    /// When it triggers.
    pub trigger: TriggerConfig,
    /// How its times are told.
    pub timing: WordTiming,
}

/// How a model came about. Figures are those of the validation recordings, on which the thresholds were chosen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// Version of tripword.
    pub tripword_version: String,
    /// RFC 3339 time of completion.
    pub finished_at: String,
    /// Reproduces the run, with the same data, configuration and number of shards.
    pub seed: u64,
    /// Optimiser steps done.
    pub n_steps: u64,
    /// The step whose weights these are.
    pub best_step: u64,
    /// Hours of mixed audio the network was trained on.
    pub mixed_hours: f64,
    /// Clips of each word used for training.
    pub n_training_clips: BTreeMap<String, usize>,
    /// Clips of each word used for validation.
    pub n_validation_clips: BTreeMap<String, usize>,
    /// In how many conditions each validation recording was heard: clean, noisy.
    #[serde(default = "one")]
    pub n_validation_conditions: usize,
    /// Hours of negatives used for validation, each recording counted once.
    pub validation_negative_hours: f64,
    /// The rate of false accepts at which the thresholds were chosen, for each word.
    pub target_false_accepts_per_hour: f64,
    /// Missed / spoken at the chosen threshold, by word.
    pub validation_miss_rate: BTreeMap<String, f64>,
    /// Remarks of the training: what was skipped, how speakers were split.
    #[serde(default)]
    pub notes: Vec<String>,
}

fn one() -> usize {
    1
}

/// A source of recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenanceEntry {
    /// Where the recordings come from.
    pub source: String,
    /// Their licence.
    pub license: String,
    /// What they were used as: positive, negative, noise, room.
    pub role: String,
    /// How many files.
    pub n_files: usize,
}
