//! `tripword label --catalogue`, `--scores-format`, `--shard`, and `tripword merge`.

use tripword::catalogue::{CatalogueKind, RecordingEntry};
use tripword::label::HeardRecording;

use super::*;

/// What a catalogue has, but for when it was heard.
fn entries(path: &Path) -> Vec<RecordingEntry> {
    let read = CatalogueKind::of_path(path).unwrap().read(path).unwrap();
    read.map(|entry| RecordingEntry { labelled_at: jiff::Timestamp::UNIX_EPOCH, ..entry.unwrap() }).collect()
}

/// An archive in folders, with a file that is none.
fn archive(folder: &Path) -> std::path::PathBuf {
    let archive = folder.join("archive");
    for (i, name) in
        ["a/one.wav", "a/two.wav", "a.d/three.wav", "b/c/four.wav", "five.wav", "six.wav"].iter().enumerate()
    {
        std::fs::create_dir_all(archive.join(name).parent().unwrap()).unwrap();
        random_wav(&archive, name, i as u64, 6.0);
    }
    std::fs::write(archive.join("b/broken.wav"), "no sound").unwrap();
    archive
}

fn label(model: &Path) -> std::process::Command {
    let mut command = tripword();
    command.args(["label", "--json", "--model"]).arg(model);
    command
}

