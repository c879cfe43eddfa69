//! From a name or folder to a checked model.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::builtin::BUILTIN_MODELS;
use super::{BundleError, FORMAT_VERSION, MANIFEST_FILE, Manifest, WEIGHTS_FILE};
use crate::difference::first_difference;
use crate::model::{RecurrentCell, StreamingNetwork, Weights, WeightsFile};
use crate::names::same_word;

/// A model that has passed every check and is ready to run.
pub struct Bundle {
    /// What the model is.
    pub manifest: Manifest,
    /// Its weights, as trained.
    pub weights: WeightsFile,
    /// Its weights, packed.
    pub network: StreamingNetwork,
}

/// Where a model is to be taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    Folder(PathBuf),
    /// An entry of [`BUILTIN_MODELS`].
    Builtin(usize),
}

/// Finds `asked`: a folder's path, else the name of a built-in model, else the name of a folder in `models_dir`.
///
/// # Errors
/// When it is none of these; all names that would have worked are listed.
pub fn locate(asked: &str, models_dir: Option<&Path>) -> Result<Location, BundleError> {
    if Path::new(asked).is_dir() {
        return Ok(Location::Folder(asked.into()));
    }
    if let Some(index) = BUILTIN_MODELS.iter().position(|model| model.name == asked) {
        return Ok(Location::Builtin(index));
    }
    let mut choices: Vec<String> = BUILTIN_MODELS.iter().map(|model| model.name.to_owned()).collect();
    if let Some(models_dir) = models_dir {
        let folder = models_dir.join(asked);
        if !asked.is_empty() && folder.join(MANIFEST_FILE).is_file() {
            return Ok(Location::Folder(folder));
        }
        let entries = std::fs::read_dir(models_dir).into_iter().flatten().flatten();
        choices.extend(
            entries
                .filter(|entry| entry.path().join(MANIFEST_FILE).is_file())
                .map(|entry| entry.file_name().to_string_lossy().into_owned()),
        );
    }
    choices.sort();
    Err(BundleError::Unknown { asked: asked.into(), choices: choices.join(", ") })
}

impl Bundle {
    /// Puts a manifest and weights together that were never apart on disk, as at the end of a training; `place` begins the
    /// messages.
    ///
    /// # Errors
    /// When the weights do not fit the manifest.
    pub fn new(place: &str, manifest: Manifest, weights: &Weights) -> Result<Self, BundleError> {
        let weights_error = |source| BundleError::Weights { place: place.into(), source };
        let bytes = weights.to_safetensors(HashMap::new()).map_err(weights_error)?;
        let (weights, _) = WeightsFile::read(bytes.into()).map_err(weights_error)?;
        Self::pack(place, manifest, weights)
    }

    fn pack(place: &str, manifest: Manifest, weights: WeightsFile) -> Result<Self, BundleError> {
        let Manifest { features, model, second_look, words, .. } = &manifest;
        let step_s = features.sample_rate().seconds(model.samples_per_step(features.hop_length_samples));
        let network = StreamingNetwork::of_networks(model, features.n_mels, words.len(), weights.networks())
            .map_err(|source| BundleError::Weights { place: place.into(), source })?
            .with_second_look(second_look.as_ref(), step_s);
        Ok(Self { manifest, weights, network })
    }

    /// Whether one can listen with the model, or only label recordings; `place` begins the message.
    ///
    /// # Errors
    /// When it decides about a sound only after what follows.
    pub fn check_listens(&self, place: &str) -> Result<(), BundleError> {
        if self.network.is_bidirectional() {
            return Err(BundleError::CannotListen { place: place.into() });
        }
        Ok(())
    }

    /// Reads and checks a model.
    ///
    /// # Errors
    /// When it is damaged, newer than this build, or its parts do not belong together; see [`BundleError`].
    pub fn load(location: &Location) -> Result<Self, BundleError> {
        match location {
            Location::Builtin(index) => {
                let model = &BUILTIN_MODELS[*index];
                Self::from_parts(&format!("built-in model '{}'", model.name), model.manifest, |_| {
                    Ok(model.weights.into())
                })
            }
            Location::Folder(folder) => {
                let read = |file: &str| {
                    let path = folder.join(file);
                    std::fs::read(&path).map_err(|source| BundleError::Read { path, source })
                };
                let place = folder.display().to_string();
                let manifest = String::from_utf8(read(MANIFEST_FILE)?).map_err(|error| BundleError::Manifest {
                    place: place.clone(),
                    reason: format!("not UTF-8 text: {error}"),
                })?;
                Self::from_parts(&place, &manifest, |file| Ok(read(file)?.into()))
            }
        }
    }

