//! Walking folders: everything sorted by name, so that one folder gives one order on every machine.

use std::path::{Path, PathBuf};

use super::{DatasetError, SkipReason, SkippedFile};
use crate::audio::file::has_sound_ending;

/// Kinds of sound that are not read; files with these endings are named as skipped, other files are no sound.
const UNREAD: [&str; 5] = ["amr", "ape", "wma", "wv", "3gp"];

/// The sound files below a folder, and those of a kind that is not read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sounds: Vec<PathBuf>,
    pub(super) skipped: Vec<SkippedFile>,
}

/// Names in `folder` that do not begin with a dot, sorted.
pub(super) fn visible_names(folder: &Path) -> Result<Vec<String>, DatasetError> {
    Ok(entries(folder)?
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

/// Folders directly in `folder`, sorted; none if `folder` does not exist.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// Sound files directly in `folder`.
pub(super) fn sounds_in(folder: &Path) -> Result<Found, DatasetError> {
    let mut found = Found::default();
    if folder.is_dir() {
        collect(folder, false, &mut found)?;
    }
    Ok(found)
}

/// Sound files in `folder` and every folder below it, sorted; none if `folder` does not exist.
///
/// # Errors
/// When a folder cannot be read.
pub fn sounds(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    Ok(sounds_below(folder)?.sounds)
}

/// The same with what is not read.
pub(super) fn sounds_below(folder: &Path) -> Result<Found, DatasetError> {
    let mut found = Found::default();
    if folder.is_dir() {
        collect(folder, true, &mut found)?;
    }
    Ok(found)
}

fn collect(folder: &Path, with_subfolders: bool, found: &mut Found) -> Result<(), DatasetError> {
    for path in entries(folder)? {
        if path.is_dir() {
            if with_subfolders {
                collect(&path, true, found)?;
            }
            continue;
        }
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if has_sound_ending(&path) {
            found.sounds.push(path);
        } else if UNREAD.contains(&extension.as_str()) {
            found.skipped.push(SkippedFile { path, reason: SkipReason::UnreadKind { extension } });
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let io = |source| DatasetError::Io { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
