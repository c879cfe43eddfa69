//! Configuration and model read anew while words are said: a real binary, a stream in real time, nothing missed.
#![cfg(unix)]

mod common;

#[path = "common/binary.rs"]
mod binary;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use binary::{Ran, json_lines, run, send_signal, tripword};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.wav");

/// The shipped model in a folder of its own, and a configuration that names it.
fn prepare(folder: &Path) -> (PathBuf, PathBuf) {
    let (model, config) = (folder.join("model"), folder.join("config.toml"));
    std::fs::create_dir(&model).unwrap();
    for file in ["manifest.toml", "weights.safetensors"] {
        std::fs::copy(format!("{}/models/six-words/{file}", env!("CARGO_MANIFEST_DIR")), model.join(file)).unwrap();
    }
    std::fs::write(&config, configuration(&model, "")).unwrap();
    (model, config)
}

fn configuration(model: &Path, rest: &str) -> String {
    format!("model.path = {model:?}\n{rest}")
}

struct Listener {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    socket: PathBuf,
}

impl Listener {
    fn start(folder: &Path, config: &Path, args: &[&str]) -> Self {
        let socket = folder.join("control.sock");
        let mut child = tripword()
            .arg("--config")
            .arg(config)
            .args(["listen", "--real-time", "--input", DEMO, "--set"])
            .arg(format!("control.socket={socket:?}"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut listener = Self { child, log, socket };
        listener.wait_for_log("control socket");
        listener
    }

    /// The next line of the log with this text.
    fn wait_for_log(&mut self, text: &str) -> String {
        let mut log = String::new();
        loop {
            let before = log.len();
            assert!(self.log.read_line(&mut log).unwrap() > 0, "'{text}' is not in: {log}");
            if log[before..].contains(text) {
                return log[before..].to_owned();
            }
        }
    }

    fn ctl(&self, args: &[&str]) -> Ran {
        run(tripword().args(["ctl", "--socket"]).arg(&self.socket).args(args))
    }

    /// All words of the stream with the times of their decisions, and the rest of the log.
    fn finish(mut self) -> (Vec<(String, f64)>, String) {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        (words(&stdout), log)
    }
}

fn words(lines: &str) -> Vec<(String, f64)> {
    let word =
        |event: serde_json::Value| (event["word"].as_str().unwrap().to_owned(), event["time_s"].as_f64().unwrap());
    json_lines(lines).into_iter().map(word).collect()
}

fn labelled() -> Vec<(String, f64)> {
    words(&run(tripword().args(["label", "--json", DEMO])).stdout)
}

#[test]
fn reloads_in_the_middle_of_words_lose_none_and_move_none() {
    let folder = tempfile::tempdir().unwrap();
    let (model, config) = prepare(folder.path());
    let expected = labelled();
    assert_eq!(expected.len(), 6);
    // Twice the words at the same time: one listener keeps its model, the other gets a new one each time.
    let other_folder = tempfile::tempdir().unwrap();
    let (other_model, other_config) = prepare(other_folder.path());
    let same = Listener::start(folder.path(), &config, &[]);
    let renewed = Listener::start(other_folder.path(), &other_config, &["--set", "control.watch_files=false"]);
    let manifest = std::fs::read_to_string(other_model.join("manifest.toml")).unwrap();
    let mut n_reloads = 0;
    loop {
        // Every 700 ms, in whatever the stream is at: in 31 seconds with six words of 0.6 s some fall within words.
        std::thread::park_timeout(Duration::from_millis(700));
        if same.ctl(&["unmute"]).code != 0 || renewed.ctl(&["unmute"]).code != 0 {
            break;
        }
        n_reloads += 1;
        // Rules alone: another refractory period.
        let rules = format!("trigger.refractory_ms = {}\n", 1000 + n_reloads % 2);
        std::fs::write(&config, configuration(&model, &rules)).unwrap();
        if n_reloads % 2 == 0 {
            send_signal(&same.child, "HUP").unwrap();
        }
        // The model itself, as far as anybody can see: its name differs.
        let named = manifest.replacen("name = \"six-words\"", &format!("name = \"six-words-{n_reloads}\""), 1);
        assert_ne!(named, manifest);
        std::fs::write(other_model.join("manifest.toml"), named).unwrap();
        send_signal(&renewed.child, "HUP").unwrap();
    }
    assert!(n_reloads > 20, "{n_reloads}");
    let (events, log) = same.finish();
    assert_eq!(events, expected, "{log}");
    assert!(log.matches("read anew").count() >= 10, "{log}");
    let (events, log) = renewed.finish();
    assert!(log.matches("in the place of").count() >= 20, "{log}");
    let names = |events: &[(String, f64)]| events.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>();
    assert_eq!(names(&events), names(&expected), "{log}");
    // A model that has heard six seconds may decide a step or two of 80 ms earlier or later than one that has heard all.
    for ((word, found_s), (_, expected_s)) in events.iter().zip(&expected) {
        assert!((found_s - expected_s).abs() < 0.17, "{word} at {found_s} s and not {expected_s} s");
    }
}

#[test]
fn a_bad_file_keeps_the_old_one_and_says_why_and_the_next_good_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (model, config) = prepare(folder.path());
    let args = ["--threshold", "0.9", "--set", "control.watch_files=false"];
    let mut listener = Listener::start(folder.path(), &config, &args);
    let refused = |listener: &Listener, text: &str, parts: &[&str]| {
        std::fs::write(&config, text).unwrap();
        let ran = listener.ctl(&["reload"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert!(parts.iter().all(|part| ran.stderr.contains(part)), "{}", ran.stderr);
        let status = listener.ctl(&["status"]).stdout;
        assert!(parts.iter().all(|part| status.contains(part)) && status.contains("six-words"), "{status}");
    };
    refused(&listener, "model.path = ", &["config.toml", "not valid TOML"]);
    refused(&listener, "triger.threshold = 1", &["config.toml", "did you mean 'trigger.threshold'?"]);
    refused(&listener, &configuration(&model, "trigger.refractory_ms = 70000"), &["refractory_ms is 70000"]);
    refused(&listener, "model.path = \"nowhere\"", &["there is no model 'nowhere'"]);
    assert!(listener.wait_for_log("could not be read anew").contains("not valid TOML"));
    // A model whose weights are not those of its manifest.
    let weights = std::fs::read(model.join("weights.safetensors")).unwrap();
    std::fs::write(model.join("weights.safetensors"), &weights[..weights.len() - 1]).unwrap();
    refused(&listener, &configuration(&model, ""), &["SHA-256"]);
    std::fs::write(model.join("weights.safetensors"), &weights).unwrap();

    // Flags win over the file, also later; mute and switched-off words stay; what needs a restart is named.
    assert_eq!(listener.ctl(&["disable", "alexa"]).code, 0);
    assert_eq!(listener.ctl(&["mute"]).code, 0);
    assert_eq!(listener.ctl(&["threshold", "jarvis", "0.2"]).code, 0);
    let rest = "trigger.threshold = 0.3\ntrigger.words.snowboy.refractory_ms = 777\ninput.channel = \"1\"\n";
    std::fs::write(&config, configuration(&model, rest)).unwrap();
    let ran = listener.ctl(&["reload", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let changes = answer["changes"].to_string();
    assert!(changes.contains("jarvis: threshold 0.9 in the place of 0.2"), "{answer}");
    assert!(changes.contains("snowboy: other rules"), "{answer}");
    assert_eq!(answer["needs_restart"], serde_json::json!(["input.channel"]));
    let status: serde_json::Value = serde_json::from_str(&listener.ctl(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["mute"]["is_muted"], true);
    for word in status["words"].as_array().unwrap() {
        assert_eq!((&word["threshold"], word["is_enabled"] == false), (&0.9.into(), word["name"] == "alexa"), "{word}");
    }
    send_signal(&listener.child, "TERM").unwrap();
    let (_, log) = listener.finish();
    assert!(log.contains("needs a restart"), "{log}");
}

#[test]
fn files_that_change_are_taken_and_folders_that_are_replaced_too() {
    let folder = tempfile::tempdir().unwrap();
    let (model, config) = prepare(folder.path());
    let mut listener = Listener::start(folder.path(), &config, &[]);
    // As editors save: another file in its place.
    let new = folder.path().join("config.toml.new");
    std::fs::write(&new, configuration(&model, "trigger.words.alexa.threshold = 0.77\n")).unwrap();
    std::fs::rename(&new, &config).unwrap();
    let began = Instant::now();
    assert!(listener.wait_for_log("read anew").contains("alexa: threshold 0.77 in the place of"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // As training saves: another folder in its place.
    let trained = folder.path().join("trained");
    assert!(Command::new("cp").arg("-r").arg(&model).arg(&trained).status().unwrap().success());
    let manifest = std::fs::read_to_string(trained.join("manifest.toml")).unwrap();
    std::fs::write(trained.join("manifest.toml"), manifest.replacen("\"six-words\"", "\"seven\"", 1)).unwrap();
    std::fs::rename(&model, folder.path().join("old")).unwrap();
    std::fs::rename(&trained, &model).unwrap();
    assert!(listener.wait_for_log("read anew").contains("model 'seven' in the place of 'six-words'"));
    // A model that is not there yet: the configuration is refused, and taken once it is.
    std::fs::write(&config, configuration(&folder.path().join("later"), "")).unwrap();
    assert!(listener.wait_for_log("could not be read anew").contains("later"));
    std::fs::rename(folder.path().join("old"), folder.path().join("later")).unwrap();
    assert!(listener.wait_for_log("read anew").contains("model 'six-words' in the place of 'seven'"));
    send_signal(&listener.child, "TERM").unwrap();
    listener.finish();
}
