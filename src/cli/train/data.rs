//! The recordings of a training: which there are, which side each is on, what they are tested by.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::bundle::ProvenanceEntry;
use crate::cli::progress;
use crate::dataset::{DatasetError, Elsewhere, Inventory, SkippedFile};
use crate::train::{TestedOn, TrainConfig, ValidationSet};

/// Where the recordings are.
#[derive(Args)]
pub(super) struct DataArgs {
    /// Folder with the recordings
    data: PathBuf,
    /// Folder of the same layout to validate on [default: speakers held out of DATA]
    #[arg(long, value_name = "DIR")]
    validation: Option<PathBuf>,
    /// Folder of other speech, radio and household sound, beside what DATA has (repeatable)
    #[arg(long, value_name = "DIR")]
    negatives: Vec<PathBuf>,
    /// Folder of recorded noise, beside what DATA has (repeatable)
    #[arg(long, value_name = "DIR")]
    noise: Vec<PathBuf>,
}

/// What is learned from, and what it is tested on.
pub(super) struct Sides {
    pub(super) training: Inventory,
    pub(super) validation: Inventory,
    pub(super) tested_on: TestedOn,
    /// What is unusual about them.
    pub(super) notes: Vec<String>,
}

/// Lists the recordings of `folder`, and those of `validation` or what is held out of `folder`. An adaptation holds back other
/// speech only: it learns from every recording of its words.
pub(super) fn sides(args: &DataArgs, words: &[String], config: &TrainConfig, is_adapting: bool) -> Result<Sides> {
    let elsewhere = Elsewhere { negatives: args.negatives.clone(), noises: args.noise.clone() };
    let inventory = Inventory::read_with(&args.data, words, &elsewhere).map_err(|error| match error {
        DatasetError::NoNegatives { .. } => anyhow!("{error}; or name folders that hold some with --negatives DIR"),
        error => error.into(),
    })?;
    tracing::info!(
        folder = %args.data.display(),
        layout = %inventory.layout,
        words = inventory.words.join(", "),
        positives = inventory.positives.len(),
        negatives = inventory.negatives.len(),
        "recordings found"
    );
    let mut notes = Vec::new();
    let (training, validation) = match &args.validation {
        Some(folder) => {
            let words = inventory.words.clone();
            (inventory.without_testing(), Inventory::read(folder, &words)?.without_testing())
        }
        None => {
            let (fraction, seed) = (config.validation_fraction, config.seed);
            let split =
                if is_adapting { inventory.split_others(fraction, seed)? } else { inventory.split(fraction, seed)? };
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
    Ok(Sides { training, validation, tested_on, notes })
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

/// How many speakers each word has; none where some recording does not tell.
pub(super) fn n_speakers(inventory: &Inventory) -> Vec<Option<usize>> {
    let of_word = |word_idx: usize| {
        let files = inventory.positives.iter().filter(|file| file.word_idx == word_idx);
        let names: Option<BTreeSet<&str>> = files.map(|file| file.speaker.as_deref()).collect();
        names.map(|names| names.len())
    };
    (0..inventory.words.len()).map(of_word).collect()
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

/// Lays the held-out recordings into streams.
pub(super) fn validation_set(
    config: &TrainConfig,
    validation: &Inventory,
    skipped: &mut Vec<SkippedFile>,
) -> Result<ValidationSet> {
    let bar = progress::bar(1, "laying out validation recordings {bar:30} {pos}/{len} {elapsed} elapsed");
    let set = ValidationSet::new(validation, config, skipped, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if set.positives.is_empty() || set.negatives.is_empty() {
        bail!("no usable recordings are left for validation; add clips of another speaker, or more negatives");
    }
    Ok(set)
}

/// Names each file once.
pub(super) fn report_skipped(skipped: &[SkippedFile]) {
    let mut named = BTreeSet::new();
    for file in skipped {
        if named.insert(&file.path) {
            tracing::warn!("skipped {}: {}", file.path.display(), file.reason);
        }
    }
}

/// What the model is made of, for its manifest.
pub(super) fn provenance(training: &Inventory, validation: &Inventory) -> Vec<ProvenanceEntry> {
    let mut entries: Vec<ProvenanceEntry> = Vec::new();
    for (inventory, purpose) in [(training, "training"), (validation, "validation")] {
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
