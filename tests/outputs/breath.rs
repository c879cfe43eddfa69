//! "One breath": what is said after the word reaches a command, a socket's client and a clip, to the sample.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::listener::{Listener, final_status, is_same_sound, samples_of, wait_until};

fn expected(wav: &Path, event: &Value, n_samples: usize) -> Vec<i16> {
    let start = event["end_sample"].as_u64().unwrap() as usize;
    samples_of(wav)[start..start + n_samples].to_vec()
}

/// What tells one event from all others.
fn event_of(event: &Value) -> Value {
    json!([event["word"], event["time_sample"]])
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}

#[test]
fn a_command_hears_what_follows_the_word() {
    for (audio, n_header_bytes) in [("raw", 0), ("wav", 44)] {
        let folder = tempfile::tempdir().unwrap();
        let script = "out=$OUT/$TRIPWORD_WORD-$TRIPWORD_TIME_SAMPLE; cat > $out.part && mv $out.part $out.done";
        let config = format!(
            "[events.command]\nargv = ['sh', '-c', '{script}']\naudio = '{audio}'\naudio_s = 1.5\nmax_overlapping = 4\n"
        );
        let mut listener = Listener::start_with(folder.path(), &config, 600.0, &["--real-time"], |command| {
            command.env("OUT", folder.path());
        });
        let events = [listener.next_event(), listener.next_event()];
        for event in &events {
            let path = folder.path().join(format!("{}-{}.done", event["word"].as_str().unwrap(), event["time_sample"]));
            wait_until("the command has ended", || path.exists());
            let bytes = std::fs::read(path).unwrap();
            let end_of_line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&bytes[..end_of_line]).unwrap(), *event);
            let heard = samples(&bytes[end_of_line + 1 + n_header_bytes..]);
            assert!(is_same_sound(&heard, &expected(&listener.wav, event, 24_000)), "{} samples", heard.len());
        }
        let (ended, _) = listener.terminate();
        assert!(final_status(&ended.log, "command")["n_delivered"].as_u64().unwrap() >= 2, "{}", ended.log);
    }
}

#[test]
fn a_client_of_the_socket_that_asks_hears_what_follows_the_word_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut listener = Listener::start(folder.path(), &format!("[events.socket]\npath = {path:?}\n"));
    wait_until("the socket is there", || path.exists());
    let mut asking = UnixStream::connect(&path).unwrap();
    asking.write_all(b"{\"audio\": true, \"seconds\": 1}\n").unwrap();
    let plain = UnixStream::connect(&path).unwrap();
    let (mut asking, mut plain) = (BufReader::new(asking), BufReader::new(plain));
    let (mut events, mut sounds) = (Vec::new(), Vec::new());
    // Words may follow each other within the second; each piece says which one it belongs to.
    while sounds.iter().filter(|(_, is_over, _): &&(Value, bool, Vec<u8>)| *is_over).count() < 2 {
        let mut line = String::new();
        asking.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let Some(header) = line.get("audio") else {
            events.push(line);
            continue;
        };
        assert_eq!((&header["rate_hz"], &header["format"]), (&16_000.into(), &"s16le".into()));
        let mut bytes = vec![0; header["n_bytes"].as_u64().unwrap() as usize];
        asking.read_exact(&mut bytes).unwrap();
        // Two words may be heard at the same moment.
        let of = json!([header["word"], header["time_sample"]]);
        if !sounds.iter().any(|(known, ..)| *known == of) {
            let event = events.iter().find(|event| event_of(event) == of).expect("the event comes first");
            assert_eq!(event["end_sample"], header["start_sample"]);
            sounds.push((of.clone(), false, Vec::new()));
        }
        let (_, is_over, sound) = sounds.iter_mut().find(|(known, ..)| *known == of).unwrap();
        *is_over = bytes.is_empty();
        sound.extend(bytes);
    }
    for (of, _, bytes) in sounds.iter().filter(|(_, is_over, _)| *is_over) {
        let event = events.iter().find(|event| event_of(event) == *of).unwrap();
        assert!(is_same_sound(&samples(bytes), &expected(&listener.wav, event, 16_000)), "{} bytes", bytes.len());
    }
    for _ in 0..2 {
        let mut line = String::new();
        plain.read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), listener.next_event());
    }
}

#[test]
fn a_clip_is_kept_of_each_word_within_its_quota() {
    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips");
    // A clip has 0.2 s before and 19.8 s after the word's end: 640 kB.
    let config = format!("[events.clips]\nfolder = {clips:?}\nbefore_ms = 200\nafter_ms = 19800\nmax_mb = 1\n");
    // Not in real time: what was forgotten before it was asked for is silence, but the length is right.
    let ended = Listener::start_with(folder.path(), &config, 60.0, &[], |_| {}).wait();
    let status = final_status(&ended.log, "clips");
    assert_eq!(
        status["n_delivered"].as_u64().unwrap() + status["n_failed"].as_u64().unwrap(),
        ended.events.len() as u64
    );
    let kept: Vec<_> =
        std::fs::read_dir(&clips).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert!(!kept.is_empty() && kept.iter().sum::<u64>() <= 1_000_000, "{kept:?}");

    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips");
    let config = format!("[events.clips]\nfolder = {clips:?}\nbefore_ms = 200\nafter_ms = 500\n");
    let mut listener = Listener::start(folder.path(), &config);
    // One before which there was something to hear.
    let event = std::iter::repeat_with(|| listener.next_event());
    let event = event.into_iter().find(|event| event["end_sample"].as_u64().unwrap() > 3200).unwrap();
    let name = |ending: &str| format!("-{}-{}.{ending}", event["word"].as_str().unwrap(), event["time_sample"]);
    let wav_of = |ending: &str| {
        let entries = std::fs::read_dir(&clips).into_iter().flatten();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_str().unwrap().ends_with(&name(ending)))
    };
    wait_until("the clip is there", || wav_of("json").is_some());
    let start = event["end_sample"].as_u64().unwrap() as usize - 3200;
    let truth = samples_of(&listener.wav)[start..start + 11_200].to_vec();
    assert!(is_same_sound(&samples_of(&wav_of("wav").unwrap()), &truth));
    let beside = std::fs::read_to_string(wav_of("json").unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), event);
}
