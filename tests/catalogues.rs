//! Catalogues: the same entries come out of every store that went in, whatever they were merged with; damage is an error.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tripword::catalogue::{CatalogueKind, RecordingEntry, Setup};
use tripword::events::{EVENT_VERSION, WakeEvent};
use tripword::label::{HeardRecording, HeardTrack};
use tripword::merge::{MergeError, MergePlan};
use tripword::units::Milliseconds;

const KINDS: [(CatalogueKind, &str); 2] = [(CatalogueKind::Sqlite, "a.sqlite"), (CatalogueKind::Parquet, "a.parquet")];

fn setup(threshold: f32) -> Setup {
    Setup {
        model: "ours".into(),
        model_sha256: "ab".repeat(32),
        thresholds: vec![("hey \"house\"".into(), threshold), ("élan".into(), 0.1)],
        tripword_version: "1.2.3".into(),
    }
}

prop_compose! {
    fn event()(
        word in prop::sample::select(vec!["hey \"house\"", "élan", "x, y; z"]), score in 0f32..=1.0,
        start in 0u64..1 << 40, length in 0u64..48_000, decided in 0u64..48_000, latency in any::<u32>(),
    ) -> WakeEvent {
        let (end, time) = (start + length, start + length + decided);
        let seconds = |sample: u64| sample as f64 / 16_000.0;
        WakeEvent {
            version: EVENT_VERSION, file: String::new(), channel: None, word: word.into(), score,
            start_s: seconds(start), end_s: seconds(end), time_s: seconds(time),
            start_sample: start, end_sample: end, time_sample: time,
            detection_latency_ms: Milliseconds(latency), level_dbfs: None, snr_db: None, model: "ours".into(), wall_time: None,
        }
    }
}

prop_compose! {
    fn entry()(
        size_bytes in prop::option::of(0u64..1 << 60), modified in prop::option::of(-1i64 << 50..1i64 << 50),
        labelled_at in 0i64..1 << 50, threshold in prop::sample::select(vec![0.25f32, 0.61, 0.999]),
        n_channels in 1u16..9, sample_rate_hz in 1u32..200_000,
        tracks in prop::collection::vec((0f64..1e6, prop::collection::vec(event(), 0..5)), 1..3), mix in any::<bool>(),
        warning in prop::option::of("[a-zé' ]{1,20}"), error in prop::option::of("\\PC{0,20}"),
    ) -> RecordingEntry {
        let moment = |micros| jiff::Timestamp::from_microsecond(micros).unwrap();
        let n_tracks = if mix { 1 } else { tracks.len() };
        let tracks = (1u16..).zip(tracks).take(n_tracks).map(|(channel, (duration_s, events))| {
            let channel = (!mix).then_some(channel);
            let events = events.into_iter().map(|event| WakeEvent { channel, ..event }).collect();
            let warnings = warning.iter().filter(|_| channel.is_none_or(|channel| channel == 1)).cloned().collect();
            HeardTrack { channel, duration_s, events, warnings }
        });
        let heard = HeardRecording { path: PathBuf::new(), n_channels, sample_rate_hz, tracks: tracks.collect() };
        RecordingEntry {
            path: String::new(), size_bytes, modified: modified.map(moment), labelled_at: moment(labelled_at),
            setup: setup(threshold), result: error.map_or(Ok(heard), Err),
        }
    }
}

/// An entry of the recording `path`.
fn named((path, mut entry): (String, RecordingEntry)) -> RecordingEntry {
    if let Ok(heard) = &mut entry.result {
        heard.path = (&path).into();
        heard.tracks.iter_mut().flat_map(|track| &mut track.events).for_each(|event| event.file.clone_from(&path));
    }
    RecordingEntry { path, ..entry }
}

/// Entries of different recordings, in any order.
fn entries() -> impl Strategy<Value = Vec<RecordingEntry>> {
    let path = "(/|)[a-c]{1,2}(/[a-dé .'%]{1,3}){0,2}\\.wav";
    prop::collection::btree_map(path, entry(), 0..8)
        .prop_map(|entries| entries.into_iter().map(named).collect::<Vec<_>>())
        .prop_shuffle()
}

fn write(kind: CatalogueKind, path: &Path, entries: &[RecordingEntry]) {
    let mut writer = kind.open(path).unwrap();
    entries.iter().for_each(|entry| writer.put(entry).unwrap());
    writer.finish().unwrap();
}

fn read(kind: CatalogueKind, path: &Path) -> Vec<RecordingEntry> {
    kind.read(path).unwrap().collect::<Result<_, _>>().unwrap()
}

fn merge(inputs: &[PathBuf], out: &Path) -> Result<tripword::merge::MergeSummary, MergeError> {
    MergePlan::new(inputs, out)?.run(&std::sync::atomic::AtomicBool::new(false), &|_| {})
}

