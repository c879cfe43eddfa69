//! `tripword listen`

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;

/// The events without what only a live stream has, and without the name of the stream.
fn comparable(lines: &str) -> Vec<serde_json::Value> {
    json_lines(lines)
        .into_iter()
        .map(|mut event| {
            let fields = event.as_object_mut().unwrap();
            for field in ["wall_time", "file", "level_dbfs", "snr_db"] {
                fields.remove(field);
            }
            event
        })
        .collect()
}

#[test]
fn a_wav_file_and_raw_samples_give_the_events_that_label_gives() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 30.0);
    let labelled = run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(&wav));
    let expected = comparable(&labelled.stdout);
    assert!(expected.len() > 3);

    let listened = run(tripword().args(["listen", "--model"]).arg(&model).arg("--input").arg(&wav));
    assert_eq!(listened.code, 0, "{}", listened.stderr);
    assert_eq!(comparable(&listened.stdout), expected);
    for event in json_lines(&listened.stdout) {
        assert!(event["wall_time"].is_string() && event["level_dbfs"].is_f64() && event["snr_db"].is_f64(), "{event}");
    }

    let mut child = tripword()
        .args(["listen", "--input", "-", "--model"])
        .arg(&model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = std::fs::read(&wav).unwrap();
    // Odd portions: samples are torn apart between writes.
    for portion in bytes[44..].chunks(777) {
        stdin.write_all(portion).unwrap();
    }
    drop(stdin);
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(comparable(&stdout), expected);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_cleanly_and_events_came_at_once() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let model = random_model(folder.path());
        let wav = random_wav(folder.path(), "talk.wav", 1, 60.0);
        let mut child = tripword()
            .args(["listen", "--real-time", "--model"])
            .arg(&model)
            .arg("--input")
            .arg(&wav)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // The line arrives while the stream goes on: it was flushed.
        stdout.read_line(&mut line).unwrap();
        assert_eq!(json_lines(&line).len(), 1);
        let asked = Instant::now();
        assert!(send_signal(&child, signal).unwrap().success());
        let status = child.wait().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(status.success(), "{stderr}");
        // What the summary counts has been delivered.
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let n_events = 1 + json_lines(&rest).len();
        assert!(stderr.contains(&format!("\"n_delivered_events\":{n_events}")), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let mut child = tripword()
        .args(["listen", "--input", "-", "--model"])
        .arg(&model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    send_signal(&child, "TERM").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 120.0);
    let mut child = tripword()
        .args(["listen", "--real-time", "--model"])
        .arg(&model)
        .arg("--input")
        .arg(&wav)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let started = Instant::now();
    assert!(child.wait().unwrap().success());
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn an_unknown_device_lists_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let ran = run(tripword().args(["listen", "--input", "no such microphone", "--model"]).arg(&model));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no such microphone"), "{}", ran.stderr);
}

#[test]
fn a_bad_raw_format_lists_the_good_ones() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let ran = run(tripword()
        .args(["listen", "--input", "-", "--pcm-format", "mp3", "--model"])
        .arg(&model)
        .stdin(Stdio::null()));
    assert!(ran.code == 1 && ran.stderr.contains("s16le"), "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_hangs_cannot_keep_it_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 600.0);
    // Nobody reads this pipe; its buffer is soon full of events.
    let fifo = folder.path().join("stuck");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let pipe = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let mut filler = pipe.try_clone().unwrap();
    // All but a page of the 64 KiB that a pipe holds.
    filler.write_all(&[b' '; 61_440]).unwrap();
    let mut child = tripword()
        .args(["listen", "--model"])
        .arg(&model)
        .arg("--input")
        .arg(&wav)
        .stdout(pipe)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    std::thread::park_timeout(Duration::from_secs(1));
    let asked = Instant::now();
    send_signal(&child, "TERM").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "events were left behind");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("the sinks take nothing"), "{rest}");
}

#[test]
fn a_path_is_never_looked_for_among_the_microphones() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let ran = run(tripword().args(["listen", "--input", "tlak.wav", "--model"]).arg(&model));
    assert!(
        ran.code == 1 && ran.stderr.contains("tlak.wav") && !ran.stderr.contains("capture device"),
        "{}",
        ran.stderr
    );
}

#[cfg(target_os = "linux")]
#[test]
fn events_that_cannot_be_written_are_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 10.0);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = tripword()
        .args(["listen", "--model"])
        .arg(&model)
        .arg("--input")
        .arg(&wav)
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("could not be delivered"), "{stderr}");
}

#[test]
fn the_microphones_sound_is_not_given_away_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 1.0);
    let listen = |extra: &[&str]| {
        let mut command = tripword();
        command.args(["listen", "--set", "wyoming.address=\"tcp://127.0.0.1:0\"", "--model"]).arg(&model);
        run(command.arg("--input").arg(&wav).args(extra))
    };
    let place = ["--set", "wyoming.microphone_address=\"tcp://127.0.0.1:0\""];
    for extra in [&place[..], &[&place[..], &["--wyoming"]].concat()] {
        let ran = listen(extra);
        assert!(ran.code == 1 && ran.stderr.contains("does not give the sound away"), "{}", ran.stderr);
    }
    let served = |ran: &Ran| ran.stderr.matches("serving Wyoming").count();
    let (without, with) = (listen(&[]), listen(&["--wyoming"]));
    assert_eq!((without.code, served(&without), with.code, served(&with)), (0, 0, 0, 1), "{}", with.stderr);
    assert_eq!(listen(&["--wyoming", "everything"]).code, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_reloads_unless_it_is_that_of_the_terminal() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: python3, which makes a terminal, is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 60.0);
    let listener = tripword();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/terminal_closed.py")).arg(listener.get_program());
    for (name, value) in listener.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let ran = run(command.args(["listen", "--real-time", "--model"]).arg(model).arg("--input").arg(wav));
    assert_eq!(ran.stdout, "read anew None\nended with 0\n", "{}", ran.stderr);
}
