//! What one run came to, as it is kept beside its model.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::files::write_whole;

/// The file of a run's result in its folder.
pub(super) const RESULT_FILE: &str = "result.json";

/// A run that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// The configuration's name.
    pub configuration: String,
    /// The seed.
    pub seed: u64,
    /// Optimiser steps that were planned.
    pub n_steps: u64,
    /// Seconds that a step took on average since the run was begun or last resumed; none of a single step.
    pub step_s: Option<f64>,
    /// What came of it.
    pub outcome: RunOutcome,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// A model that was measured.
    Finished(Measured),
    /// The training ran away.
    Diverged {
        /// The step, counted from 0.
        step: u64,
        /// In words.
        reason: String,
    },
}

/// What a model misses at thresholds chosen for the target rate of false accepts over all conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// As the report of an evaluation calls them.
    pub conditions: Vec<String>,
    /// Word by word.
    pub words: Vec<WordMeasured>,
    /// Hours of recordings without a word, each heard in every condition, altogether.
    pub hours: f64,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordMeasured {
    /// The word.
    pub word: String,
    /// The threshold.
    pub threshold: f32,
    /// False accepts in all conditions together.
    pub n_false_accepts: usize,
    /// Missed and spoken, condition by condition.
    pub missed: Vec<[usize; 2]>,
}

impl Measured {
    /// Missed and spoken of all words, condition by condition.
    pub fn missed(&self) -> Vec<[usize; 2]> {
        let mut sums = vec![[0, 0]; self.conditions.len()];
        for word in &self.words {
            for (sum, found) in sums.iter_mut().zip(&word.missed) {
                sum[0] += found[0];
                sum[1] += found[1];
            }
        }
        sums
    }

    /// The mean miss rate over the conditions, each recording having been heard once in each.
    pub fn miss_rate(&self) -> f64 {
        mean_miss_rate(&self.missed())
    }
}

/// Missed / spoken, all together.
pub(super) fn mean_miss_rate(counts: &[[usize; 2]]) -> f64 {
    let [missed, spoken] = [0, 1].map(|part| counts.iter().map(|count| count[part]).sum::<usize>());
    missed as f64 / spoken.max(1) as f64
}

impl RunResult {
    /// Reads the result in a run's folder; none where there is none.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(RESULT_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let damaged = || format!("{}: damaged; delete it to do the run again", path.display());
                Ok(Some(serde_json::from_str(&text).with_context(damaged)?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{}: cannot be read", path.display())),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(RESULT_FILE);
        write_whole(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// What was measured, unless the training ran away.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.outcome {
            RunOutcome::Finished(measured) => Some(measured),
            RunOutcome::Diverged { .. } => None,
        }
    }
}
