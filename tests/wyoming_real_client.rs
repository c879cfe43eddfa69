//! The Wyoming service and the protocol's own library, from PyPI, which Home Assistant uses.
#![cfg(unix)]

mod common;

#[path = "common/binary.rs"]
mod binary;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use binary::{run, send_signal, tripword};

/// Where `tests/wyoming-venv` puts it.
const PYTHON: &str = "target/wyoming-venv/bin/python";

/// None, loudly, where nobody has made it.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(PYTHON);
    if !python.exists() {
        eprintln!("SKIPPED: {PYTHON} is missing; make it with tests/wyoming-venv");
    }
    python.exists().then_some(python)
}

/// The next address that the log tells of.
fn address(log: &mut impl Iterator<Item = std::io::Result<String>>, before: &str) -> String {
    let line = log.find(|line| line.as_ref().unwrap().contains(before)).unwrap().unwrap();
    line.split_whitespace().find_map(|word| word.strip_prefix("address=")).unwrap().to_owned()
}

#[test]
fn the_library_of_home_assistant_is_answered_and_finds_the_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut service = tripword()
        .args(["wyoming", "--address", "tcp://127.0.0.1:0", "--set", "wyoming.announce=\"always\""])
        .args(["--set", "wyoming.announce_name=\"tripword-test\""])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let uri = address(&mut log, "listening at");
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

#[test]
fn the_daemons_own_microphone_is_given_to_clients_of_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Two words, of which the second comes when all clients are there.
    let heard = folder.path().join("heard.wav");
    let mut demo = hound::WavReader::open(root.join("assets/demo.wav")).unwrap();
    let mut writer = hound::WavWriter::create(&heard, demo.spec()).unwrap();
    demo.samples::<i16>().take(12 * 16_000).for_each(|sample| writer.write_sample(sample.unwrap()).unwrap());
    writer.finalize().unwrap();
    let labelled = run(tripword().args(["label", "--json"]).arg(&heard));
    let expected: Vec<serde_json::Value> =
        labelled.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((expected.len(), &expected[1]["word"]), (2, &serde_json::json!("smart_mirror")));

    let mut service = tripword()
        .args(["listen", "--real-time", "--wyoming", "sound", "--input"])
        .arg(&heard)
        .args(["--set", "wyoming.address=\"tcp://127.0.0.1:0\""])
        .args(["--set", "wyoming.microphone_address=\"tcp://127.0.0.1:0\""])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(service.stderr.take().unwrap()).lines();
    let (wake, microphone) = (address(&mut log, "serving Wyoming"), address(&mut log, "serving Wyoming"));
    let client = Command::new(&python)
        .arg(root.join("tests/data/wyoming_microphone_client.py"))
        .args([&wake, &microphone])
        .arg(&heard)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&client.stdout).into_owned();
    assert!(client.status.success(), "{told}{}", String::from_utf8_lossy(&client.stderr));
    let time_ms = (expected[1]["time_s"].as_f64().unwrap() * 1000.0).round();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "info tripword microphone 16000 2 1",
            &format!("detection smart_mirror {time_ms} hall"),
            "sound selected to the end",
            "sound at once to the end",
        ]
    );
    let rest: String = log.map(|line| line.unwrap() + "\n").collect();
    assert!(service.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("\"n_lost_samples\":0,") && rest.contains("\"n_served\":3"), "{rest}");
}
