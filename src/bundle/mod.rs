//! A model folder: everything that a trained detector is, on disk or built in. [door: files]
//!
//! `manifest.toml` says what the model is and how to run it; `weights.safetensors` holds the numbers and repeats, in its
//! header, the features and the shape they were trained for, so that the two files cannot be mixed up; `CARD.md` is for
//! people. No file of a model is ever executed.

mod builtin;
mod combine;
mod error;
mod load;
mod manifest;
mod save;

pub use builtin::BUILTIN_MODELS;
pub use combine::combine;
pub use error::BundleError;
pub use load::{Bundle, Location, locate};
pub use manifest::{FORMAT_VERSION, Manifest, ProvenanceEntry, TrainingSummary, WeightsEntry, WordEntry};
pub use save::{check_destination, save};

/// File names inside a model folder.
pub(crate) const MANIFEST_FILE: &str = "manifest.toml";
pub(crate) const WEIGHTS_FILE: &str = "weights.safetensors";
pub(crate) const CARD_FILE: &str = "CARD.md";
