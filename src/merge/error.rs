//! Why outputs could not be merged.

use std::io;
use std::path::{Path, PathBuf};

use crate::catalogue::CatalogueError;

/// Why outputs could not be merged. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The result would be written over something.
    #[error("{path}: is there already; name another place for the result, or remove it", path = path.display())]
    IsThere {
        /// The place of the result.
        path: PathBuf,
    },
    /// An input that is not there.
    #[error("{path}: there is no such file or folder", path = path.display())]
    NotFound {
        /// The input.
        path: PathBuf,
    },
    /// Folders and files at once.
    #[error(
        "{folder} is a folder and {file} is not; merge folders of outputs, or files of one kind",
        folder = folder.display(), file = file.display()
    )]
    Mixed {
        /// One input.
        folder: PathBuf,
        /// Another one.
        file: PathBuf,
    },
    /// A file of which there is no way to make one of several.
    #[error(
        "{path}: files of this kind cannot be merged; expected catalogues (.sqlite, .parquet), events or labels with a column or field \
         for the recording (.jsonl, .csv, .rttm), or folders of outputs",
        path = path.display()
    )]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// Files of two kinds.
    #[error(
        "{other} is of another kind than {path}; merge files of one kind at a time",
        path = path.display(), other = other.display()
    )]
    OtherKind {
        /// One file.
        path: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// Files of one name and different content.
    #[error(
        "{n} with different content in several inputs and no way to make one of them, {first} and {second} first; label every recording \
         in one run only, or merge into several places",
        n = if *n_conflicts == 1 { "a file".to_owned() } else { format!("{n_conflicts} files") },
        first = first.display(), second = second.display()
    )]
    Conflict {
        /// How many there are.
        n_conflicts: usize,
        /// The first one in one input.
        first: PathBuf,
        /// The same in another one.
        second: PathBuf,
    },
    /// A line that is not what all lines of its kind are.
    #[error("{path}, line {line}: found '{found}', expected {expected}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is there, shortened.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The disk refuses.
    #[error("{path}: the disk refuses", path = path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A catalogue refuses.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The user wants to stop.
    #[error("stopped by a signal; nothing was written")]
    Cancelled,
}

impl MergeError {
    /// The disk refuses something about `path`.
    pub(super) fn disk(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Disk { path: path.into(), source }
    }

    /// A line of `path`, counted from 1, is something else.
    pub(super) fn line(path: &Path, line: usize, found: &str, expected: &'static str) -> Self {
        const LONGEST: usize = 60;
        let mut short: String = found.chars().take(LONGEST).collect();
        if short.len() < found.len() {
            short.push('…');
        }
        Self::Line { path: path.into(), line, found: short, expected }
    }
}
