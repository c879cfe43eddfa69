//! Why a recording was not labelled.

use std::path::{Path, PathBuf};

use crate::audio::AudioError;
use crate::tables::TableError;

/// Why a recording was not labelled.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A table of scores cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The user wants to stop.
    #[error("{}: stopped", path.display())]
    Cancelled {
        /// The file that was being labelled.
        path: PathBuf,
    },
    /// A pipe, of which something is wanted that takes reading it twice.
    #[error("{}: cannot be read twice, which {what} needs; save it as a file first", path.display())]
    NotAFile {
        /// The pipe.
        path: PathBuf,
        /// What needs it.
        what: &'static str,
    },
    /// An output cannot be written.
    #[error("{path}: cannot be written; no part of it was left behind", path = path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl LabelError {
    /// The output `path` could not be written.
    pub fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }
}