    fn from_parts(
        place: &str,
        manifest: &str,
        read_weights: impl FnOnce(&str) -> Result<Cow<'static, [u8]>, BundleError>,
    ) -> Result<Self, BundleError> {
        let manifest = parse_manifest(place, manifest)?;
        let bytes = read_weights(&manifest.weights.file)?;
        let found = sha256_hex(&bytes);
        if found != manifest.weights.sha256 {
            return Err(BundleError::Hash { place: place.into(), found, expected: manifest.weights.sha256 });
        }
        let weights_error = |source| BundleError::Weights { place: place.into(), source };
        let (weights, metadata) = WeightsFile::read(bytes).map_err(weights_error)?;
        check_metadata(place, &manifest, &metadata)?;
        Self::pack(place, manifest, weights)
    }
}

/// Parses and checks the manifest; the version comes first, since a newer manifest may have other keys.
fn parse_manifest(place: &str, text: &str) -> Result<Manifest, BundleError> {
    let damaged = |error: toml::de::Error| BundleError::Manifest {
        place: place.into(),
        reason: error.to_string().trim_end().to_owned(),
    };
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Version { format_version } = toml::from_str(text).map_err(damaged)?;
    if format_version > FORMAT_VERSION {
        return Err(BundleError::TooNew { place: place.into(), found: format_version, newest: FORMAT_VERSION });
    }
    if format_version == 0 {
        let reason = format!("format_version is 0; expected 1 to {FORMAT_VERSION}");
        return Err(BundleError::Manifest { place: place.into(), reason });
    }
    let manifest: Manifest = toml::from_str(text).map_err(damaged)?;

    let words_error = |reason: String| BundleError::Words { place: place.into(), reason };
    manifest.features.validate().map_err(|source| BundleError::Features { place: place.into(), source })?;
    let is_usable = manifest
        .model
        .validate()
        .and_then(|()| manifest.second_look.map_or(Ok(()), |look| look.validate(&manifest.model)));
    is_usable.map_err(|source| BundleError::Model { place: place.into(), source })?;
    if Path::new(&manifest.weights.file).file_name() != Some(manifest.weights.file.as_ref()) {
        return Err(words_error(format!(
            "weights.file is '{}'; expected a file name inside the folder, as '{WEIGHTS_FILE}'",
            manifest.weights.file
        )));
    }
    if manifest.words.is_empty() {
        return Err(words_error("the manifest lists no words; expected one [[words]] entry for each output".into()));
    }
    for (i, word) in manifest.words.iter().enumerate() {
        if manifest.words[..i].iter().any(|other| same_word(&other.name, &word.name)) {
            return Err(words_error(format!("two words are named '{}'; names must differ", word.name)));
        }
        word.trigger.validate().map_err(|source| BundleError::Trigger {
            place: place.into(),
            word: word.name.clone(),
            source,
        })?;
    }
    Ok(manifest)
}

/// The header's key under which the weights repeat what they were trained for.
const METADATA_KEY: &str = "tripword";

/// What the weights' header repeats of the manifest: one key, so that equal weights give equal bytes.
pub(super) fn weights_metadata(manifest: &Manifest) -> HashMap<String, String> {
    HashMap::from([(METADATA_KEY.to_owned(), trained_for(manifest).to_string())])
}

/// Everything the weights cannot be used without. The warm-up is not part of it: that is a setting of running.
fn trained_for(manifest: &Manifest) -> Value {
    let words: Vec<&str> = manifest.words.iter().map(|word| word.name.as_str()).collect();
    let config = &manifest.model;
    let mut model = json!({
        "convolutions": config.convolutions,
        "hidden_size": config.hidden_size,
        "n_layers": config.n_layers,
    });
    // A GRU goes unsaid, as in weights from before there was a choice.
    if config.cell != RecurrentCell::Gru {
        model["cell"] = json!(config.cell);
    }
    json!({ "features": manifest.features, "model": model, "words": words })
}

fn check_metadata(place: &str, manifest: &Manifest, metadata: &HashMap<String, String>) -> Result<(), BundleError> {
    let trained = metadata
        .get(METADATA_KEY)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::String("nothing that tripword wrote".into()));
    // Through text and back, so that both sides hold numbers of the same width.
    let found = serde_json::from_str(&trained_for(manifest).to_string()).expect("JSON that was just written");
    match first_difference("", &trained, &found) {
        None => Ok(()),
        Some((key, trained, found)) => Err(BundleError::Mismatch { place: place.into(), key, trained, found }),
    }
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