/// In the order of one run over all recordings.
fn sorted(mut entries: Vec<RecordingEntry>) -> Vec<RecordingEntry> {
    entries.sort_by(|a, b| Path::new(&a.path).cmp(Path::new(&b.path)));
    entries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_put_into_a_catalogue_comes_out(entries in entries()) {
        let folder = tempfile::tempdir().unwrap();
        for (kind, name) in KINDS {
            let path = folder.path().join(name);
            write(kind, &path, &entries);
            prop_assert_eq!(&read(kind, &path), &entries, "{:?}", kind);
            prop_assert!(kind.is_catalogue(&path));
        }
        let mut names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        prop_assert_eq!(names, ["a.parquet", "a.recordings.parquet", "a.sqlite"], "nothing else is left");
    }

    #[test]
    fn merged_parts_are_the_whole_in_either_kind(entries in entries(), parts in prop::collection::vec(0usize..3, 8)) {
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = Vec::new();
        for part in 0..3 {
            let (kind, name) = KINDS[part % 2];
            let path = folder.path().join(format!("{part}-{name}"));
            let of_part = entries.iter().zip(&parts).filter(|(_, of)| **of == part).map(|(entry, _)| entry.clone());
            write(kind, &path, &of_part.collect::<Vec<_>>());
            inputs.push(path);
        }
        let expected = sorted(entries);
        for (kind, name) in KINDS {
            let out = folder.path().join("merged").join(name);
            let summary = merge(&inputs, &out).unwrap();
            prop_assert_eq!(&read(kind, &out), &expected);
            let n_events: usize = expected.iter().map(RecordingEntry::n_events).sum();
            prop_assert_eq!((summary.n_recordings, summary.n_events), (expected.len(), n_events));
        }
    }

    #[test]
    fn a_later_run_replaces_its_recordings_and_no_others(entries in entries(), again in entries()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        write(CatalogueKind::Sqlite, &path, &entries);
        write(CatalogueKind::Sqlite, &path, &again);
        let kept = entries.into_iter().filter(|entry| again.iter().all(|other| other.path != entry.path));
        prop_assert_eq!(sorted(read(CatalogueKind::Sqlite, &path)), sorted(kept.chain(again.iter().cloned()).collect()));
        // Nothing is left of what was replaced.
        let connection = rusqlite::Connection::open(&path).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        prop_assert_eq!(count("SELECT count(*) FROM events WHERE track_id NOT IN (SELECT id FROM tracks)"), 0);
        prop_assert_eq!(count("SELECT count(*) FROM setups WHERE id NOT IN (SELECT setup_id FROM recordings)"), 0);
        prop_assert_eq!(count("SELECT count(*) FROM events"), count("SELECT count(*) FROM found"));
    }

    #[test]
    fn a_damaged_catalogue_is_an_error_or_sound(
        entries in entries(), edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..20), second in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (kind, name) in KINDS {
            let path = folder.path().join(name);
            write(kind, &path, &entries);
            let files = kind.files(&path);
            let damaged = &files[usize::from(second) % files.len()];
            let mut bytes = std::fs::read(damaged).unwrap();
            for &(at, value) in &edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            std::fs::write(damaged, &bytes).unwrap();
            // It may be read to its end, or not; it does not panic, and the program that merges says what is wrong.
            if let Ok(found) = kind.read(&path) {
                prop_assert!(found.take(10_000).count() < 10_000);
            }
        }
    }
}

#[test]
fn of_a_recording_in_two_catalogues_the_newest_entry_stays() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |seconds: i64, result: Result<HeardRecording, String>| RecordingEntry {
        path: "a.wav".into(),
        size_bytes: None,
        modified: None,
        labelled_at: jiff::Timestamp::from_second(seconds).unwrap(),
        setup: setup(0.5),
        result,
    };
    let (older, newer) = (entry(1, Err("gone".into())), entry(2, Err("back, and empty".into())));
    let [one, two] = ["one.sqlite", "two.parquet"].map(|name| folder.path().join(name));
    write(CatalogueKind::Sqlite, &one, std::slice::from_ref(&newer));
    write(CatalogueKind::Parquet, &two, &[older]);
    for (i, inputs) in [[one.clone(), two.clone()], [two, one]].iter().enumerate() {
        let out = folder.path().join(format!("{i}.sqlite"));
        merge(inputs, &out).unwrap();
        assert_eq!(read(CatalogueKind::Sqlite, &out), std::slice::from_ref(&newer));
    }
}

#[test]
fn what_is_no_catalogue_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.sqlite");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE recordings (mine TEXT); INSERT INTO recordings VALUES ('all')").unwrap();
    drop(connection);
    let later = folder.path().join("later.db");
    write(CatalogueKind::Sqlite, &later, &[]);
    rusqlite::Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    let scores = folder.path().join("scores.parquet");
    let text = folder.path().join("text.sqlite3");
    std::fs::write(&text, "dear diary").unwrap();
    std::fs::write(&scores, "PAR1 and nothing else").unwrap();
    let cases = [
        (&foreign, "another program"),
        (&later, "version 7, expected 1"),
        (&text, "no SQLite"),
        (&scores, "no Parquet"),
    ];
    for (path, words) in cases {
        let before = std::fs::read(path).unwrap();
        let kind = CatalogueKind::of_path(path).unwrap();
        let error = kind.open(path).err().expect("not ours").to_string();
        assert!(error.contains(words) && error.contains(path.to_str().unwrap()), "{error}");
        assert!(kind.read(path).is_err() && !kind.is_catalogue(path));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
    let error = CatalogueKind::of_path("found.csv".as_ref()).unwrap_err().to_string();
    assert!(error.contains(".sqlite, .sqlite3, .db, .parquet"), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 4, "no logs are left beside them");
}

#[test]
fn a_catalogue_that_is_not_finished_does_not_appear() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in KINDS {
        drop(kind.create(&folder.path().join(name)).unwrap());
    }
    drop(CatalogueKind::Parquet.open(&folder.path().join("b.parquet")).unwrap());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
