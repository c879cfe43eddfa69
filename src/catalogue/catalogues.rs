//! All catalogues of a run, fed with the results of its recordings.

use super::{CatalogueError, CatalogueKind, CatalogueWriter, PathBuf, RecordingEntry, Setup};
use crate::bundle::Manifest;
use crate::label::{HeardRecording, LabelError, Recording};

/// The catalogues that a run writes; there may be none.
pub struct Catalogues {
    setup: Setup,
    writers: Vec<Box<dyn CatalogueWriter + Send>>,
}

impl Catalogues {
    /// Opens the catalogues `paths` for what the model `manifest` finds.
    ///
    /// # Errors
    /// When one of them is named so that no kind can be told, something else stands there, or the disk refuses.
    pub fn open(paths: &[PathBuf], manifest: &Manifest) -> Result<Self, CatalogueError> {
        let kinds = paths.iter().map(|path| CatalogueKind::of_path(path)).collect::<Result<Vec<_>, _>>()?;
        let files: Vec<PathBuf> = kinds.iter().zip(paths).flat_map(|(kind, path)| kind.files(path)).collect();
        if let Some(twice) = (1..files.len()).find(|i| files[..*i].contains(&files[*i])) {
            return Err(CatalogueError::NamedTwice { path: files[twice].clone() });
        }
        let writers = kinds.into_iter().zip(paths).map(|(kind, path)| kind.open(path));
        Ok(Self { setup: Setup::of(manifest), writers: writers.collect::<Result<_, _>>()? })
    }

    /// The result of a recording. One that was stopped has none: what was known of it stays.
    ///
    /// # Errors
    /// When a catalogue cannot be written.
    pub fn take(
        &mut self,
        recording: &Recording,
        heard: &Result<HeardRecording, LabelError>,
    ) -> Result<(), CatalogueError> {
        if self.writers.is_empty() || matches!(heard, Err(LabelError::Cancelled { .. })) {
            return Ok(());
        }
        let entry = RecordingEntry::new(recording, heard, &self.setup);
        self.writers.iter_mut().try_for_each(|writer| writer.put(&entry))
    }

    /// All recordings were told: what appears at the end appears now. Without it, SQLite has what it was told, and Parquet
    /// tables do not appear.
    ///
    /// # Errors
    /// When a catalogue cannot be written.
    pub fn finish(self) -> Result<(), CatalogueError> {
        self.writers.into_iter().try_for_each(CatalogueWriter::finish)
    }
}
