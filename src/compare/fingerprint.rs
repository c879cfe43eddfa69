//! What tells one set of recordings from another.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dataset::Inventory;

/// A set of recordings, by number, names and sizes. Where the folder lies does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Recordings of words.
    pub n_words: usize,
    /// Other recordings.
    pub n_negatives: usize,
    /// Recordings of noise.
    pub n_noises: usize,
    /// Responses of rooms.
    pub n_rooms: usize,
    /// SHA-256 over the names and sizes of all files.
    pub sha256: String,
}

impl Fingerprint {
    /// That of `inventory`. A file that is gone has no size.
    pub fn of(inventory: &Inventory) -> Self {
        let paths = (inventory.positives.iter().map(|file| &file.path))
            .chain(inventory.negatives.iter().map(|file| &file.path))
            .chain(inventory.noises.iter().map(|file| &file.path))
            .chain(inventory.rooms.iter().map(|file| &file.path));
        let mut hash = Sha256::new();
        for path in paths {
            let name = path.strip_prefix(&inventory.root).unwrap_or(path);
            let n_bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            hash.update(format!("{}\t{n_bytes}\n", name.display()));
        }
        Self {
            n_words: inventory.positives.len(),
            n_negatives: inventory.negatives.len(),
            n_noises: inventory.noises.len(),
            n_rooms: inventory.rooms.len(),
            sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
