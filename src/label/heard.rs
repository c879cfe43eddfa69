//! What was found in a recording.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::WakeEvent;

/// A recording that was labelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeardRecording {
    /// The file.
    pub path: PathBuf,
    /// Its channels.
    pub n_channels: u16,
    /// Its own rate.
    pub sample_rate_hz: u32,
    /// What was heard of it: the mix, a channel, or each channel.
    pub tracks: Vec<HeardTrack>,
}

impl HeardRecording {
    /// All events, track by track, in each in the order of time.
    pub fn events(&self) -> impl Iterator<Item = &WakeEvent> {
        self.tracks.iter().flat_map(|track| &track.events)
    }

    /// What was odd about it.
    pub fn warnings(&self) -> impl Iterator<Item = &String> {
        self.tracks.iter().flat_map(|track| &track.warnings)
    }

    /// Seconds of sound, each track counted.
    pub fn heard_s(&self) -> f64 {
        self.tracks.iter().map(|track| track.duration_s).sum()
    }
}

/// One track that was heard to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeardTrack {
    /// The channel, counted from 1; none for the mix.
    pub channel: Option<u16>,
    /// Its length in seconds.
    pub duration_s: f64,
    /// In the order of time.
    pub events: Vec<WakeEvent>,
    /// What was odd about it, in a sentence each.
    pub warnings: Vec<String>,
}