/// Every file in `folder` with its bytes, by its place.
fn tree(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let place = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
    files
        .filter(|file| file.file_type().is_file())
        .map(|file| (place(file.path()), std::fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn catalogues_have_all_events_and_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (model, archive) = (random_model(folder.path()), archive(folder.path()));
    let [sqlite, parquet] = ["out/found.sqlite", "out/found.parquet"].map(|name| folder.path().join(name));
    let ran = run(label(&model).arg("--catalogue").arg(&sqlite).arg("--catalogue").arg(&parquet).arg(&archive));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let found = entries(&sqlite);
    assert_eq!(entries(&parquet), found);
    let events = found.iter().filter_map(|entry| entry.result.as_ref().ok()).flat_map(HeardRecording::events);
    let events: Vec<serde_json::Value> = events.map(|event| serde_json::from_str(&event.to_json()).unwrap()).collect();
    assert!(events.len() > 6, "random weights fire on random sound");
    assert_eq!(events, json_lines(&ran.stdout));
    let failed: Vec<_> = found.iter().filter(|entry| entry.result.is_err()).collect();
    assert!(failed.len() == 1 && failed[0].path.ends_with("b/broken.wav"), "{failed:?}");
    assert!(failed[0].result.as_ref().unwrap_err().contains("broken.wav"), "{failed:?}");
    let whole = &found[0];
    assert_eq!(whole.size_bytes, Some(archive.join("a/one.wav").metadata().unwrap().len()));
    assert_eq!((whole.setup.model.as_str(), whole.setup.threshold("beta")), ("random", Some(0.5)));
    // As somebody queries it.
    let connection = rusqlite::Connection::open(&sqlite).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(text("SELECT count(*) || '' FROM found WHERE score >= threshold"), events.len().to_string());
    assert!(!folder.path().join("out/found.sqlite-wal").exists());

    // A second run replaces what it labels and keeps the rest.
    let one = archive.join("a/one.wav");
    let ran = run(label(&model).args(["--threshold", "1", "--catalogue"]).arg(&sqlite).arg(&one));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let again = entries(&sqlite);
    assert_eq!(again.len(), found.len());
    assert_eq!(again[..again.len() - 1], found[1..]);
    let replaced = again.last().unwrap();
    assert_eq!((replaced.n_events(), replaced.setup.threshold("alpha")), (0, Some(1.0)));

    let ran = run(label(&model).args(["--catalogue", "found.txt"]).arg(&one));
    assert!(ran.code == 1 && ran.stderr.contains(".sqlite, .sqlite3, .db, .parquet"), "{}", ran.stderr);
    let ran = run(label(&model).arg("--catalogue").arg(&sqlite).arg("--catalogue").arg(&sqlite).arg(&one));
    assert!(ran.code == 1 && ran.stderr.contains("found.sqlite is named twice"), "{}", ran.stderr);
    std::fs::write(&parquet, "my own").unwrap();
    let ran = run(label(&model).arg("--catalogue").arg(&parquet).arg(&one));
    assert!(ran.code == 1 && ran.stderr.contains("no Parquet"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&parquet).unwrap(), b"my own");
}

#[test]
fn scores_as_parquet_are_those_of_the_csv() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 2, 4.0);
    for format in ["csv", "parquet"] {
        let ran = run(label(&model).args(["--scores-format", format, "--scores"]).arg(folder.path()).arg(&wav));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let csv = std::fs::read_to_string(folder.path().join("talk.scores.csv")).unwrap();
    let file = std::fs::File::open(folder.path().join("talk.scores.parquet")).unwrap();
    let reader = parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap();
    let rows = reader.into_iter().map(|row| {
        use parquet::record::RowAccessor;
        let row = row.unwrap();
        assert!((0.0..=1.0).contains(&row.get_float(3).unwrap()), "{row}");
        format!("{:.3},{},{:.6}", row.get_double(0).unwrap(), row.get_string(1).unwrap(), row.get_float(2).unwrap())
    });
    assert!(rows.eq(csv.lines().skip(1).map(str::to_owned)));
    let ran = run(label(&model).args(["--scores-format", "xml", "--scores"]).arg(folder.path()).arg(&wav));
    assert!(ran.code == 2 && ran.stderr.contains("choose csv or parquet"), "{}", ran.stderr);
}

#[test]
fn merged_shards_are_the_run_on_one_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (model, archive) = (random_model(folder.path()), archive(folder.path()));
    let label_all = |out: &Path, flags: &[&str]| {
        let ran = run(label(&model)
            .args(["--format", "audacity,textgrid,rttm,webvtt,jsonl,csv", "--scores-format", "parquet", "--out"])
            .arg(out.join("labels"))
            .arg("--scores")
            .arg(out.join("scores"))
            .arg("--clips")
            .arg(out.join("clips"))
            .arg("--catalogue")
            .arg(out.join("found.sqlite"))
            .arg("--catalogue")
            .arg(out.join("found.parquet"))
            .args(flags)
            .arg(&archive));
        assert!([0, 1, 3].contains(&ran.code), "{}", ran.stderr);
        std::fs::write(out.join("events.jsonl"), &ran.stdout).unwrap();
        ran
    };
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        let out = folder.path().join(format!("shard-{}", &shard[..1]));
        let ran = label_all(&out, &["--shard", shard]);
        assert!(ran.stderr.contains(&format!("shard {shard} has ")), "{}", ran.stderr);
        out
    });
    let single = folder.path().join("single");
    assert_eq!(label_all(&single, &[]).code, 3);
    let merged = folder.path().join("merged");
    let ran = run(tripword().args(["merge", "--json", "--out"]).arg(&merged).args(&shards));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary = &json_lines(&ran.stdout)[0];
    assert_eq!((summary["n_inputs"].as_u64(), summary["n_recordings"].as_u64()), (Some(3), Some(14)), "{summary}");

    let (of_merged, of_single) = (tree(&merged), tree(&single));
    assert_eq!(of_merged.keys().collect::<Vec<_>>(), of_single.keys().collect::<Vec<_>>());
    for (place, bytes) in &of_single {
        if !place.starts_with("found.") {
            assert!(of_merged[place] == *bytes, "{place} differs");
        }
    }
    for name in ["found.sqlite", "found.parquet"] {
        assert_eq!(entries(&merged.join(name)), entries(&single.join(name)), "{name}");
    }
    // Catalogues alone, also as the other kind.
    let other = folder.path().join("other.parquet");
    let ran = run(tripword()
        .arg("merge")
        .args(shards.each_ref().map(|shard| shard.join("found.sqlite")))
        .arg("--out")
        .arg(&other));
    assert!(ran.code == 0 && ran.stdout.contains("catalogues of 7 recordings"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(entries(&other), entries(&single.join("found.sqlite")));
    // All recordings of an empty shard are none, and its catalogue is there.
    let empty = (1..=64).map(|i| format!("{i}/64")).find(|shard| {
        let out = folder.path().join(format!("of-{}", shard.replace('/', "-")));
        let ran = run(label(&model).args(["--shard", shard, "--catalogue"]).arg(out.join("f.db")).arg(&archive));
        ran.code == 0 && ran.stderr.contains("has 0 of 7") && entries(&out.join("f.db")).is_empty()
    });
    assert!(empty.is_some());
    let ran = run(label(&model).args(["--shard", "4/3"]).arg(&archive));
    assert!(ran.code == 2 && ran.stderr.contains("I from 1 to N"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_merged_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let merge = |inputs: &[&str], out: &str| {
        run(tripword().current_dir(folder.path()).args(["merge", "--out", out]).args(inputs))
    };
    write("a/sub/talk.labels.txt", "1\t2\tx\n");
    write("b/sub/talk.labels.txt", "1\t2\ty\n");
    write("a/same.txt", "the same\n");
    write("b/same.txt", "the same\n");
    write("a/.tripword-left", "by a run that was killed");
    let ran = merge(&["a", "b"], "all");
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("a/sub/talk.labels.txt") && ran.stderr.contains("b/sub/talk.labels.txt"),
        "{}",
        ran.stderr
    );
    assert!(!folder.path().join("all").exists());
    write("b/sub/talk.labels.txt", "1\t2\tx\n");
    let ran = merge(&["a", "b"], "deep/all");
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "deep/all: 2 files of 2 inputs, 2 the same in several\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        tree(&folder.path().join("deep")).keys().collect::<Vec<_>>(),
        ["all/same.txt", "all/sub/talk.labels.txt"]
    );
    let ran = merge(&["a", "b"], "deep/all");
    assert!(ran.code == 1 && ran.stderr.contains("is there already"), "{}", ran.stderr);

    write("one.jsonl", "{\"file\":\"a.wav\",\"word\":\"x\",\"time_s\":1}\n");
    write("two.jsonl", "{\"file\":\"a.wav\"}\n");
    write("three.rttm", "");
    for (inputs, words) in [
        (&["one.jsonl", "nothing.jsonl"][..], "nothing.jsonl: there is no such file or folder"),
        (&["a", "one.jsonl"], "a is a folder and one.jsonl is not"),
        (&["a/same.txt", "b/same.txt"], "cannot be merged; expected catalogues (.sqlite, .parquet)"),
        (&["one.jsonl", "three.rttm"], "three.rttm is of another kind than one.jsonl"),
        (&["one.jsonl", "two.jsonl"], "two.jsonl, line 1"),
    ] {
        let ran = merge(inputs, "out.jsonl");
        assert!(ran.code == 1 && ran.stderr.contains(words), "{}", ran.stderr);
        assert!(!folder.path().join("out.jsonl").exists());
    }
    let ran = merge(&["one.jsonl", "one.jsonl"], "out.jsonl");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "out.jsonl: 1 file of 2 inputs, 1 made of several, 1 row\n"));
}

