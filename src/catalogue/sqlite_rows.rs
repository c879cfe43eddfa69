//! An entry as rows of the SQLite tables, and back.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::{HeardTrack, RecordingEntry, Setup, WakeEvent};
use crate::events::EVENT_VERSION;
use crate::label::HeardRecording;
use crate::units::Milliseconds;

/// The setups that a catalogue has, with their ids: few, as there is one for each model and set of thresholds.
#[derive(Default)]
pub(super) struct Setups(Vec<(i64, Setup)>);

impl Setups {
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let mut query =
            connection.prepare("SELECT id, model, model_sha256, tripword_version FROM setups ORDER BY id")?;
        let mut found = query
            .query_map([], |row| {
                let setup = Setup {
                    model: row.get(1)?,
                    model_sha256: row.get(2)?,
                    thresholds: Vec::new(),
                    tripword_version: row.get(3)?,
                };
                Ok((row.get(0)?, setup))
            })?
            .collect::<Result<Vec<(i64, Setup)>>>()?;
        let mut query =
            connection.prepare("SELECT word, threshold FROM thresholds WHERE setup_id = ?1 ORDER BY position")?;
        for (id, setup) in &mut found {
            let thresholds = query.query_map([*id], |row| Ok((row.get(0)?, row.get::<_, f64>(1)? as f32)))?;
            setup.thresholds = thresholds.collect::<Result<_>>()?;
        }
        Ok(Self(found))
    }

    /// The id of `setup`, which is added if it is new.
    fn id(&mut self, connection: &Connection, setup: &Setup) -> Result<i64> {
        if let Some((id, _)) = self.0.iter().find(|(_, known)| known == setup) {
            return Ok(*id);
        }
        connection.execute(
            "INSERT INTO setups (model, model_sha256, tripword_version) VALUES (?1, ?2, ?3)",
            params![setup.model, setup.model_sha256, setup.tripword_version],
        )?;
        let id = connection.last_insert_rowid();
        for (position, (word, threshold)) in (0i64..).zip(&setup.thresholds) {
            connection.execute(
                "INSERT INTO thresholds (setup_id, position, word, threshold) VALUES (?1, ?2, ?3, ?4)",
                params![id, position, word, f64::from(*threshold)],
            )?;
        }
        self.0.push((id, setup.clone()));
        Ok(id)
    }
}

/// A moment so that the order of texts is that of time.
fn text_of(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

/// Forgets a recording, its tracks and events.
pub(super) fn delete(connection: &Connection, path: &str) -> Result<()> {
    connection.prepare_cached("DELETE FROM recordings WHERE path = ?1")?.execute([path]).map(drop)
}

/// Adds a recording that is not there.
pub(super) fn insert(connection: &Connection, setups: &mut Setups, entry: &RecordingEntry) -> Result<()> {
    let setup_id = setups.id(connection, &entry.setup)?;
    let heard = entry.result.as_ref();
    let status = if heard.is_ok() { "labelled" } else { "failed" };
    connection
        .prepare_cached(
            "INSERT INTO recordings (path, status, error, warnings, size_bytes, modified, n_channels, sample_rate_hz, heard_s, \
             labelled_at, setup_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            entry.path,
            status,
            heard.err(),
            entry.warnings(),
            entry.size_bytes.map(u64::cast_signed),
            entry.modified.map(text_of),
            heard.ok().map(|heard| heard.n_channels),
            heard.ok().map(|heard| heard.sample_rate_hz),
            heard.ok().map(HeardRecording::heard_s),
            text_of(entry.labelled_at),
            setup_id,
        ])?;
    let recording_id = connection.last_insert_rowid();
    for track in heard.map_or(&[][..], |heard| &heard.tracks) {
        connection
            .prepare_cached("INSERT INTO tracks (recording_id, channel, duration_s) VALUES (?1, ?2, ?3)")?
            .execute(params![recording_id, track.channel, track.duration_s])?;
        let track_id = connection.last_insert_rowid();
        let mut add = connection.prepare_cached(
            "INSERT INTO events (track_id, word, score, start_s, end_s, time_s, start_sample, end_sample, time_sample, \
             detection_latency_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for event in &track.events {
            add.execute(params![
                track_id,
                event.word,
                f64::from(event.score),
                event.start_s,
                event.end_s,
                event.time_s,
                event.start_sample.cast_signed(),
                event.end_sample.cast_signed(),
                event.time_sample.cast_signed(),
                event.detection_latency_ms.0,
            ])?;
        }
    }
    Ok(())
}

