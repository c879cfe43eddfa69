//! One wake event.

use serde::{Deserialize, Serialize};

use crate::bundle::Manifest;
use crate::detector::Detection;
use crate::units::Milliseconds;

/// Version of the event's fields. Fields may be added; it is raised when one is removed or changes its meaning.
pub const EVENT_VERSION: u32 = 1;

/// A word was said. Times in seconds count from the stream's first sample; sample positions are at the model's rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WakeEvent {
    /// See [`EVENT_VERSION`].
    pub version: u32,
    /// The file, device or `-` that was heard.
    pub file: String,
    /// The channel that was heard, counted from 1, where one of several was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<u16>,
    /// The word, as the model names it.
    pub word: String,
    /// Highest score up to the decision, 0 to 1.
    pub score: f32,
    /// Estimated start of the word.
    pub start_s: f64,
    /// Estimated end of the word.
    pub end_s: f64,
    /// The moment of decision.
    pub time_s: f64,
    /// `start_s` in samples.
    pub start_sample: u64,
    /// `end_s` in samples.
    pub end_sample: u64,
    /// `time_s` in samples.
    pub time_sample: u64,
    /// From the estimated end of the word to the decision.
    pub detection_latency_ms: Milliseconds,
    /// Level of the word to full scale, in decibels; where `listen` heard it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level_dbfs: Option<f32>,
    /// Power of the word to that of the quiet moments before it, in decibels; where `listen` heard it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snr_db: Option<f32>,
    /// The model that heard it.
    pub model: String,
    /// RFC 3339 wall time of the decision; where `listen` heard it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wall_time: Option<String>,
}

impl WakeEvent {
    /// The event of `detection` in the stream `source`, without wall time.
    pub fn new(detection: &Detection, manifest: &Manifest, source: &str) -> Self {
        let rate = manifest.features.sample_rate();
        Self {
            version: EVENT_VERSION,
            file: source.to_owned(),
            channel: None,
            word: manifest.words[detection.word_idx].name.clone(),
            score: detection.score,
            start_s: rate.seconds(detection.start_sample),
            end_s: rate.seconds(detection.end_sample),
            time_s: rate.seconds(detection.decision_sample),
            start_sample: detection.start_sample,
            end_sample: detection.end_sample,
            time_sample: detection.decision_sample,
            detection_latency_ms: detection.latency(rate),
            level_dbfs: None,
            snr_db: None,
            model: manifest.name.clone(),
            wall_time: None,
        }
    }

    /// The event as one line of JSON, without the line's end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event is strings and finite numbers")
    }
}
