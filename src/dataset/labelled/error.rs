//! What can be wrong with recordings and their labels.

use std::path::PathBuf;

use crate::audio::AudioError;
use crate::audio::file::ENDINGS;
use crate::dataset::DatasetError;
use crate::labels::LabelsError;

/// Recordings with labels that cannot be learned from as they are.
#[derive(Debug, thiserror::Error)]
pub enum LabelledError {
    /// A file of labels that cannot be used.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// A recording that cannot be read, or a piece of it that cannot be written.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A folder or a manifest that cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A path that is not there, or not to be read.
    #[error("{}: cannot be looked at", path.display())]
    Unreachable {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither a folder nor a file of a known kind.
    #[error(
        "{}: this is neither a folder nor a file of labels ({}) nor a recording ({})", path.display(), list(LABELS), list(&ENDINGS)
    )]
    UnknownKind {
        /// As it was given.
        path: PathBuf,
    },
    /// Recordings at most, but nobody has labelled them.
    #[error(
        "no labels in {}, where there are {n_recordings} recordings; looked for files of the recordings' names with the endings {}, and for \
         .rttm, .csv and .jsonl files that name them; 'tripword label' and Audacity write such files, and an empty one says that none of the \
         words is in its recording", places.join(", "), list(LABELS)
    )]
    NoLabels {
        /// Where they were looked for.
        places: Vec<String>,
        /// Recordings that are there.
        n_recordings: usize,
    },
    /// A file of labels that was named itself, whose recording is not there.
    #[error(
        "{}: there is no recording \"{recording}\" beside it or in the other folders that were named; put it there, or name its folder, too",
        labels.display()
    )]
    NoRecording {
        /// The file of labels.
        labels: PathBuf,
        /// As the labels, or their file's name, call it.
        recording: String,
    },
    /// A name that several recordings have.
    #[error(
        "{}: the recording \"{recording}\" could be {} or {}; rename one, or keep labels and recordings in folders of their own",
        labels.display(), first.display(), second.display()
    )]
    AmbiguousRecording {
        /// The file of labels.
        labels: PathBuf,
        /// As the labels, or their file's name, call it.
        recording: String,
        /// One of that name.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// Two files with different labels of one recording.
    #[error(
        "{} and {} have different labels of {}; keep the corrected one, or name it: --labels {}",
        first.display(), second.display(), recording.display(), second.display()
    )]
    TwoSets {
        /// The recording.
        recording: PathBuf,
        /// One file of labels.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A label of a longer recording.
    #[error(
        "{}: the label \"{text}\" from {start_s:.3} s to {end_s:.3} s lies beyond the end of {}, which lasts {duration_s:.3} s; do they belong \
         together?", labels.display(), recording.display()
    )]
    BeyondEnd {
        /// The file of labels.
        labels: PathBuf,
        /// The recording.
        recording: PathBuf,
        /// Of the label.
        text: String,
        /// Where it begins.
        start_s: f64,
        /// Where it ends.
        end_s: f64,
        /// Length of the recording.
        duration_s: f64,
    },
    /// A word that nobody has labelled.
    #[error("no label says \"{word}\"; the texts of the labels are {}{hint}", found.join(", "))]
    UnknownWord {
        /// As asked for.
        word: String,
        /// The texts that there are, with their numbers.
        found: Vec<String>,
        /// What may have been meant.
        hint: String,
    },
    /// No text is there often enough.
    #[error(
        "no text is labelled {needed} times or more, which a word needs; the texts of the labels are {}; name the word with --word to \
         see what it lacks", found.join(", ")
    )]
    NoWords {
        /// Labels that a word needs.
        needed: usize,
        /// The texts that there are, with their numbers.
        found: Vec<String>,
    },
    /// A word with too few labels.
    #[error(
        "\"{word}\" is labelled {found} times; expected at least {needed}, better 50 and more: some are held out to test with, and the rest \
         has to teach"
    )]
    TooFewLabels {
        /// The word.
        word: String,
        /// Its labels.
        found: usize,
        /// Labels that it needs.
        needed: usize,
    },
}

/// Endings of files of labels, as they are told in messages.
const LABELS: &[&str] = &["labels.txt", "txt", "TextGrid", "rttm", "vtt", "jsonl", "csv"];

fn list(endings: &[&str]) -> String {
    endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ")
}
