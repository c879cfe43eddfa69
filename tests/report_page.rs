//! The page of `label --report` in a real browser, by Playwright: it loads from disk, plays, and tells what other thresholds find.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[path = "common/binary.rs"]
mod binary;
mod common;

use binary::tripword;

/// Where `tests/browser-venv` puts it.
const PYTHON: &str = "target/browser-venv/bin/python";
const BROWSER: &str = "/usr/bin/chromium";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `label` finds, as its lines of JSON.
fn events(arguments: &[&str], recording: &Path) -> Vec<Value> {
    let ran = tripword().arg("label").arg("--json").args(arguments).arg(recording).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a script of `tests/data` sees of a page; `None`, said loudly, where there is no browser.
fn looked_at(script: &str, page: &Path, arguments: &[&str]) -> Option<Value> {
    let python = root().join(PYTHON);
    if !python.exists() || !Path::new(BROWSER).exists() {
        eprintln!(
            "SKIPPED: {PYTHON} or {BROWSER} is missing; make them with tests/browser-venv and apt-get install chromium"
        );
        return None;
    }
    let ran = Command::new(&python)
        .arg(root().join("tests/data").join(script))
        .arg(page)
        .arg(shots(page))
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    Some(serde_json::from_str(&told).unwrap())
}

/// Where screenshots go: where `TRIPWORD_SCREENSHOTS` says, for those who want to look, or beside the page.
fn shots(page: &Path) -> PathBuf {
    std::env::var_os("TRIPWORD_SCREENSHOTS").map_or_else(|| page.parent().unwrap().to_owned(), PathBuf::from)
}

/// Seconds of `1:02.345`.
fn seconds(clock: &str) -> f64 {
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

#[test]
fn the_page_shows_plays_and_tries_thresholds_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    // A name that is none for an address.
    let recording = folder.path().join("demo #1 50%.wav");
    std::fs::copy(root().join("assets/demo.wav"), &recording).unwrap();
    let found = events(&["--report"], &recording);
    let page = folder.path().join("demo #1 50%.report.html");
    assert!(page.metadata().unwrap().len() < 400_000, "{} bytes", page.metadata().unwrap().len());
    let thresholds = ["0.05", "0.3", "0.67", "0.9", "0.98", "0.993", "0.996", "0.999"];
    let Some(seen) = looked_at("report_page.py", &page, &thresholds) else { return };

    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    let requests = seen["requests"].as_array().unwrap();
    assert!(requests.iter().all(|url| !url.as_str().unwrap().starts_with("http")), "{seen}");
    assert_eq!(seen["n_own"], found.len());
    let rows = seen["rows"].as_array().unwrap();
    assert_eq!(rows.len(), found.len());
    for (row, event) in rows.iter().zip(&found) {
        assert_eq!(row[1], event["word"]);
        for (column, key) in [(0, "start_s"), (3, "end_s"), (4, "time_s")] {
            let apart = (seconds(row[column].as_str().unwrap()) - event[key].as_f64().unwrap()).abs();
            assert!(apart < 0.000_51, "{key}: {row} {event}");
        }
        let score: f64 = row[2].as_str().unwrap().parse().unwrap();
        assert!((score - event["score"].as_f64().unwrap()).abs() < 0.000_051, "{row} {event}");
    }

    assert_eq!(seen["n_regions"], found.len());
    let region = seen["region"].as_str().unwrap();
    assert!(region.starts_with(found[0]["word"].as_str().unwrap()), "{region}");
    assert!(seen["is_stop"].as_str().unwrap().contains("stop"), "{seen}");
    assert!(seen["played_s"].as_f64().unwrap() > 0.15, "{seen}");
    // The word with its margins; at a low threshold it begins a little earlier.
    let clip_s = seen["clip_s"].as_f64().unwrap();
    let word_s = found[0]["time_s"].as_f64().unwrap() - found[0]["start_s"].as_f64().unwrap();
    assert!((0.58..1.2).contains(&(clip_s - word_s)), "{clip_s} for {word_s}");

    assert_eq!(seen["next"], found[1]["word"], "the one after the one that was clicked");
    assert!(seen["is_playing"] == true && seen["is_stopped"] == true, "{seen}");
    assert!(seen["zoomed"][0] != seen["zoomed"][1] && seen["zoomed"][1] != seen["moved"], "{seen}");
    assert_eq!(seen["keys_shown"], true);
    assert_eq!(seen["n_own_again"], found.len());
    assert_eq!(seen["slider_moved"], -1);
    // At each threshold what `label --threshold` finds.
    for threshold in thresholds {
        assert_eq!(seen["at"][threshold], events(&["--threshold", threshold], &recording).len(), "at {threshold}");
    }
    assert!(seen["at"]["0.05"].as_u64() > seen["at"]["0.999"].as_u64(), "{seen}");
    // The recording lies beside the page.
    assert!(seen["recording_s"].as_f64().unwrap() > 10.0 && seen["message"] == "", "{seen}");
    assert_eq!(seen["overflow"], serde_json::json!([0, 0]), "the page is as wide as the window");
}

#[test]
fn without_its_recording_the_page_says_so_and_plays_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("gone.wav");
    std::fs::copy(root().join("assets/demo.wav"), &recording).unwrap();
    let found = events(&["--report"], &recording);
    std::fs::remove_file(&recording).unwrap();
    let Some(seen) = looked_at("report_page.py", &folder.path().join("gone.report.html"), &[]) else { return };
    assert!(seen["played_s"].as_f64().unwrap() > 0.15, "{seen}");
    assert!(seen["message"].as_str().unwrap().contains("gone.wav"), "{seen}");
    assert_eq!(seen["n_own"], found.len());
}

