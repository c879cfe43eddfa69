//! What can be made one of several.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::rows::RowsKind;
use crate::catalogue::CatalogueKind;

/// A kind of file of which there may be a part in every input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MergeKind {
    /// A catalogue of an archive.
    Catalogue(CatalogueKind),
    /// Rows that each name their recording.
    Rows(RowsKind),
}

impl MergeKind {
    /// The kind of `path`, by its name and, where the name is that of many things, by its beginning.
    pub(super) fn of(path: &Path) -> Option<Self> {
        if let Ok(kind) = CatalogueKind::of_path(path) {
            return kind.is_catalogue(path).then_some(Self::Catalogue(kind));
        }
        let rows = RowsKind::of_path(path)?;
        let is_one = rows != RowsKind::Csv || RowsKind::is_head(&first_line(path)?);
        is_one.then_some(Self::Rows(rows))
    }

    /// Whether the two can be merged into one.
    pub(super) fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Catalogue(_), Self::Catalogue(_)) => true,
            (one, other) => one == other,
        }
    }
}

fn first_line(path: &Path) -> Option<String> {
    let mut line = String::new();
    // No head is longer; a file without line breaks is no table.
    let mut start = std::io::Read::take(BufReader::new(std::fs::File::open(path).ok()?), 1 << 16);
    start.read_line(&mut line).ok()?;
    Some(line)
}
