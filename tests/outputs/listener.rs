//! A `tripword listen` that hears a recording as if it were live, with outputs of the test's choice.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{random_model, random_wav, send_signal, tripword};

/// As long as anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Listener {
    pub(crate) child: Child,
    events: Receiver<Value>,
    log: Receiver<String>,
    heard: String,
    pub(crate) wav: PathBuf,
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// All that it wrote to standard error.
    pub(crate) log: String,
    /// Events on standard output that were not taken before.
    pub(crate) events: Vec<Value>,
}

impl Listener {
    /// Hears ten minutes of random sound, in which a word is said every few seconds.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::start_with(folder, config, 600.0, &["--real-time"], |_| {})
    }

    pub(crate) fn start_with(
        folder: &Path,
        config: &str,
        seconds: f64,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let model = random_model(folder);
        let wav = random_wav(folder, "talk.wav", 1, seconds);
        let config_path = folder.join("tripword.toml");
        std::fs::write(&config_path, config).unwrap();
        let mut command = tripword();
        command.args(["listen", "--model"]).arg(&model).arg("--input").arg(&wav).args(arguments);
        command.arg("--config").arg(&config_path).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (event_sender, events) = channel();
        let (log_sender, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line = line.unwrap();
                let event = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event: {line}"));
                if event_sender.send(event).is_err() {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                if log_sender.send(line.unwrap_or_default()).is_err() {
                    return;
                }
            }
        });
        Self { child, events, log, heard: String::new(), wav }
    }

    /// The next event on standard output.
    pub(crate) fn next_event(&mut self) -> Value {
        let event = self.events.recv_timeout(PATIENCE);
        event.unwrap_or_else(|error| panic!("no event: {error}; log: {}", self.log_so_far()))
    }

    pub(crate) fn log_so_far(&mut self) -> &str {
        for line in self.log.try_iter() {
            self.heard += &(line + "\n");
        }
        &self.heard
    }

    pub(crate) fn wait_for_log(&mut self, text: &str) {
        wait_until(&format!("'{text}' in the log"), || self.log_so_far().contains(text));
    }

    /// Asks it to stop; gives how long that took.
    pub(crate) fn terminate(self) -> (Ended, Duration) {
        let asked = Instant::now();
        assert!(send_signal(&self.child, "TERM").unwrap().success());
        let ended = self.wait();
        (ended, asked.elapsed())
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end; log: {}", self.log_so_far());
            std::thread::sleep(Duration::from_millis(5));
        };
        // Both end with the pipes that a child of it may still hold; not longer than necessary.
        std::thread::sleep(Duration::from_millis(100));
        let events = self.events.try_iter().collect();
        let log = self.log_so_far().to_owned();
        assert!(!log.contains("panicked"), "{log}");
        Ended { code: status.code(), log, events }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last look at an output that the log has, as told when `listen` ended.
pub(crate) fn final_status(log: &str, output: &str) -> Value {
    let lines = log.lines().filter_map(|line| line.split_once("output closed: ").map(|(_, json)| json));
    let mut found = lines.filter_map(|json| serde_json::from_str::<Value>(json).ok());
    found.find(|status| status["name"] == output).unwrap_or_else(|| panic!("nothing on {output} in {log}"))
}

pub(crate) fn wait_until(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn lines_of(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {line}"))).collect()
}

/// The samples of a WAV file of 16 bits.
pub(crate) fn samples_of(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

/// Whether two recordings are the same but for rounding.
pub(crate) fn is_same_sound(a: &[i16], b: &[i16]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1)
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// All that it has written to standard output, line by line as it comes.
    pub(crate) fn lines(&mut self) -> Receiver<String> {
        let stdout = self.0.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a program of this name is installed; says loudly if not.
pub(crate) fn has_program(name: &str, package: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {name} || ls /usr/sbin/{name}")]).output().unwrap();
    let is_there = found.status.success();
    if !is_there {
        eprintln!("SKIPPED: {name} is missing; install {package}");
    }
    is_there
}