#[test]
fn the_page_of_an_hour_is_small_and_ready_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("hour.wav");
    hour_of(&root().join("assets/demo.wav"), &recording);
    let found = events(&["--report"], &recording);
    assert!(found.len() > 500, "{}", found.len());
    let page = folder.path().join("hour.report.html");
    assert!(page.metadata().unwrap().len() < 3_000_000, "{} bytes", page.metadata().unwrap().len());
    let Some(seen) = looked_at("report_page.py", &page, &["0.5"]) else { return };
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["n_own"], found.len());
    assert_eq!(seen["at"]["0.5"], events(&["--threshold", "0.5"], &recording).len());
    eprintln!("ready after {} ms, a frame of all of it {} ms", seen["ready_ms"], seen["frame_ms"]);
    // Alone it takes less than half of that; tests run beside each other.
    assert!(seen["ready_ms"].as_f64().unwrap() < 1000.0, "{seen}");
}

#[test]
fn the_page_of_an_archive_is_sorted_and_leads_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("archive"), folder.path().join("seen"));
    std::fs::create_dir_all(archive.join("of words")).unwrap();
    std::fs::copy(root().join("assets/chime.wav"), archive.join("a chime.wav")).unwrap();
    std::fs::copy(root().join("assets/demo.wav"), archive.join("of words/demo.wav")).unwrap();
    let found = events(&["--report", "--out", out.to_str().unwrap()], &archive);
    let Some(seen) = looked_at("archive_page.py", &out.join("index.html"), &[]) else { return };
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen}");
    let first = |key: &str| seen[key].as_str().unwrap();
    assert!(first("unsorted").ends_with("a chime.wav") && first("most").ends_with("demo.wav"), "{seen}");
    assert!(first("fewest").ends_with("a chime.wav") && seen["n_named_demo"] == 1, "{seen}");
    assert!(first("facts").contains(&format!("{} detections", found.len())), "{seen}");
}

/// Repeats a recording up to an hour.
fn hour_of(recording: &Path, hour: &Path) {
    let mut reader = hound::WavReader::open(recording).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let mut writer = hound::WavWriter::create(hour, reader.spec()).unwrap();
    for sample in samples.iter().cycle().take(3600 * reader.spec().sample_rate as usize) {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
}
