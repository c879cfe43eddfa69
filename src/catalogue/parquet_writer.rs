//! A catalogue as two Parquet tables, which appear at the end, the events first.

use std::path::Path;

use jiff::Timestamp;

use super::parquet_columns::{EVENTS, RECORDINGS, TrackCell, recordings_path};
use super::{CatalogueError, CatalogueWriter, RecordingEntry};
use crate::label::HeardRecording;
use crate::tables::{TableError, TableReader, TableWriter, Value};

/// The tables being written.
pub(super) struct ParquetCatalogue {
    events: TableWriter,
    recordings: TableWriter,
}

impl ParquetCatalogue {
    /// Begins the catalogue that is to be `path`; one that stands there is replaced at the end.
    ///
    /// # Errors
    /// When something else stands there, or the disk refuses.
    pub(super) fn create(path: &Path) -> Result<Self, CatalogueError> {
        let recordings = recordings_path(path);
        for (path, kind) in [(path, EVENTS), (&recordings, RECORDINGS)] {
            if path.exists() {
                TableReader::open(path, kind).map_err(|error| match error {
                    TableError::OtherKind { path, found, .. } => CatalogueError::NotACatalogue { path, found },
                    other => other.into(),
                })?;
            }
        }
        Ok(Self {
            events: TableWriter::create(path, EVENTS)?,
            recordings: TableWriter::create(&recordings, RECORDINGS)?,
        })
    }

    fn put_events(&mut self, entry: &RecordingEntry, heard: &HeardRecording) -> Result<(), TableError> {
        let setup = &entry.setup;
        for event in heard.events() {
            self.events.push(&[
                Value::Text(&entry.path),
                Value::of(event.channel, |channel| Value::Small(channel.into())),
                Value::Text(&event.word),
                Value::Float(event.score),
                Value::Double(event.start_s),
                Value::Double(event.end_s),
                Value::Double(event.time_s),
                Value::Integer(event.start_sample.cast_signed()),
                Value::Integer(event.end_sample.cast_signed()),
                Value::Integer(event.time_sample.cast_signed()),
                Value::Integer(event.detection_latency_ms.0.into()),
                Value::of(setup.threshold(&event.word), Value::Float),
                Value::Text(&setup.model),
                Value::Text(&setup.model_sha256),
            ])?;
        }
        Ok(())
    }
}

impl CatalogueWriter for ParquetCatalogue {
    fn put(&mut self, entry: &RecordingEntry) -> Result<(), CatalogueError> {
        let heard = entry.result.as_ref().ok();
        if let Some(heard) = heard {
            self.put_events(entry, heard)?;
        }
        let tracks: Vec<TrackCell> = heard.map_or(&[][..], |heard| &heard.tracks).iter().map(TrackCell::from).collect();
        let json = |text: Result<String, serde_json::Error>| text.expect("texts and finite numbers");
        let (tracks, thresholds) =
            (json(serde_json::to_string(&tracks)), json(serde_json::to_string(&entry.setup.thresholds)));
        let warnings = entry.warnings();
        self.recordings.push(&[
            Value::Text(&entry.path),
            Value::Text(if heard.is_some() { "labelled" } else { "failed" }),
            Value::of(entry.result.as_ref().err(), |error| Value::Text(error)),
            Value::of(warnings.as_deref(), Value::Text),
            Value::of(entry.size_bytes, |size| Value::Integer(size.cast_signed())),
            Value::of(entry.modified.map(Timestamp::as_microsecond), Value::Integer),
            Value::of(heard, |heard| Value::Small(heard.n_channels.into())),
            Value::of(heard, |heard| Value::Integer(heard.sample_rate_hz.into())),
            Value::of(heard.map(HeardRecording::heard_s), Value::Double),
            Value::Integer(entry.n_events() as i64),
            Value::Text(&tracks),
            Value::Integer(entry.labelled_at.as_microsecond()),
            Value::Text(&entry.setup.model),
            Value::Text(&entry.setup.model_sha256),
            Value::Text(&thresholds),
            Value::Text(&entry.setup.tripword_version),
        ])?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), CatalogueError> {
        self.events.finish()?;
        Ok(self.recordings.finish()?)
    }
}
