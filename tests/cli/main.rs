//! The binary as a user runs it.

#[path = "../common/mod.rs"]
mod common;

mod config;
mod label;
mod listen;
#[cfg(target_os = "linux")]
mod microphone;
mod misc;
#[cfg(feature = "train")]
mod recorded_speech;
#[cfg(feature = "train")]
mod train;

use std::path::{Path, PathBuf};
use std::process::Command;

use tripword::bundle::save;
use tripword::units::SampleRate;

/// The binary, with nothing of the machine's own configuration.
fn tripword() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripword"));
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("XDG_DATA_HOME", "/nonexistent").env_remove("RUST_LOG");
    command
}

struct Ran {
    stdout: String,
    stderr: String,
    code: i32,
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    let ran = Ran {
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        code: output.status.code().expect("no signal ended it"),
    };
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

/// Sends a signal by the shell's own kill: a small machine has no other.
#[cfg(unix)]
fn send_signal(child: &std::process::Child, signal: &str) -> std::io::Result<std::process::ExitStatus> {
    Command::new("sh").args(["-c", &format!("kill -s {signal} {}", child.id())]).status()
}

/// A model folder with random weights, of a seed with which both words fire often.
fn random_model(folder: &Path) -> PathBuf {
    let path = folder.join("random-model");
    let manifest = common::manifest(&["alpha", "beta"]);
    let weights = common::random_weights(&manifest.model, manifest.features.n_mels, 2, 43);
    save(&path, manifest, &weights, "# random\n").unwrap();
    path
}

/// A WAV file of random sound.
fn random_wav(folder: &Path, name: &str, seed: u64, seconds: f64) -> PathBuf {
    let path = folder.join(name);
    let samples = common::random_sound(seed, (seconds * 16_000.0) as usize);
    tripword::audio::write::write_wav(&path, &samples, SampleRate::MODEL).unwrap();
    path
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}
