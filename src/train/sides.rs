//! The recordings of a training: which there are, which side each is on, whose voices they are, where they come from.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use super::{TestedOn, TrainConfig};
use crate::bundle::{FORMAT_VERSION, Manifest, ProvenanceEntry, TrainingSummary, WeightsEntry};
use crate::dataset::{DatasetError, Elsewhere, Inventory};

/// Where the recordings are.
#[derive(Debug, Clone, PartialEq)]
pub struct Folders {
    /// The folder to learn from.
    pub data: PathBuf,
    /// The folder to test on; none: what is held out of `data`.
    pub validation: Option<PathBuf>,
    /// Other speech and noise from elsewhere.
    pub elsewhere: Elsewhere,
}

/// What is learned from, and what it is tested on.
pub struct Sides {
    /// What is learned from.
    pub training: Inventory,
    /// What it is tested on.
    pub validation: Inventory,
    /// Whose voices those are.
    pub tested_on: TestedOn,
    /// What is unusual about them.
    pub notes: Vec<String>,
}

impl Sides {
    /// Lists the recordings of the data folder, and those of the validation folder or what is held out. An adaptation holds back
    /// other speech only: it learns from every recording of its words.
    ///
    /// # Errors
    /// When a folder cannot be used, or the two hold different words.
    pub fn read(folders: &Folders, words: &[String], config: &TrainConfig, is_adapting: bool) -> Result<Self> {
        let inventory =
            Inventory::read_with(&folders.data, words, &folders.elsewhere).map_err(|error| match error {
                DatasetError::NoNegatives { .. } => {
                    anyhow!("{error}; or name folders that hold some with --negatives DIR")
                }
                error => error.into(),
            })?;
        tracing::info!(
            folder = %folders.data.display(),
            layout = %inventory.layout,
            words = inventory.words.join(", "),
            positives = inventory.positives.len(),
            negatives = inventory.negatives.len(),
            "recordings found"
        );
        let mut notes = Vec::new();
        let (training, validation) = match &folders.validation {
            Some(folder) => {
                let words = inventory.words.clone();
                (inventory.without_testing(), Inventory::read(folder, &words)?.without_testing())
            }
            None => {
                let (fraction, seed) = (config.validation_fraction, config.seed);
                let split = if is_adapting {
                    inventory.split_others(fraction, seed)?
                } else {
                    inventory.split(fraction, seed)?
                };
                notes.extend(split.notes);
                (split.training, split.validation)
            }
        };
        if training.words != validation.words {
            bail!(
                "the words to train are {}, those to validate {}; both folders need the same",
                training.words.join(", "),
                validation.words.join(", ")
            );
        }
        let tests_itself = is_adapting && training.positives == validation.positives;
        notes.extend(if tests_itself { None } else { shared_speakers(&training, &validation) });
        let tested_on = tested_on(&training, &validation);
        Ok(Self { training, validation, tested_on, notes })
    }

    /// How many speakers each word is learned from; none where some recording does not tell.
    pub fn n_speakers(&self) -> Vec<Option<usize>> {
        let of_word = |word_idx: usize| {
            let files = self.training.positives.iter().filter(|file| file.word_idx == word_idx);
            let names: Option<BTreeSet<&str>> = files.map(|file| file.speaker.as_deref()).collect();
            names.map(|names| names.len())
        };
        (0..self.training.words.len()).map(of_word).collect()
    }

    /// The manifest of a model that is to be trained on these recordings: all of it that is known before.
    pub fn manifest(
        &self,
        name: String,
        description: String,
        license: String,
        config: &TrainConfig,
        notes: Vec<String>,
    ) -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            name,
            description,
            license,
            weights: WeightsEntry { file: String::new(), sha256: String::new(), n_parameters: 0 },
            features: config.features.clone(),
            model: config.network.clone(),
            second_look: None,
            words: Vec::new(),
            training: TrainingSummary { notes, ..TrainingSummary::default() },
            provenance: self.provenance(),
        }
    }

    fn provenance(&self) -> Vec<ProvenanceEntry> {
        let mut entries: Vec<ProvenanceEntry> = Vec::new();
        for (inventory, purpose) in [(&self.training, "training"), (&self.validation, "validation")] {
            for (role, source, license) in inventory.sources() {
                let role = format!("{purpose}, {role}");
                match entries
                    .iter_mut()
                    .find(|entry| entry.source == source && entry.license == license && entry.role == role)
                {
                    Some(entry) => entry.n_files += 1,
                    None => entries.push(ProvenanceEntry { source, license, role, n_files: 1 }),
                }
            }
        }
        entries
    }
}

/// Whose voices the words are tested on.
fn tested_on(training: &Inventory, validation: &Inventory) -> TestedOn {
    let speakers = |inventory: &Inventory| -> Vec<Option<String>> {
        inventory.positives.iter().map(|file| file.speaker.clone()).collect()
    };
    let (trained, tested) = (speakers(training), speakers(validation));
    if trained.iter().chain(&tested).any(Option::is_none) {
        TestedOn::UnknownVoices
    } else if tested.iter().any(|speaker| trained.contains(speaker)) {
        TestedOn::KnownVoices
    } else {
        TestedOn::NewVoices
    }
}

/// What there is to say about voices that are on both sides.
fn shared_speakers(training: &Inventory, validation: &Inventory) -> Option<String> {
    let speakers = |inventory: &Inventory| -> BTreeSet<String> {
        let of_words = inventory.positives.iter().filter_map(|file| file.speaker.clone());
        let of_others = inventory.negatives.iter().filter_map(|file| file.speaker.clone());
        of_words.chain(of_others).collect()
    };
    let shared: Vec<String> = speakers(training).intersection(&speakers(validation)).cloned().collect();
    (!shared.is_empty()).then(|| {
        format!("speakers both trained and validated on, so that validation looks too good: {}", shared.join(", "))
    })
}
