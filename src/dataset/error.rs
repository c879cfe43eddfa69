//! What can be wrong with a training folder, each cause with what was found, what was expected and what to do.

use std::path::PathBuf;

use super::Layout;

/// A training folder that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A folder or list could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// None of the known layouts.
    #[error("{} is in no layout known here; found {found}; expected one of: {}{hint}", root.display(), Layout::catalogue())]
    UnknownLayout {
        /// The folder that was given.
        root: PathBuf,
        /// The names in it.
        found: String,
        /// Where a known layout lies instead, if one level down there is one.
        hint: String,
    },
    /// Marks of more than one layout.
    #[error("{} could be {}; keep the folders of one layout only: {}", root.display(), list(candidates, " or "), Layout::catalogue())]
    AmbiguousLayout {
        /// The folder that was given.
        root: PathBuf,
        /// Every layout it has marks of.
        candidates: Vec<Layout>,
    },
    /// No recording of any wake word.
    #[error("no sound files of a wake word in {}; put recordings of the word there, at least {expected}", folder.display())]
    NoPositives {
        /// Where they belong.
        folder: PathBuf,
        /// How many are needed.
        expected: usize,
    },
    /// Too few recordings of one word to hold any back and still learn.
    #[error("{found} usable recording(s) of \"{word}\" in {}; expected at least {expected}, better 50 and more from several speakers{}", folder.display(), list_skipped(skipped))]
    TooFewPositives {
        /// The word.
        word: String,
        /// Where its recordings lie.
        folder: PathBuf,
        /// Recordings that can be used.
        found: usize,
        /// How many are needed.
        expected: usize,
        /// Recordings of any word that cannot be used.
        skipped: Vec<SkippedFile>,
    },
    /// Nothing that the model should stay silent on.
    #[error("no usable sound files without the wake word in {}; put speech, radio and household sound there, an hour or more: without them the model fires on everything{}", folder.display(), list_skipped(skipped))]
    NoNegatives {
        /// Where they belong.
        folder: PathBuf,
        /// Files that were there but cannot be used.
        skipped: Vec<SkippedFile>,
    },
    /// A folder that was to add recordings adds none.
    #[error("no sound files in {} or the folders below it; name a folder that holds recordings", folder.display())]
    NothingElsewhere {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// Two words that only differ in capitals, spaces, hyphens or underscores.
    #[error(
        "the words \"{first}\" and \"{second}\" are one name when capitals, spaces, hyphens and underscores are ignored; merge them or rename one"
    )]
    SameWordTwice {
        /// One spelling.
        first: String,
        /// The other.
        second: String,
    },
    /// A word that was asked for has no recordings.
    #[error("there is no word \"{word}\" in {}; the choices are {}", root.display(), choices.join(", "))]
    UnknownWord {
        /// As asked for.
        word: String,
        /// The folder that was given.
        root: PathBuf,
        /// The words that are there.
        choices: Vec<String>,
    },
    /// The layout holds many labels and nobody said which are wake words.
    #[error("{} holds labels, any of which could be a wake word; name the wake words, out of {}", root.display(), choices.join(", "))]
    WordsNotNamed {
        /// The folder that was given.
        root: PathBuf,
        /// The labels that are there.
        choices: Vec<String>,
    },
    /// The layout holds one word and several were named.
    #[error("{} holds one wake word ({layout}) but {} were named: {}; for several words use positive/<word>/*.wav", root.display(), words.len(), words.join(", "))]
    OneWordLayout {
        /// The folder that was given.
        root: PathBuf,
        /// Its layout.
        layout: Layout,
        /// The names asked for.
        words: Vec<String>,
    },
    /// Recordings lie both loose and in folders, so it is unclear whether a folder is a word or a speaker.
    #[error("{} holds loose sound files (such as {}) beside folders (such as {}); move the loose ones into a folder named after their word", folder.display(), file.display(), subfolder.display())]
    LooseAmongWords {
        /// The folder of positives.
        folder: PathBuf,
        /// A loose file.
        file: PathBuf,
        /// A folder beside it.
        subfolder: PathBuf,
    },
    /// One side of a split lacks something.
    #[error(
        "after the split there are no {missing} for {side}; add some of another speaker, or change the validation fraction or list"
    )]
    EmptySide {
        /// Training or validation.
        side: &'static str,
        /// What is missing.
        missing: String,
    },
    /// A manifest line that makes no sense.
    #[error("{} line {line}: {problem}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1, the heading included.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A thread that makes mixes could not be started, or has died.
    #[error("the thread {name} that makes mixes is gone: {problem}")]
    MixThread {
        /// The thread.
        name: String,
        /// What happened.
        problem: String,
    },
    /// A configuration value out of its range.
    #[error("{key} is {found}; expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The range.
        expected: &'static str,
    },
}

fn list(layouts: &[Layout], separator: &str) -> String {
    layouts.iter().map(Layout::to_string).collect::<Vec<_>>().join(separator)
}

/// The first few skipped files, so that the reason stands beside the complaint.
fn list_skipped(skipped: &[SkippedFile]) -> String {
    const SHOWN: usize = 3;
    if skipped.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = skipped.iter().take(SHOWN).map(SkippedFile::to_string).collect();
    let more = skipped.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("; skipped: {}{more}", shown.join("; "))
}

/// A file that takes no part, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct SkippedFile {
    /// The file.
    pub path: PathBuf,
    /// Why it is left out.
    pub reason: SkipReason,
}

impl SkippedFile {
    /// `path` takes no part for this reason.
    pub fn new(path: impl Into<PathBuf>, reason: SkipReason) -> Self {
        Self { path: path.into(), reason }
    }
}

impl std::fmt::Display for SkippedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Why a file takes no part.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SkipReason {
    /// It is sound, but of a kind that is not read here.
    #[error("a .{extension} file, a kind that is not read (ffmpeg -i in.{extension} out.flac)")]
    UnreadKind {
        /// Of the file's name.
        extension: String,
    },
    /// It is no sound file, or a damaged one.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A float WAV with NaN or infinite samples.
    #[error("{n_samples} samples are not finite numbers")]
    NotFinite {
        /// How many.
        n_samples: usize,
    },
    /// Digital silence, or nothing that stands out of the floor.
    #[error("silent: no sound in it above {threshold_dbfs} dBFS")]
    Silent {
        /// Level below which everything counts as silence.
        threshold_dbfs: f32,
    },
    /// Less sound than any word has.
    #[error("only {found_ms} ms of sound; expected at least {expected_ms} ms")]
    TooShort {
        /// Length of the sound.
        found_ms: u32,
        /// Length needed.
        expected_ms: u32,
    },
    /// Far longer than the other recordings of the word: its end cannot be trusted.
    #[error(
        "the word seems to last {found_ms} ms, the others last {median_ms} ms (median); cut the clip to the word, or give the \
         word's times in a manifest.tsv"
    )]
    TooLong {
        /// From the word's start to its end.
        found_ms: u32,
        /// Of all recordings of the word.
        median_ms: u32,
    },
    /// The manifest places the word outside the file.
    #[error("the manifest places the word at {start_s} to {end_s} s but the file ends at {duration_s:.3} s")]
    SpanOutside {
        /// Where the word begins.
        start_s: f64,
        /// Where it ends.
        end_s: f64,
        /// Length of the file.
        duration_s: f64,
    },
}
