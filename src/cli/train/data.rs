//! The recordings of a training, as arguments, and in words.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::progress;
use crate::dataset::{Elsewhere, Inventory, SkippedFile};
use crate::train::{Folders, LabelledFolders, TrainConfig, ValidationSet};

/// Where the recordings are.
#[derive(Args)]
pub(super) struct DataArgs {
    /// Folder with clips
    #[arg(required_unless_present = "labels")]
    data: Option<PathBuf>,
    /// Long recordings with labels, beside DATA or instead of it: a folder with both, at any depth, or a file of labels (Audacity .labels.txt or
    /// .txt, .TextGrid, .rttm, .vtt, .jsonl, .csv). What is labelled with a word teaches the word, the rest of the recordings what is none
    /// (repeatable)
    #[arg(long, value_name = "PATH")]
    labels: Vec<PathBuf>,
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

impl DataArgs {
    /// `out` is where the model will be: beside it there is room for pieces of long recordings.
    pub(super) fn folders(&self, out: &Path) -> Folders {
        let scratch = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let labelled = LabelledFolders { paths: self.labels.clone(), scratch: scratch.to_owned() };
        Folders {
            data: self.data.clone(),
            labelled: (!self.labels.is_empty()).then_some(labelled),
            validation: self.validation.clone(),
            elsewhere: Elsewhere { negatives: self.negatives.clone(), noises: self.noise.clone() },
        }
    }
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
