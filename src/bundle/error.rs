//! Why a model folder was refused.

use std::io;
use std::path::PathBuf;

use crate::detector::DetectorConfigError;
use crate::features::FeatureConfigError;
use crate::model::{ModelConfigError, WeightsError};

/// A model that cannot be loaded or saved. Every message begins with the place.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Neither a folder nor a known name.
    #[error(
        "there is no model '{asked}': it is neither a folder with a {manifest} nor one of {choices}; \
         train one with 'tripword train', or give the path of a model folder",
        manifest = super::MANIFEST_FILE
    )]
    Unknown {
        /// What was asked for.
        asked: String,
        /// The names that would have worked.
        choices: String,
    },
    /// A file of the folder cannot be read.
    #[error("{path}: cannot be read; a model folder holds {manifest} and {weights}",
        path = path.display(), manifest = super::MANIFEST_FILE, weights = super::WEIGHTS_FILE)]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder cannot be written.
    #[error("{path}: cannot be written; nothing was changed there", path = path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The place for a model holds something else.
    #[error("{path}: is in the way: it holds {found}, and a model would replace it; give a new folder, an empty one, or that of a model",
        path = path.display())]
    Occupied {
        /// Where the model was to go.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The model can only label recordings.
    #[error(
        "{place}: its network is bidirectional: it decides about a sound only when it has heard what follows, so it labels recordings \
         ('tripword label') and cannot listen; train one with train.network.bidirectional = false"
    )]
    CannotListen {
        /// The model.
        place: String,
    },
    /// Models that are to be one do not fit together.
    #[error(
        "{place}: has {key} = {found}, {other} has {expected}; only models with the same features, shape and words can be combined"
    )]
    Combine {
        /// The model.
        place: String,
        /// The one before it.
        other: String,
        /// What differs.
        key: String,
        /// Its value.
        found: String,
        /// The other's.
        expected: String,
    },
    /// The manifest is not TOML of this form.
    #[error("{place}: damaged manifest: {reason}")]
    Manifest {
        /// Folder or name of the model.
        place: String,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The format is newer than this build.
    #[error(
        "{place}: format version {found}, but this tripword reads up to {newest}; update tripword, or train the model again"
    )]
    TooNew {
        /// Folder or name of the model.
        place: String,
        /// In the manifest.
        found: u32,
        /// What this build reads.
        newest: u32,
    },
    /// The weights are not those of the manifest.
    #[error(
        "{place}: the weights have SHA-256 {found}, the manifest says {expected}; the folder is damaged or two models were mixed: copy it again"
    )]
    Hash {
        /// Folder or name of the model.
        place: String,
        /// Of the file.
        found: String,
        /// By the manifest.
        expected: String,
    },
    /// The manifest describes other features or another network than the weights were trained with.
    #[error(
        "{place}: the weights were trained with {key} = {trained}, the manifest says {found}; restore the manifest, or train again with these settings"
    )]
    Mismatch {
        /// Folder or name of the model.
        place: String,
        /// The setting that differs.
        key: String,
        /// In the weights' header.
        trained: String,
        /// In the manifest.
        found: String,
    },
    /// The weights do not fit the network.
    #[error("{place}: {source}")]
    Weights {
        /// Folder or name of the model.
        place: String,
        /// What is wrong.
        source: WeightsError,
    },
    /// A feature setting is out of range.
    #[error("{place}: {source}")]
    Features {
        /// Folder or name of the model.
        place: String,
        /// What is wrong.
        source: FeatureConfigError,
    },
    /// A network setting is out of range.
    #[error("{place}: {source}")]
    Model {
        /// Folder or name of the model.
        place: String,
        /// What is wrong.
        source: ModelConfigError,
    },
    /// A decision rule is out of range.
    #[error("{place}: word '{word}': {source}")]
    Trigger {
        /// Folder or name of the model.
        place: String,
        /// Whose rule.
        word: String,
        /// What is wrong.
        source: DetectorConfigError,
    },
    /// The words are missing or ambiguous.
    #[error("{place}: {reason}")]
    Words {
        /// Folder or name of the model.
        place: String,
        /// What is wrong.
        reason: String,
    },
}