/// What is known of the recording `path`, if anything; the inner error says what makes no sense.
pub(super) fn select(
    connection: &Connection,
    setups: &Setups,
    path: &str,
) -> Result<Option<Result<RecordingEntry, String>>> {
    let mut query = connection.prepare_cached(
        "SELECT id, status, error, warnings, size_bytes, modified, n_channels, sample_rate_hz, labelled_at, setup_id \
         FROM recordings WHERE path = ?1",
    )?;
    let Some(row) = query.query_row([path], RecordingRow::read).optional()? else { return Ok(None) };
    let Some((_, setup)) = setups.0.iter().find(|(id, _)| *id == row.setup_id) else {
        return Ok(Some(Err("there is nothing on the model that heard it".into())));
    };
    let tracks = tracks(connection, path, setup, &row)?;
    Ok(Some(row.entry(path, setup, tracks)))
}

/// A row of `recordings`, as it is.
struct RecordingRow {
    id: i64,
    status: String,
    error: Option<String>,
    warnings: Option<String>,
    size_bytes: Option<i64>,
    modified: Option<String>,
    n_channels: Option<u16>,
    sample_rate_hz: Option<u32>,
    labelled_at: String,
    setup_id: i64,
}

impl RecordingRow {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            status: row.get(1)?,
            error: row.get(2)?,
            warnings: row.get(3)?,
            size_bytes: row.get(4)?,
            modified: row.get(5)?,
            n_channels: row.get(6)?,
            sample_rate_hz: row.get(7)?,
            labelled_at: row.get(8)?,
            setup_id: row.get(9)?,
        })
    }

    fn entry(self, path: &str, setup: &Setup, mut tracks: Vec<HeardTrack>) -> Result<RecordingEntry, String> {
        let moment = |text: String| {
            text.parse::<Timestamp>().map_err(|_| format!("found the moment '{text}', expected RFC 3339"))
        };
        let result = match (self.status.as_str(), self.n_channels, self.sample_rate_hz) {
            ("failed", ..) => Err(self.error.unwrap_or_default()),
            ("labelled", Some(n_channels), Some(sample_rate_hz)) => {
                if let (Some(track), Some(warnings)) = (tracks.first_mut(), self.warnings) {
                    track.warnings = warnings.lines().map(str::to_owned).collect();
                }
                Ok(HeardRecording { path: path.into(), n_channels, sample_rate_hz, tracks })
            }
            (status, ..) => return Err(format!("found status '{status}' without number of channels or rate")),
        };
        Ok(RecordingEntry {
            path: path.to_owned(),
            size_bytes: self.size_bytes.map(i64::cast_unsigned),
            modified: self.modified.map(moment).transpose()?,
            labelled_at: moment(self.labelled_at)?,
            setup: setup.clone(),
            result,
        })
    }
}

fn tracks(connection: &Connection, path: &str, setup: &Setup, row: &RecordingRow) -> Result<Vec<HeardTrack>> {
    let mut query =
        connection.prepare_cached("SELECT id, channel, duration_s FROM tracks WHERE recording_id = ?1 ORDER BY id")?;
    let mut events = connection.prepare_cached(
        "SELECT word, score, start_s, end_s, time_s, start_sample, end_sample, time_sample, detection_latency_ms \
         FROM events WHERE track_id = ?1 ORDER BY id",
    )?;
    let found = query.query_map([row.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut tracks = Vec::new();
    for track in found {
        let (id, channel, duration_s): (i64, Option<u16>, f64) = track?;
        let events = events.query_map([id], |row| {
            let sample = |column: usize| row.get(column).map(i64::cast_unsigned);
            Ok(WakeEvent {
                version: EVENT_VERSION,
                file: path.to_owned(),
                channel,
                word: row.get(0)?,
                score: row.get::<_, f64>(1)? as f32,
                start_s: row.get(2)?,
                end_s: row.get(3)?,
                time_s: row.get(4)?,
                start_sample: sample(5)?,
                end_sample: sample(6)?,
                time_sample: sample(7)?,
                detection_latency_ms: Milliseconds(row.get(8)?),
                level_dbfs: None,
                snr_db: None,
                model: setup.model.clone(),
                wall_time: None,
            })
        })?;
        tracks.push(HeardTrack { channel, duration_s, events: events.collect::<Result<_>>()?, warnings: Vec::new() });
    }
    Ok(tracks)
}
