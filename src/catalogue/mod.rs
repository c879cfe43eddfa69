//! What was found in a whole archive, in one file that can be queried. [door: files]
//!
//! `recording and its result → entry → SQLite, or two Parquet tables`; and back, for what reads catalogues again. A catalogue knows a
//! recording by its path as it was named, as all other outputs do. `schema.sql` has the tables and what each column means; the
//! columns of the Parquet tables are the same ones, joined.

mod catalogues;
mod entry;
mod error;
mod kind;
mod parquet_columns;
mod parquet_reader;
mod parquet_writer;
mod sqlite;
mod sqlite_rows;
mod sqlite_whole;

pub use catalogues::Catalogues;
pub use entry::{RecordingEntry, Setup};
pub use error::CatalogueError;
pub use kind::CatalogueKind;
pub use sqlite::SqliteCatalogue;

use std::path::{Path, PathBuf};

use crate::events::WakeEvent;
use crate::label::HeardTrack;

/// Where entries go.
pub trait CatalogueWriter {
    /// Adds what is known of a recording, in place of what was known before.
    ///
    /// # Errors
    /// When the catalogue cannot be written.
    fn put(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError>;

    /// All is told.
    ///
    /// # Errors
    /// When the catalogue cannot be written.
    fn finish(self: Box<Self>) -> Result<(), CatalogueError>;
}

/// Where entries come from.
pub type Entries = Box<dyn Iterator<Item = Result<RecordingEntry, CatalogueError>>>;
