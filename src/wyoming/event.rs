//! One message of the protocol.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A message: what it is, what it says, and bytes that come with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// As in `detect` or `audio-chunk`.
    pub kind: String,
    /// By name; nulls are kept.
    pub data: Map<String, Value>,
    /// Sound, in an `audio-chunk`.
    pub payload: Vec<u8>,
}

impl Event {
    /// A message of `data`, which is an object or says nothing.
    pub fn new(kind: &str, data: Value) -> Self {
        let data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Self { kind: kind.to_owned(), data, payload: Vec::new() }
    }

    /// An `error` with a text for people and a code for programs.
    pub fn error(code: &str, text: &str) -> Self {
        Self::new("error", json!({ "text": text, "code": code }))
    }

    /// What `audio-start` and `audio-chunk` say of their sound.
    ///
    /// # Errors
    /// What is missing or is no whole number.
    pub fn audio_format(&self) -> Result<AudioFormat, String> {
        AudioFormat::deserialize(Value::Object(self.data.clone()))
            .map_err(|error| format!("{}: {error}; expected rate, width and channels as whole numbers", self.kind))
    }

    /// The `timestamp` in milliseconds, where there is one.
    pub fn timestamp_ms(&self) -> Option<i64> {
        let timestamp = self.data.get("timestamp")?;
        timestamp.as_i64().or_else(|| Some(timestamp.as_f64()?.round() as i64))
    }
}

/// How raw samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// Samples a second.
    pub rate: u32,
    /// Bytes a sample: 1 unsigned, 2 to 4 signed, the least significant first.
    pub width: u32,
    /// Interleaved channels.
    pub channels: u32,
}