/// A catalogue is valid at every moment: a run that is killed leaves what was finished, and the next one goes on with it.
#[cfg(unix)]
#[test]
fn a_run_that_is_killed_leaves_a_valid_catalogue() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    let wav = random_wav(folder.path(), "one.wav", 1, 8.0);
    for i in 0..400 {
        std::fs::hard_link(&wav, archive.join(format!("{i:03}.wav"))).unwrap();
    }
    let [sqlite, parquet] = ["found.sqlite", "found.parquet"].map(|name| folder.path().join(name));
    let label_all = || {
        let mut command = label(&model);
        command.args(["--jobs", "1", "--catalogue"]).arg(&sqlite).arg("--catalogue").arg(&parquet).arg(&archive);
        command.env("XDG_STATE_HOME", folder.path());
        command
    };
    let mut killed = label_all().stdout(std::process::Stdio::null()).spawn().unwrap();
    let n_recordings = || {
        let open = rusqlite::Connection::open_with_flags(&sqlite, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        open.query_row("SELECT count(*) FROM recordings", [], |row| row.get::<_, i64>(0)).ok()
    };
    let begun = std::time::Instant::now();
    while n_recordings().unwrap_or(0) < 3 {
        assert!(begun.elapsed().as_secs() < 60, "a recording is stored as soon as it was heard");
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success(), "it was killed in the middle");
    let n_finished = n_recordings().unwrap();
    assert!((3..400).contains(&n_finished), "{n_finished}");
    let connection = rusqlite::Connection::open(&sqlite).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    drop(connection);
    let found = entries(&sqlite);
    assert!(found.len() as i64 == n_finished && found.iter().all(|entry| entry.n_events() == found[0].n_events()));
    assert!(!parquet.exists() && !folder.path().join("found.recordings.parquet").exists());
    let ran = run(label(&model).arg("--catalogue").arg(&sqlite).arg(archive.join("399.wav")));
    assert_eq!((ran.code, entries(&sqlite).len() as i64), (0, n_finished + 1), "{}", ran.stderr);
    // Resumed, it makes both whole, with what it had heard before.
    let ran = run(label_all().arg("--resume"));
    assert!(ran.code == 0 && ran.stderr.contains("recordings were finished before"), "{}", ran.stderr);
    let whole = entries(&parquet);
    assert_eq!((whole.len(), whole.iter().map(RecordingEntry::n_events).sum()), (400, ran.stdout.lines().count()));
    let mut stored = entries(&sqlite);
    stored.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(stored, whole);
}
