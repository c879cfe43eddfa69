//! The binary as a user runs it, and models and sounds for it.
#![allow(dead_code)] // each test file uses its part

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common;
use tripword::bundle::save;
use tripword::units::SampleRate;

/// The binary, with nothing of the machine's own configuration.
pub(crate) fn tripword() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripword"));
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("XDG_DATA_HOME", "/nonexistent").env_remove("RUST_LOG");
    // Where the tests are a service themselves.
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("JOURNAL_STREAM");
    // Where no folder can be made: no control socket and no journal, unless a test gives them a place.
    command.env("XDG_RUNTIME_DIR", "/dev/null").env_remove("RUNTIME_DIRECTORY");
    command.env("XDG_STATE_HOME", "/dev/null").env_remove("STATE_DIRECTORY");
    command
}

pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

pub(crate) fn run(command: &mut Command) -> Ran {
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
pub(crate) fn send_signal(child: &std::process::Child, signal: &str) -> std::io::Result<std::process::ExitStatus> {
    Command::new("sh").args(["-c", &format!("kill -s {signal} {}", child.id())]).status()
}

/// A model folder with random weights, of a seed with which both words fire often.
pub(crate) fn random_model(folder: &Path) -> PathBuf {
    let path = folder.join("random-model");
    let manifest = common::manifest(&["alpha", "beta"]);
    let weights = common::random_weights(&manifest.model, manifest.features.n_mels, 2, 43);
    save(&path, manifest, &weights, "# random\n").unwrap();
    path
}

/// A WAV file of random sound.
pub(crate) fn random_wav(folder: &Path, name: &str, seed: u64, seconds: f64) -> PathBuf {
    let path = folder.join(name);
    let samples = common::random_sound(seed, (seconds * 16_000.0) as usize);
    tripword::audio::write::write_wav(&path, &samples, SampleRate::MODEL).unwrap();
    path
}

/// A WAV file of silence with the sound of another, 16 kHz and 16 bits as [`random_wav`] makes it, at either end. On the disk it
/// takes little more than the sound.
#[cfg(unix)]
pub(crate) fn long_wav(path: &Path, hours: f64, sound: &Path) {
    use std::os::unix::fs::FileExt;
    const HEADER_BYTES: usize = 44;
    let mut bytes = std::fs::read(sound).unwrap();
    let n_bytes = (hours * 3600.0 * 16_000.0) as u32 * 2;
    bytes[4..8].copy_from_slice(&(n_bytes + HEADER_BYTES as u32 - 8).to_le_bytes());
    bytes[40..HEADER_BYTES].copy_from_slice(&n_bytes.to_le_bytes());
    let file = std::fs::File::create(path).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let sound = &bytes[HEADER_BYTES..];
    file.write_all_at(sound, u64::from(n_bytes) + HEADER_BYTES as u64 - sound.len() as u64).unwrap();
}

pub(crate) fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}
