//! Long recordings with files of labels beside them, as people and `tripword label` make them: what is labelled teaches the words, with
//! their exact ends, and all the rest is taught as other sound.
//!
//! `paths → found (recordings and their labels) → texts → division into sides → plan → pieces on disk → inventories`
//!
//! A recording is read once, from its beginning to its end, and cut into pieces that go to a folder of their own: of a recording of any
//! length no more is in memory than what was read last.

mod cut;
mod division;
mod error;
mod found;
mod lookup;
mod plan;
mod texts;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use division::Holding;
pub use error::LabelledError;
pub use texts::Vocabulary;

use super::inventory::NegativeFile;
use super::manifest::RecordingTable;
use super::{Inventory, Layout, PositiveFile, Provenance, Split};
use crate::audio::ChannelChoice;
use crate::labels::Label;
use crate::parallel;
use crate::units::{Milliseconds, SampleRate};
use cut::{CutPiece, CutRecording};
use division::Side;
use plan::{Content, Plan};

/// A recording, or one channel of it, with what is labelled in it.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRecording {
    /// The recording.
    pub path: PathBuf,
    /// What of it is heard.
    pub channels: ChannelChoice,
    /// The file that the labels are from.
    pub labels_path: PathBuf,
    /// In the order of time.
    pub labels: Vec<Label>,
}

impl LabelledRecording {
    /// Its name in messages and in the names of pieces.
    fn name(&self) -> String {
        let stem = self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        match self.channels {
            ChannelChoice::Mix => stem,
            ChannelChoice::One(channel) => format!("{stem}.ch{}", channel + 1),
        }
    }
}

/// Recordings with labels, before anything of them is read.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRecordings {
    /// The first folder that was named, or the folder of the first file.
    pub root: PathBuf,
    /// In the order of their paths.
    pub recordings: Vec<LabelledRecording>,
    /// What is unusual about them, in a sentence each.
    pub notes: Vec<String>,
}

/// Both sides, and how much there is of everything.
#[derive(Debug, Clone)]
pub struct CutRecordings {
    /// Pieces of the recordings, as files.
    pub split: Split,
    /// Recordings that were read.
    pub n_recordings: usize,
    /// Their length, in hours.
    pub hours: f64,
    /// Labels of each word that are learned from or tested on.
    pub n_labels: Vec<usize>,
    /// Hours of other sound among them.
    pub other_hours: f64,
    /// Hours in which there is nothing but silence, and which teach nothing.
    pub silent_hours: f64,
}

impl LabelledRecordings {
    /// Finds the recordings and labels that `paths` mean: folders with both in them, at any depth, and files of either kind.
    ///
    /// # Errors
    /// When a path means nothing, a file of labels cannot be read, or it is unclear which labels are those of which recording.
    pub fn find(paths: &[PathBuf]) -> Result<Self, LabelledError> {
        found::find(paths)
    }

    /// Cuts the recordings: spans of `vocabulary`'s words become files below `folder` with the words' exact places, the rest becomes pieces
    /// without a word. `margin` is what a word's file has before and after it, as far as no other word is there.
    ///
    /// # Errors
    /// When a recording cannot be read, a label lies beyond its end, or the disk is full.
    pub fn cut(
        &self,
        vocabulary: &Vocabulary,
        holding: Holding,
        margin: Milliseconds,
        folder: &Path,
    ) -> Result<CutRecordings, LabelledError> {
        let mut notes = Vec::new();
        let plans: Vec<Plan> =
            self.recordings.iter().map(|recording| Plan::new(recording, vocabulary, margin, &mut notes)).collect();
        let sides = division::divide(&self.recordings, &plans, vocabulary.words(), holding, &mut notes);
        let jobs: Vec<_> = self.recordings.iter().zip(&plans).zip(&sides).enumerate().collect();
        let work = |(): &mut (), &(idx, ((recording, plan), side)): &(usize, ((&_, &Plan), &_))| {
            cut::cut(idx, recording, plan, side, vocabulary.words(), folder)
        };
        let cut = parallel::map("tw-cut", &jobs, parallel::n_cores(), || (), work, &|_, _| {});
        let cut: Vec<CutRecording> = cut.into_iter().collect::<Result<_, _>>()?;
        notes.extend(cut.iter().flat_map(|recording| recording.notes.iter().cloned()));
        self.assembled(vocabulary.words(), &cut, notes)
    }

    fn assembled(
        &self,
        words: &[String],
        cut: &[CutRecording],
        notes: Vec<String>,
    ) -> Result<CutRecordings, LabelledError> {
        let empty = || Inventory::empty(self.root.clone(), Layout::Labelled, words.to_vec());
        let mut split = Split { training: empty(), validation: empty(), notes };
        let (mut n_labels, mut n_other_samples, mut n_silent_samples) = (vec![0; words.len()], 0, 0);
        let folders: BTreeSet<&Path> = self.recordings.iter().filter_map(|recording| recording.path.parent()).collect();
        let mut manifest = RecordingTable::default();
        for folder in folders {
            manifest.extend(RecordingTable::find(folder)?);
        }
        for (recording, cut) in self.recordings.iter().zip(cut) {
            let row = manifest.row(&recording.path).cloned().unwrap_or_default();
            let folder = recording.path.parent().and_then(Path::file_name);
            let folder = folder.map_or_else(|| "labelled".into(), |name| name.to_string_lossy().into_owned());
            let provenance = Provenance {
                source: row.source.unwrap_or_else(|| folder.clone()),
                license: row.license.unwrap_or_else(|| "unknown".into()),
            };
            n_silent_samples += cut.n_silent_samples;
            for CutPiece { path, content, side, n_samples } in &cut.pieces {
                let add = |inventory: &mut Inventory| match content {
                    Content::Word { word_idx, span } => inventory.positives.push(PositiveFile {
                        path: path.clone(),
                        word_idx: *word_idx,
                        speaker: row.speaker.clone(),
                        span_s: Some((SampleRate::MODEL.seconds(span.start), SampleRate::MODEL.seconds(span.end))),
                        is_labelled: true,
                        part: super::Part::Open,
                        provenance: provenance.clone(),
                    }),
                    Content::Other => inventory.negatives.push(NegativeFile {
                        path: path.clone(),
                        source: folder.clone(),
                        speaker: row.speaker.clone(),
                        part: super::Part::Open,
                        provenance: provenance.clone(),
                    }),
                };
                if matches!(side, Side::Training | Side::Both) {
                    add(&mut split.training);
                }
                if matches!(side, Side::Validation | Side::Both) {
                    add(&mut split.validation);
                }
                match content {
                    Content::Word { word_idx, .. } => n_labels[*word_idx] += 1,
                    Content::Other => n_other_samples += n_samples,
                }
            }
        }
        let hours = |n_samples| SampleRate::MODEL.seconds(n_samples) / 3600.0;
        Ok(CutRecordings {
            split,
            n_recordings: cut.len(),
            hours: hours(cut.iter().map(|recording| recording.n_samples).sum()),
            n_labels,
            other_hours: hours(n_other_samples),
            silent_hours: hours(n_silent_samples),
        })
    }
}
