//! Writing a model folder, whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

use super::load::{sha256_hex, weights_metadata};
use super::{BundleError, CARD_FILE, MANIFEST_FILE, Manifest, WEIGHTS_FILE, WeightsEntry};
use crate::model::Weights;

/// Sees whether a model may be put at `destination`: nothing is there, an empty folder, or a model. Anything else would be lost
/// to it.
///
/// # Errors
/// When something else is there; it is named.
pub fn check_destination(destination: &Path) -> Result<(), BundleError> {
    let occupied = |found: String| Err(BundleError::Occupied { path: destination.into(), found });
    let entries = match fs::read_dir(destination) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return occupied("a file".into()),
        Err(source) => return Err(BundleError::Read { path: destination.into(), source }),
    };
    for entry in entries {
        let entry = entry.map_err(|source| BundleError::Read { path: destination.into(), source })?;
        let name = entry.file_name();
        if ![MANIFEST_FILE, WEIGHTS_FILE, CARD_FILE].iter().any(|file| name == *file) {
            return occupied(format!("'{}'", name.display()));
        }
    }
    Ok(())
}

/// Writes the folder `destination` with manifest, weights and card. The files are made in a folder beside it and moved into
/// place in one step; a model that stood there before is replaced only then. Gives the manifest as written, with the
/// weights' hash.
///
/// # Errors
/// When the weights cannot be serialised or the disk refuses; `destination` is as it was before.
pub fn save(
    destination: &Path,
    mut manifest: Manifest,
    weights: &Weights,
    card: &str,
) -> Result<Manifest, BundleError> {
    check_destination(destination)?;
    let place = destination.display().to_string();
    let bytes = weights
        .to_safetensors(weights_metadata(&manifest))
        .map_err(|source| BundleError::Weights { place: place.clone(), source })?;
    manifest.weights =
        WeightsEntry { file: WEIGHTS_FILE.into(), sha256: sha256_hex(&bytes), n_parameters: weights.n_parameters() };
    let text = toml::to_string_pretty(&manifest)
        .map_err(|error| BundleError::Manifest { place, reason: error.to_string() })?;
    write_folder(
        destination,
        &[(MANIFEST_FILE, text.as_bytes()), (WEIGHTS_FILE, &bytes), (CARD_FILE, card.as_bytes())],
    )
    .map_err(|source| BundleError::Write { path: destination.into(), source })?;
    Ok(manifest)
}

fn write_folder(destination: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    let parent = match destination.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let staging = tempfile::Builder::new().prefix(".tripword-model-").tempdir_in(parent)?;
    let made = staging.path().join("new");
    fs::create_dir(&made)?;
    for (name, bytes) in files {
        let path = made.join(name);
        fs::write(&path, bytes)?;
        fs::File::open(&path)?.sync_all()?;
    }
    // A folder cannot be replaced in one step: the old one steps aside into the staging folder, which is then removed.
    let aside = staging.path().join("old");
    let had_old = destination.exists();
    if had_old {
        fs::rename(destination, &aside)?;
    }
    if let Err(error) = fs::rename(&made, destination) {
        if had_old {
            fs::rename(&aside, destination)?;
        }
        return Err(error);
    }
    Ok(())
}
