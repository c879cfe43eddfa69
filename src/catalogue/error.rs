//! Why a catalogue could not be written or read.

use std::io;
use std::path::{Path, PathBuf};

use super::kind::CatalogueKind;
use crate::tables::TableError;

/// Why a catalogue could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A name that tells no kind.
    #[error(
        "{path}: the name tells no kind of catalogue; expected one that ends in {}", CatalogueKind::choices(),
        path = path.display()
    )]
    UnknownKind {
        /// As it was given.
        path: PathBuf,
    },
    /// The same file for two catalogues.
    #[error("{path} is named twice", path = path.display())]
    NamedTwice {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else's file.
    #[error("{path}: found {found}, expected a catalogue of tripword or no file; name another", path = path.display())]
    NotACatalogue {
        /// The file, which is as it was.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A catalogue of another version.
    #[error(
        "{path}: found a catalogue with tables of version {found}, expected {expected}; name another, or use the tripword that made it",
        path = path.display()
    )]
    OtherVersion {
        /// The file, which is as it was.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this program writes.
        expected: u32,
    },
    /// No file at all, where one is to be read.
    #[error("{path}: there is no catalogue", path = path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The disk refuses.
    #[error("{path}: the disk refuses", path = path.display())]
    Disk {
        /// The catalogue.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("{path}: SQLite refuses", path = path.display())]
    Sqlite {
        /// The catalogue.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// A row that makes no sense.
    #[error("{path}: what is stored of {recording} makes no sense: {fault}", path = path.display())]
    Content {
        /// The catalogue.
        path: PathBuf,
        /// The recording.
        recording: String,
        /// What was found and expected.
        fault: String,
    },
    /// A Parquet table refuses.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CatalogueError {
    /// The disk refuses something of the catalogue `path`.
    pub(super) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk { path: path.into(), source }
    }

    /// SQLite refuses something of the catalogue `path`.
    pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |source| Self::Sqlite { path: path.into(), source }
    }
}
