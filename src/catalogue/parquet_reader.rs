//! The two Parquet tables of a catalogue back to entries, side by side, a recording in memory at a time.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;

use super::parquet_columns::{EVENTS, RECORDINGS, TrackCell, recordings_path};
use super::{CatalogueError, Entries, HeardTrack, RecordingEntry, Setup, WakeEvent};
use crate::events::EVENT_VERSION;
use crate::label::HeardRecording;
use crate::tables::{Row, TableError, TableReader};
use crate::units::Milliseconds;

/// Whether `path` is the table of events of a catalogue.
pub(super) fn is_ours(path: &Path) -> bool {
    TableReader::open(path, EVENTS).is_ok()
}

/// The entries of the catalogue `path`.
///
/// # Errors
/// When one of its tables is missing, or is something else.
pub(super) fn read(path: &Path) -> Result<Entries, CatalogueError> {
    let mut events = TableReader::open(path, EVENTS)?;
    let recordings = TableReader::open(&recordings_path(path), RECORDINGS)?;
    let mut seen = HashSet::new();
    Ok(Box::new(recordings.map(move |row| {
        let row = row?;
        let entry = entry(&row, &mut events)?;
        // Two rows of one recording would be two catalogues that somebody has put together.
        if !seen.insert(entry.path.clone()) {
            return Err(row.fault(format!("{} is there twice, expected once", entry.path)).into());
        }
        Ok(entry)
    })))
}

fn entry(row: &Row, events: &mut TableReader) -> Result<RecordingEntry, TableError> {
    let text = |name: &str| row.needed(name, row.text(name)).map(str::to_owned);
    let moment = |micros: i64| {
        Timestamp::from_microsecond(micros).map_err(|_| row.fault(format!("{micros} us since 1970 is no moment")))
    };
    fn json<T: serde::de::DeserializeOwned>(row: &Row, name: &str) -> Result<T, TableError> {
        serde_json::from_str(row.needed(name, row.text(name))?)
            .map_err(|error| row.fault(format!("column {name} has other JSON than expected: {error}")))
    }
    let path = text("path")?;
    let setup = Setup {
        model: text("model")?,
        model_sha256: text("model_sha256")?,
        thresholds: json(row, "thresholds")?,
        tripword_version: text("tripword_version")?,
    };
    let result = match row.text("status") {
        Some("failed") => Err(row.text("error").unwrap_or_default().to_owned()),
        Some("labelled") => {
            let mut tracks = Vec::new();
            for track in json::<Vec<TrackCell>>(row, "tracks")? {
                let events =
                    events.by_ref().take(track.n_events).map(|event| self::event(&event?, &path, track.channel));
                let events: Vec<WakeEvent> = events.collect::<Result<_, _>>()?;
                if events.len() < track.n_events {
                    return Err(row.fault(format!(
                        "the table of events ends, expected {} more of {path}",
                        track.n_events - events.len()
                    )));
                }
                tracks.push(HeardTrack {
                    channel: track.channel,
                    duration_s: track.duration_s,
                    events,
                    warnings: Vec::new(),
                });
            }
            if let (Some(track), Some(warnings)) = (tracks.first_mut(), row.text("warnings")) {
                track.warnings = warnings.lines().map(str::to_owned).collect();
            }
            let whole = |name: &str| row.needed(name, row.integer(name));
            let fits = |name: &'static str| move |_| row.fault(format!("column {name} has a number out of its range"));
            Ok(HeardRecording {
                path: (&path).into(),
                n_channels: whole("n_channels")?.try_into().map_err(fits("n_channels"))?,
                sample_rate_hz: whole("sample_rate_hz")?.try_into().map_err(fits("sample_rate_hz"))?,
                tracks,
            })
        }
        other => {
            return Err(row.fault(format!("found status '{}', expected labelled or failed", other.unwrap_or_default())));
        }
    };
    Ok(RecordingEntry {
        size_bytes: row.integer("size_bytes").map(i64::cast_unsigned),
        modified: row.integer("modified").map(moment).transpose()?,
        labelled_at: moment(row.needed("labelled_at", row.integer("labelled_at"))?)?,
        path,
        setup,
        result,
    })
}

/// The event of a row, which must be one of the recording `path`.
fn event(row: &Row, path: &str, channel: Option<u16>) -> Result<WakeEvent, TableError> {
    let found = row.text("path").unwrap_or_default();
    if found != path || row.integer("channel") != channel.map(i64::from) {
        return Err(
            row.fault(format!("found an event of {found}, expected one of {path}: the tables do not belong together"))
        );
    }
    let text = |name: &str| row.needed(name, row.text(name)).map(str::to_owned);
    let number = |name: &str| row.needed(name, row.number(name));
    let whole = |name: &str| row.needed(name, row.integer(name));
    let latency = u32::try_from(whole("detection_latency_ms")?)
        .map_err(|_| row.fault("column detection_latency_ms has a number out of its range"))?;
    Ok(WakeEvent {
        version: EVENT_VERSION,
        file: path.to_owned(),
        channel,
        word: text("word")?,
        score: number("score")? as f32,
        start_s: number("start_s")?,
        end_s: number("end_s")?,
        time_s: number("time_s")?,
        start_sample: whole("start_sample")?.cast_unsigned(),
        end_sample: whole("end_sample")?.cast_unsigned(),
        time_sample: whole("time_sample")?.cast_unsigned(),
        detection_latency_ms: Milliseconds(latency),
        level_dbfs: None,
        snr_db: None,
        model: text("model")?,
        wall_time: None,
    })
}
