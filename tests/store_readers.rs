//! Our catalogues and tables in other people's readers, from PyPI: pyarrow, DuckDB, and Python's own SQLite.

#[path = "common/binary.rs"]
mod binary;
#[path = "common/mod.rs"]
mod common;

use std::path::Path;
use std::process::Command;

use binary::*;
use serde_json::{Value, json};

/// Where `tests/store-venv` puts it.
const PYTHON: &str = "target/store-venv/bin/python";

/// The queries of the README, one language's fenced block.
fn queries(tool: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let begin = format!("```sql\n-- {tool}");
    let block = readme.split_once(&begin).expect("the README has queries").1;
    block.split_once('\n').unwrap().1.split_once("```").unwrap().0.to_owned()
}

#[test]
fn other_peoples_readers_read_the_same_rows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(PYTHON);
    if !python.exists() {
        eprintln!("SKIPPED: {PYTHON} is missing; make it with tests/store-venv");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = random_model(folder.path());
    let (talk, quiet) =
        (random_wav(folder.path(), "talk.wav", 1, 20.0), random_wav(folder.path(), "quiet.wav", 2, 0.1));
    std::fs::write(at("bad.wav"), "no sound").unwrap();
    let ran = run(tripword()
        .args(["label", "--json", "--channels", "each", "--scores-format", "parquet", "--scores"])
        .arg(folder.path())
        .arg("--catalogue")
        .arg(at("found.sqlite"))
        .arg("--catalogue")
        .arg(at("found.parquet"))
        .arg("--model")
        .arg(&model)
        .args([&talk, &quiet, &at("bad.wav")]));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    std::fs::rename(at("talk.ch1.scores.parquet"), at("talk.scores.parquet")).unwrap();
    std::fs::write(at("queries.sql"), queries("sqlite3")).unwrap();
    std::fs::write(at("queries-duckdb.sql"), queries("duckdb")).unwrap();
    let events = json_lines(&ran.stdout);
    let read = Command::new(&python).arg(root.join("tests/data/read_store.py")).arg(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(read.status.success(), "{told}{}", String::from_utf8_lossy(&read.stderr));
    let told = json_lines(&told);
    let of = |reader: &str, table: &str| -> Vec<&Value> {
        told.iter().filter(|line| line["reader"] == reader && line["table"] == table).collect()
    };

    for reader in ["pyarrow", "duckdb"] {
        for (table, n_rows) in [("found", events.len()), ("found.recordings", 3), ("talk.scores", 258 * 2)] {
            assert_eq!(of(reader, table)[0]["n_rows"], n_rows, "{reader} {table}");
        }
    }
    assert_eq!(
        of("pyarrow", "talk.scores")[0]["kinds"],
        json!({ "time_s": "double", "word": "string", "score": "float", "probability": "float" })
    );
    let kinds = &of("duckdb", "found.recordings")[0]["kinds"];
    assert_eq!((&kinds["labelled_at"], &kinds["heard_s"]), (&json!("TIMESTAMP WITH TIME ZONE"), &json!("DOUBLE")));
    let kinds = &of("duckdb", "found")[0]["kinds"];
    assert_eq!(
        (&kinds["score"], &kinds["word"], &kinds["channel"]),
        (&json!("FLOAT"), &json!("VARCHAR"), &json!("INTEGER"))
    );
    assert!(told.contains(&json!({ "reader": "sqlite", "integrity": "ok" })));
    assert!(told.contains(&json!({ "reader": "sqlite", "foreign_keys": [] })));

    // The script has compared the three; one of them with what was printed.
    let rows = of("row", "found");
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(row["path"], event["file"]);
        for key in [
            "channel",
            "word",
            "start_s",
            "end_s",
            "time_s",
            "start_sample",
            "end_sample",
            "time_sample",
            "detection_latency_ms",
        ] {
            assert_eq!(row[key], event[key], "{key}");
        }
        assert_eq!(row["score"].as_f64().unwrap() as f32, event["score"].as_f64().unwrap() as f32);
    }
    let status: Vec<&Value> = of("row", "found.recordings").iter().map(|row| &row["status"]).collect();
    assert_eq!(status, ["labelled", "labelled", "failed"]);
    let n_queries = told.iter().filter(|line| line["reader"] == "query").count();
    assert!(n_queries >= 6, "{n_queries} queries of the README ran");
}
