//! Why a table could not be written or read.

use std::path::PathBuf;

use parquet::errors::ParquetError;

/// Why a table could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The disk refuses.
    #[error("{path}: cannot be written; no part of it was left behind", path = path.display())]
    Write {
        /// The table.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It cannot be opened.
    #[error("{path}: cannot be read", path = path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Parquet's own library refuses.
    #[error("{path}: {doing} failed", path = path.display())]
    Parquet {
        /// The table.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Its reason.
        source: ParquetError,
    },
    /// Another table, or none at all.
    #[error("{path}: found {found}, expected a table that tripword wrote ({expected})", path = path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// The kind that was expected.
        expected: &'static str,
    },
    /// A row that does not fit the table's columns.
    #[error("{path}, row {row}: {fault}", path = path.display())]
    Row {
        /// The table.
        path: PathBuf,
        /// Counted from 1.
        row: usize,
        /// What was found and expected.
        fault: String,
    },
}
