//! Our label files in other people's readers, from PyPI: Praat itself, textgrid, pyannote, webvtt-py.

use std::path::Path;
use std::process::Command;

use tripword::labels::{Label, LabelFormat, read_labels};

/// Where `tests/labels-venv` puts it.
const PYTHON: &str = "target/labels-venv/bin/python";

#[test]
fn other_peoples_readers_read_the_same_labels() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(PYTHON);
    if !python.exists() {
        eprintln!("SKIPPED: {PYTHON} is missing; make it with tests/labels-venv");
        return;
    }
    let label = |start: u32, end: u32, text: &str| Label {
        start_s: f64::from(start) / 16_000.0,
        end_s: f64::from(end) / 16_000.0,
        text: text.into(),
        score: Some(0.93),
    };
    // One from the very beginning, two words at once, a word twice in a row, letters and signs that have to be written otherwise.
    let labels = [
        label(0, 8001, "alexa"),
        label(20_003, 36_007, "élan \"vital\" & <co>"),
        label(30_000, 48_000, "alexa"),
        label(48_000, 57_601, "alexa"),
        label(57_601_007, 57_617_003, "view glass"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for format in LabelFormat::ALL {
        let path = folder.path().join("talk").with_extension(format.endings()[0]);
        std::fs::write(path, format.write("talk.wav", 3700.5, &labels)).unwrap();
    }
    let ran = Command::new(&python).arg(root.join("tests/data/read_labels.py")).arg(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    for (reader, tolerance_s) in [("praat", 1e-6), ("textgrid", 1e-6), ("rttm", 2e-6), ("webvtt", 0.000_501)] {
        let mut found: Vec<(String, f64, f64)> = told
            .lines()
            .filter_map(|line| line.strip_prefix(reader)?.strip_prefix('\t'))
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                (fields[0].to_owned(), fields[1].parse().unwrap(), fields[2].parse().unwrap())
            })
            .collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        assert_eq!(found.len(), labels.len(), "{reader}: {told}");
        for ((text, start_s, end_s), label) in found.iter().zip(&labels) {
            let expected = if reader == "rttm" { label.text.replace(' ', "_") } else { label.text.clone() };
            assert_eq!(*text, expected, "{reader}");
            let apart = (start_s - label.start_s).abs().max((end_s - label.end_s).abs());
            assert!(apart <= tolerance_s, "{reader}: {text} {start_s} {end_s}, expected {label:?}");
        }
    }
    assert!(told.contains("duration\t\t0.000000\t3700.500000"), "{told}");
    // And what Praat saves is read by us.
    let ours = |name: &str| read_labels(&folder.path().join(name)).unwrap().remove(0).labels;
    assert_eq!(ours("praat.TextGrid"), ours("talk.TextGrid"));
}
