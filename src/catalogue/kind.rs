//! The kinds of catalogues, told apart by the names of their files.

use std::path::{Path, PathBuf};

use super::parquet_columns::recordings_path;
use super::parquet_reader::{self, is_ours};
use super::parquet_writer::ParquetCatalogue;
use super::sqlite::{SqliteCatalogue, check_header};
use super::sqlite_whole::WholeSqlite;
use super::{CatalogueError, CatalogueWriter, Entries};

/// A way to store a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogueKind {
    /// One file, which grows recording by recording and can be looked at meanwhile.
    Sqlite,
    /// `NAME.parquet` with the events and `NAME.recordings.parquet` with the recordings, which appear at the end.
    Parquet,
}

impl CatalogueKind {
    /// The endings of names, and what they mean.
    const ENDINGS: [(&str, Self); 4] =
        [("sqlite", Self::Sqlite), ("sqlite3", Self::Sqlite), ("db", Self::Sqlite), ("parquet", Self::Parquet)];

    /// The kind that the name of `path` tells.
    ///
    /// # Errors
    /// When it tells none; the possible endings are listed.
    pub fn of_path(path: &Path) -> Result<Self, CatalogueError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let known = Self::ENDINGS.iter().find(|(known, _)| *known == ending);
        known.map(|(_, kind)| *kind).ok_or_else(|| CatalogueError::UnknownKind { path: path.into() })
    }

    pub(super) fn choices() -> String {
        Self::ENDINGS.map(|(ending, _)| format!(".{ending}")).join(", ")
    }

    /// All files of the catalogue `path`.
    pub fn files(self, path: &Path) -> Vec<PathBuf> {
        match self {
            Self::Sqlite => vec![path.into()],
            Self::Parquet => vec![path.into(), recordings_path(path)],
        }
    }

    /// Whether there is a catalogue of this kind at `path`.
    pub fn is_catalogue(self, path: &Path) -> bool {
        match self {
            Self::Sqlite => check_header(path).is_ok_and(|is_there| is_there),
            Self::Parquet => is_ours(path),
        }
    }

    /// Opens the catalogue `path` for what is found: SQLite keeps what it has of other recordings, Parquet is made anew.
    ///
    /// # Errors
    /// When something else stands there, which is left as it is, or the disk refuses.
    pub fn open(self, path: &Path) -> Result<Box<dyn CatalogueWriter + Send>, CatalogueError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| CatalogueError::disk(path, source))?;
        }
        Ok(match self {
            Self::Sqlite => Box::new(SqliteCatalogue::open(path)?),
            Self::Parquet => Box::new(ParquetCatalogue::create(path)?),
        })
    }

    /// Begins a new catalogue that is to be `path` and appears there when it is whole; its folder must exist.
    ///
    /// # Errors
    /// When something else stands there, or the disk refuses.
    pub fn create(self, path: &Path) -> Result<Box<dyn CatalogueWriter>, CatalogueError> {
        Ok(match self {
            Self::Sqlite => Box::new(WholeSqlite::create(path)?),
            Self::Parquet => Box::new(ParquetCatalogue::create(path)?),
        })
    }

    /// The entries of the catalogue `path`, in the order in which they were put there.
    ///
    /// # Errors
    /// When it is no catalogue, or cannot be read.
    pub fn read(self, path: &Path) -> Result<Entries, CatalogueError> {
        match self {
            Self::Sqlite => Ok(Box::new(SqliteCatalogue::open_to_read(path)?.into_entries()?)),
            Self::Parquet => parquet_reader::read(path),
        }
    }
}
