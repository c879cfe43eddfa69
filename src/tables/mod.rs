//! Tables as Parquet files: rows in and whole files out, in constant memory; and back, row by row. [door: files]
//!
//! A table's columns are written down in Parquet's own notation, its kind in the file's metadata under the key `tripword`, so
//! that nobody else's table is taken for one of ours.

mod error;
mod reader;
mod writer;

pub use error::TableError;
pub use reader::{Row, TableReader};
pub use writer::{TableWriter, Value};

/// What a table holds: its columns, and a name that tells tables apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableKind {
    /// What the file's metadata says, with the version of the columns.
    pub name: &'static str,
    /// The columns, as a message in Parquet's notation.
    pub columns: &'static str,
}

/// The key of a table's kind in the metadata.
const KIND_KEY: &str = "tripword";
