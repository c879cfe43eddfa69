//! What a catalogue knows of one recording.

use std::error::Error;

use jiff::{Timestamp, Unit};

use super::Path;
use crate::bundle::Manifest;
use crate::label::{HeardRecording, LabelError, Recording};

/// With what a recording was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights, in hexadecimal.
    pub model_sha256: String,
    /// Each word with the threshold in force, in the model's order.
    pub thresholds: Vec<(String, f32)>,
    /// The program's version.
    pub tripword_version: String,
}

impl Setup {
    /// This program with the model `manifest`, whose thresholds are those in force.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            model: manifest.name.clone(),
            model_sha256: manifest.weights.sha256.clone(),
            thresholds: manifest.words.iter().map(|word| (word.name.clone(), word.trigger.threshold)).collect(),
            tripword_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The threshold of `word`, if the model has it.
    pub fn threshold(&self, word: &str) -> Option<f32> {
        self.thresholds.iter().find(|(name, _)| name == word).map(|(_, threshold)| *threshold)
    }
}

/// What is known of a recording. Moments are whole microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingEntry {
    /// The recording as it was named; there is one entry of each.
    pub path: String,
    /// The file's size when it was heard, where it is a file.
    pub size_bytes: Option<u64>,
    /// When the file was last changed.
    pub modified: Option<Timestamp>,
    /// When it was heard.
    pub labelled_at: Timestamp,
    /// With what.
    pub setup: Setup,
    /// What was found, or why it could not be heard.
    pub result: Result<HeardRecording, String>,
}

impl RecordingEntry {
    /// The entry of a recording that was just heard.
    pub fn new(recording: &Recording, heard: &Result<HeardRecording, LabelError>, setup: &Setup) -> Self {
        let metadata = recording.path.metadata().ok().filter(std::fs::Metadata::is_file);
        let modified = metadata.as_ref().and_then(|metadata| Timestamp::try_from(metadata.modified().ok()?).ok());
        Self {
            path: recording.path.display().to_string(),
            size_bytes: metadata.map(|metadata| metadata.len()),
            modified: modified.map(in_microseconds),
            labelled_at: in_microseconds(Timestamp::now()),
            setup: setup.clone(),
            result: match heard {
                Ok(heard) => Ok(heard.clone()),
                Err(error) => Err(with_causes(error)),
            },
        }
    }

    /// Where it comes among the recordings of a run over a folder: after those whose folders and names come before.
    pub fn order(path: &str) -> &Path {
        Path::new(path)
    }

    /// How many events it has.
    pub fn n_events(&self) -> usize {
        self.result.as_ref().map_or(0, |heard| heard.events().count())
    }

    /// What was odd, a line each.
    pub(super) fn warnings(&self) -> Option<String> {
        let heard = self.result.as_ref().ok()?;
        let lines: Vec<String> = heard.warnings().map(|warning| warning.replace('\n', " ")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// The nearest microsecond: what both kinds of catalogue can keep.
fn in_microseconds(moment: Timestamp) -> Timestamp {
    moment.round(Unit::Microsecond).unwrap_or(moment)
}

/// An error and what caused it, as the program prints it.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
