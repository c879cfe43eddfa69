//! A file of events, and what happens when nothing or something impossible is configured.

use crate::binary::{random_model, random_wav, run, tripword};
use crate::listener::{Listener, final_status, lines_of, wait_until};

#[test]
fn a_file_has_every_event_that_standard_output_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let config = format!("[events.file]\npath = {path:?}\n");
    let ended = Listener::start_with(folder.path(), &config, 60.0, &[], |_| {}).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.events.len() > 3);
    assert_eq!(lines_of(&path), ended.events);
    let status = final_status(&ended.log, "file");
    assert_eq!((&status["n_delivered"], &status["n_queued"]), (&ended.events.len().into(), &0.into()));
}

#[test]
fn standard_output_can_be_switched_off_and_the_file_may_be_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let config = format!("[events]\nstdout = false\n[events.file]\npath = {path:?}\n");
    let listener = Listener::start(folder.path(), &config);
    wait_until("an event", || !lines_of(&path).is_empty());
    let moved = folder.path().join("events.jsonl.1");
    std::fs::rename(&path, &moved).unwrap();
    wait_until("another event", || !lines_of(&path).is_empty());
    let (ended, _) = listener.terminate();
    assert_eq!((ended.code, ended.events.len()), (Some(0), 0), "{}", ended.log);
    assert_eq!(final_status(&ended.log, "file")["n_delivered"], lines_of(&path).len() + lines_of(&moved).len());
}

#[test]
fn nothing_is_written_unless_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let before = Listener::start_with(folder.path(), "", 10.0, &[], |_| {}).wait();
    assert!(!before.log.contains("output"), "{}", before.log);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["random-model", "talk.wav", "tripword.toml"]);
}

#[test]
fn outputs_that_cannot_be_are_refused_at_the_start_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 1.0);
    let text_file = folder.path().join("text");
    std::fs::write(&text_file, "no socket, no WAV, no certificate").unwrap();
    let text_file = text_file.to_str().unwrap();
    let cases = [
        (format!("events.socket.path={text_file}"), "is no socket"),
        ("events.webhook.url=ftp://x".to_owned(), "events.webhook.url"),
        ("events.mqtt.url=http://x".to_owned(), "expected mqtt://"),
        ("events.mqtt.site_id=a/b".to_owned(), "events.mqtt.site_id"),
        ("events.mqtt.topic_prefix='#'".to_owned(), "events.mqtt.topic_prefix"),
        ("events.command.argv=ls".to_owned(), "a list"),
        ("events.command.max_overlapping=0".to_owned(), "events.command.max_overlapping"),
        ("events.clips.max_mb=0".to_owned(), "events.clips.max_mb"),
    ];
    for (setting, expected) in cases {
        let ran = run(tripword().args(["listen", "--set", &setting, "--model"]).arg(&model).arg("--input").arg(&wav));
        assert!(ran.code == 1 && ran.stderr.contains(expected), "{setting}: {}", ran.stderr);
    }
    for (first, second, expected) in [
        ("events.chime.enabled=true".to_owned(), format!("events.chime.path={text_file}"), "text"),
        ("events.mqtt.url=mqtts://x".to_owned(), format!("events.mqtt.ca_file={text_file}"), "PEM"),
        ("events.webhook.url=https://x".to_owned(), format!("events.webhook.ca_file={text_file}"), "PEM"),
        (
            "events.webhook.url=http://x".to_owned(),
            "events.webhook.headers_file=/nonexistent".to_owned(),
            "nonexistent",
        ),
    ] {
        let settings = ["listen", "--set", &first, "--set", &second, "--model"];
        let ran = run(tripword().args(settings).arg(&model).arg("--input").arg(&wav));
        assert!(ran.code == 1 && ran.stderr.contains(expected), "{first} {second}: {}", ran.stderr);
    }
}
