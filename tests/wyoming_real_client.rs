//! The Wyoming service and the protocol's own library, from PyPI, which Home Assistant uses.
#![cfg(unix)]

mod common;

#[path = "common/binary.rs"]
mod binary;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use binary::{send_signal, tripword};

/// Where `tests/wyoming-venv` puts it.
const PYTHON: &str = "target/wyoming-venv/bin/python";

#[test]
fn the_library_of_home_assistant_is_answered_and_finds_the_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(PYTHON);
    if !python.exists() {
        eprintln!("SKIPPED: {PYTHON} is missing; make it with tests/wyoming-venv");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut service = tripword()
        .args(["wyoming", "--address", "tcp://127.0.0.1:0", "--set", "wyoming.announce=\"always\""])
        .args(["--set", "wyoming.announce_name=\"tripword-test\""])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let line = log.find(|line| line.as_ref().unwrap().contains("listening at")).unwrap().unwrap();
    let uri = line.split_whitespace().find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();
    let client = Command::new(&python)
        .arg(root.join("tests/data/wyoming_client.py"))
        .arg(&uri)
        .arg(root.join("assets/demo.wav"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&client.stdout).into_owned();
    assert!(client.status.success(), "{told}{}", String::from_utf8_lossy(&client.stderr));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "info tripword alexa computer jarvis smart_mirror snowboy view_glass");
    assert_eq!(lines[1], "pong hello");
    let time_ms: f64 = lines[2].strip_prefix("detection snowboy ").unwrap().parse().unwrap();
    assert!((1000.0 + 22_600.0..1000.0 + 23_500.0).contains(&time_ms), "{time_ms}");
    assert_eq!(lines[3], "computer smart_mirror jarvis snowboy alexa view_glass");
    assert_eq!(lines[4], "not-detected");
    let port = uri.rsplit(':').next().unwrap();
    assert_eq!(lines[5], format!("mdns tripword-test._wyoming._tcp.local. {port}"));

    let began = Instant::now();
    send_signal(&service, "TERM").unwrap();
    assert!(service.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
