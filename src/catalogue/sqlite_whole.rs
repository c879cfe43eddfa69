//! A new SQLite catalogue that appears under its name only when it is whole.

use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::{CatalogueError, CatalogueWriter, RecordingEntry, SqliteCatalogue};

/// A catalogue beside its place, under another name until it is finished.
pub(super) struct WholeSqlite {
    // Closed before the file is moved, or removed.
    draft: SqliteCatalogue,
    file: NamedTempFile,
    path: PathBuf,
}

impl WholeSqlite {
    pub(super) fn create(path: &Path) -> Result<Self, CatalogueError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = Builder::new();
        builder.prefix(".tripword-");
        // As any other new file: what the user's umask leaves.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|source| CatalogueError::disk(path, source))?;
        Ok(Self { draft: SqliteCatalogue::draft(file.path())?, file, path: path.into() })
    }
}

impl CatalogueWriter for WholeSqlite {
    fn put(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError> {
        self.draft.put_in_draft(entry)
    }

    fn finish(self: Box<Self>) -> Result<(), CatalogueError> {
        self.draft.finish_draft()?;
        let moved = self.file.persist(&self.path);
        moved.map(drop).map_err(|error| CatalogueError::disk(&self.path, error.error))
    }
}
