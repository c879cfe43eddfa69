//! The two Parquet tables of a catalogue.

use std::path::{Path, PathBuf};

use super::HeardTrack;
use crate::tables::TableKind;

/// `NAME.parquet`: a row for each event, in the order of the recordings, then of their tracks, then of time.
pub(super) const EVENTS: TableKind = TableKind {
    name: "catalogue events 1",
    columns: "message events {
        required byte_array path (string);
        optional int32 channel;
        required byte_array word (string);
        required float score;
        required double start_s;
        required double end_s;
        required double time_s;
        required int64 start_sample;
        required int64 end_sample;
        required int64 time_sample;
        required int64 detection_latency_ms;
        optional float threshold;
        required byte_array model (string);
        required byte_array model_sha256 (string);
    }",
};

/// `NAME.recordings.parquet`: a row for each recording. `tracks` is JSON: `[{"channel": 1, "duration_s": 3.5, "n_events": 2}]`;
/// `thresholds` is, too: `[["alexa", 0.5]]`.
pub(super) const RECORDINGS: TableKind = TableKind {
    name: "catalogue recordings 1",
    columns: "message recordings {
        required byte_array path (string);
        required byte_array status (string);
        optional byte_array error (string);
        optional byte_array warnings (string);
        optional int64 size_bytes;
        optional int64 modified (timestamp(micros, true));
        optional int32 n_channels;
        optional int64 sample_rate_hz;
        optional double heard_s;
        required int64 n_events;
        required byte_array tracks (string);
        required int64 labelled_at (timestamp(micros, true));
        required byte_array model (string);
        required byte_array model_sha256 (string);
        required byte_array thresholds (string);
        required byte_array tripword_version (string);
    }",
};

/// A track as it stands in the column `tracks`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct TrackCell {
    pub(super) channel: Option<u16>,
    pub(super) duration_s: f64,
    pub(super) n_events: usize,
}

impl From<&HeardTrack> for TrackCell {
    fn from(track: &HeardTrack) -> Self {
        Self { channel: track.channel, duration_s: track.duration_s, n_events: track.events.len() }
    }
}

/// Where the recordings of the catalogue `path` are: `NAME.recordings.parquet` beside `NAME.parquet`.
pub(super) fn recordings_path(path: &Path) -> PathBuf {
    path.with_extension("recordings.parquet")
}
