//! Folders of outputs: which files lie where in them, and a folder that appears when it is whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;

use super::MergeError;
use crate::catalogue::CatalogueKind;

/// Every place in the `folders`, with the files that lie there.
pub(super) fn places(folders: &[PathBuf]) -> Result<BTreeMap<PathBuf, Vec<PathBuf>>, MergeError> {
    let mut places: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for folder in folders {
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| MergeError::Disk {
                path: error.path().unwrap_or(folder).to_owned(),
                source: error.into(),
            })?;
            if entry.file_type().is_file() && !is_unfinished(entry.path()) && part_of(entry.path()).is_none() {
                let place = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
                places.entry(place).or_default().push(entry.into_path());
            }
        }
    }
    Ok(places)
}

/// What a run that was killed has left of a file.
fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".tripword-"))
}

/// The catalogue beside `path` of which it is a part: its recordings, or SQLite's log.
pub(super) fn part_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let parquet = name.strip_suffix(".recordings.parquet").map(|stem| format!("{stem}.parquet"));
    let sqlite = ["-wal", "-shm", "-journal"].iter().find_map(|log| name.strip_suffix(log)).map(str::to_owned);
    let main = path.with_file_name(parquet.or(sqlite)?);
    CatalogueKind::of_path(&main).is_ok_and(|kind| kind.is_catalogue(&main)).then_some(main)
}

/// A folder that is filled beside its place and moved there at the end. Dropped before, it leaves nothing behind.
pub(super) struct WholeFolder {
    draft: TempDir,
    out: PathBuf,
}

impl WholeFolder {
    /// Begins the folder that is to be `out`; what it lies in is made, too.
    pub(super) fn create(out: &Path) -> Result<Self, MergeError> {
        let parent = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(MergeError::disk(parent))?;
        let draft =
            tempfile::Builder::new().prefix(".tripword-").tempdir_in(parent).map_err(MergeError::disk(parent))?;
        let whole = Self { draft, out: out.into() };
        // One of its own, with the rights of any new folder.
        std::fs::create_dir(whole.root()).map_err(MergeError::disk(out))?;
        Ok(whole)
    }

    fn root(&self) -> PathBuf {
        self.draft.path().join("whole")
    }

    /// Where the file at `place` is to be written; its folder is there.
    pub(super) fn path(&self, place: &Path) -> Result<PathBuf, MergeError> {
        let path = self.root().join(place);
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(MergeError::disk(folder))?;
        Ok(path)
    }

    /// Moves the folder to its place, which must be free or an empty folder.
    pub(super) fn finish(self) -> Result<(), MergeError> {
        std::fs::rename(self.root(), &self.out).map_err(MergeError::disk(&self.out))
    }
}
