//! The real capture path, from ALSA through cpal to the source, with a microphone made of a FIFO.
//!
//! ALSA's `file` plugin reads its samples from a FIFO that a thread fills at the pace of life. The library reads its
//! configuration once per process, so each test runs in a process of its own, with `ALSA_CONFIG_PATH` set before it starts.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // this test plays the outside world, which keeps its own time
#![allow(clippy::print_stdout)] // a test may say what it measured

mod common;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{ALSA_CONF, alsa_fifo_config};
use tripword::audio::capture::{CaptureConfig, open_capture};
use tripword::audio::devices::list_devices;
use tripword::audio::resample::at_model_rate;
use tripword::audio::{AudioError, AudioSource, ChannelChoice, Read};
use tripword::units::{Milliseconds, SampleRate};

const FIFO: &str = "TRIPWORD_TEST_FIFO";
const RATE: u64 = 16_000;

/// Runs the test `child` of this file alone in a new process, with a virtual microphone of the given rate and channels.
fn in_process_with_microphone(child: &str, rate: u64, n_channels: u16) {
    if !Path::new(ALSA_CONF).exists() {
        eprintln!("SKIPPED {child}: {ALSA_CONF} is missing; install libasound2-data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("mic.fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let conf = folder.path().join("asound.conf");
    std::fs::write(&conf, alsa_fifo_config(&fifo, rate, n_channels)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env("ALSA_CONFIG_PATH", &conf)
        .env(FIFO, &fifo)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}");
    assert!(output.status.success() && stdout.contains("1 passed"), "{child} failed:\n{stdout}\n{stderr}");
}

/// Sample `place` of the sound in the FIFO: no two places near each other are alike.
fn sample_at(place: u64) -> f32 {
    f32::from((place.wrapping_mul(2_654_435_761) >> 11) as i16) / 32_768.0
}

/// Fills the FIFO with what a microphone would deliver in the time that passes.
struct Microphone {
    is_stopped: Arc<AtomicBool>,
    is_paused: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Microphone {
    /// `n_channels` channels: the first carries [`sample_at`], the others its negative.
    fn start(rate: u64, n_channels: u16) -> Self {
        let fifo = PathBuf::from(std::env::var_os(FIFO).expect("the parent sets it"));
        // Read and write: opening does not wait for a reader, and none may leave while ALSA reopens it.
        let mut fifo = OpenOptions::new().read(true).write(true).open(fifo).unwrap();
        let (is_stopped, is_paused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let flags = (Arc::clone(&is_stopped), Arc::clone(&is_paused));
        let thread = thread::spawn(move || {
            // The length that the capture asks of the device: the file plugin takes what one read(2) gives for a whole
            // block, and leaves stale samples where there was less.
            let n_block = rate / 25;
            let mut place = 0;
            let mut due = Instant::now();
            while !flags.0.load(Ordering::Relaxed) {
                if !flags.1.load(Ordering::Relaxed) {
                    let mut bytes = Vec::new();
                    for place in place..place + n_block {
                        for channel in 0..n_channels {
                            let sample = sample_at(place);
                            let sample = if channel == 0 { sample } else { -sample };
                            bytes.extend(sample.to_le_bytes());
                        }
                    }
                    fifo.write_all(&bytes).unwrap();
                    place += n_block;
                }
                due += Duration::from_millis(40);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self { is_stopped, is_paused, thread: Some(thread) }
    }

    fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn config(device: &str) -> CaptureConfig {
    // The FIFO's own rate: nothing is converted on the way.
    CaptureConfig { device: Some(device.to_owned()), prefer_rate: Some(SampleRate::MODEL), ..CaptureConfig::default() }
}

#[test]
fn captured_samples_equal_those_played() {
    in_process_with_microphone("child_captures_what_is_played", RATE, 1);
}

#[test]
#[ignore = "run by its parent, in a process with a virtual microphone"]
fn child_captures_what_is_played() {
    let microphone = Microphone::start(RATE, 1);
    let devices = list_devices().unwrap();
    let listed = devices.iter().find(|device| device.id == "alsa:wavmic").expect("it is listed");
    assert_eq!(listed.name, "test mic");
    assert!(
        listed.channels.contains(&1) && !listed.sample_formats.is_empty() && !listed.rates.is_empty(),
        "{listed:?}"
    );
    assert_eq!(devices.iter().filter(|device| device.is_default).count(), 1);

    let began = Instant::now();
    let (stream, mut source) = open_capture(&config("TEST MIC")).unwrap();
    assert_eq!((stream.device_id(), source.name()), ("alsa:wavmic", "alsa:wavmic"));
    assert_eq!(source.sample_rate(), SampleRate::MODEL);
    println!("opened {stream:?}");
    let mut place = 0;
    let mut chunk = [0.0; 500];
    let mut n_reads = 0;
    while place < 2 * RATE {
        let Read::Samples(n) = source.read(&mut chunk).unwrap() else { panic!("no gap, no end") };
        for &sample in &chunk[..n] {
            assert_eq!(sample, sample_at(place), "at {place}");
            place += 1;
        }
        n_reads += 1;
    }
    println!(
        "{place} samples in {n_reads} reads and {:.2} s, {:?}",
        began.elapsed().as_secs_f64(),
        source.counters().counts()
    );

    // The main thread stops the capture while another reads.
    let reader = thread::spawn(move || {
        let mut last = Read::Samples(1);
        while last != Read::End {
            last = source.read(&mut [0.0; 500]).unwrap();
        }
        source.read(&mut [0.0; 500]).unwrap()
    });
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    drop(stream);
    assert_eq!(reader.join().unwrap(), Read::End);
    println!("stopped within {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(microphone);
}

#[test]
fn overflow_is_counted_and_placed_exactly() {
    in_process_with_microphone("child_overflows", RATE, 1);
}

#[test]
#[ignore = "run by its parent, in a process with a virtual microphone"]
fn child_overflows() {
    let _microphone = Microphone::start(RATE, 1);
    let ring = Milliseconds(100);
    let (stream, mut source) = open_capture(&CaptureConfig { ring, ..config("alsa:wavmic") }).unwrap();
    let mut place = 0;
    let (mut n_read, mut n_lost, mut n_gaps) = (0, 0, 0);
    let mut chunk = [0.0; 500];
    let mut n_stalls = 0;
    while place < 2 * RATE {
        match source.read(&mut chunk).unwrap() {
            Read::Samples(n) => {
                for &sample in &chunk[..n] {
                    assert_eq!(sample, sample_at(place), "at {place}");
                    place += 1;
                }
                n_read += n as u64;
            }
            Read::Gap { lost_samples } => {
                println!("{lost_samples} lost at {place}");
                place += lost_samples;
                n_lost += lost_samples;
                n_gaps += 1;
            }
            Read::End => panic!("nobody stopped it"),
        }
        if place > (n_stalls + 1) * RATE / 2 && n_stalls < 2 {
            n_stalls += 1;
            thread::sleep(Duration::from_millis(300));
        }
    }
    drop(stream);
    loop {
        match source.read(&mut chunk).unwrap() {
            Read::Samples(n) => n_read += n as u64,
            Read::Gap { lost_samples } => n_lost += lost_samples,
            Read::End => break,
        }
    }
    let counts = source.counters().counts();
    println!("{counts:?}");
    assert!(n_gaps >= 2 && counts.overruns >= 2);
    assert_eq!((counts.samples_delivered, counts.samples_lost), (n_read, n_lost));
}

#[test]
fn a_stereo_device_at_48_khz_is_picked_apart_and_resampled() {
    in_process_with_microphone("child_picks_a_channel", 48_000, 2);
}

#[test]
#[ignore = "run by its parent, in a process with a virtual microphone"]
fn child_picks_a_channel() {
    let _microphone = Microphone::start(48_000, 2);
    let picked = CaptureConfig {
        channels: ChannelChoice::One(1),
        prefer_rate: Some(SampleRate::new(48_000)),
        ..config("alsa:wavmic")
    };
    let (stream, mut source) = open_capture(&picked).unwrap();
    println!("opened {stream:?}");
    let mut chunk = [0.0; 500];
    let mut place = 0;
    while place < 24_000 {
        let Read::Samples(n) = source.read(&mut chunk).unwrap() else { panic!("no gap, no end") };
        for &sample in &chunk[..n] {
            assert_eq!(sample, -sample_at(place), "at {place}");
            place += 1;
        }
    }
    let mut source = at_model_rate(Box::new(source)).unwrap();
    let began = Instant::now();
    let mut n_samples = 0;
    while n_samples < 8000 {
        let Read::Samples(n) = source.read(&mut chunk).unwrap() else { panic!("no gap, no end") };
        n_samples += n;
    }
    let seconds = began.elapsed().as_secs_f64();
    assert!((0.3..0.8).contains(&seconds), "half a second of sound took {seconds} s");
}

#[test]
fn a_device_that_goes_quiet_is_an_error() {
    in_process_with_microphone("child_goes_quiet", RATE, 1);
}

#[test]
#[ignore = "run by its parent, in a process with a virtual microphone"]
fn child_goes_quiet() {
    let microphone = Microphone::start(RATE, 1);
    let stall_timeout = Duration::from_millis(300);
    let (stream, mut source) = open_capture(&CaptureConfig { stall_timeout, ..config("alsa:wavmic") }).unwrap();
    assert!(matches!(source.read(&mut [0.0; 500]).unwrap(), Read::Samples(_)));
    microphone.pause(true);
    let began = Instant::now();
    let error = loop {
        match source.read(&mut [0.0; 500]) {
            Ok(Read::Samples(_)) => {}
            Ok(other) => panic!("unexpected {other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AudioError::DeviceSilent { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(source.read(&mut [0.0; 500]).unwrap(), Read::End);
    // The FIFO's read blocks within ALSA, as no hardware's does; let it return before the stream is dropped.
    microphone.pause(false);
    drop(stream);
}

#[test]
fn unknown_and_missing_devices_say_what_there_is() {
    in_process_with_microphone("child_asks_for_others", RATE, 1);
}

#[test]
#[ignore = "run by its parent, in a process with a virtual microphone"]
fn child_asks_for_others() {
    let message = open_capture(&config("webcam")).unwrap_err().to_string();
    assert!(message.contains("'webcam'") && message.contains("alsa:wavmic (test mic)"), "{message}");
    assert!(message.contains("tripword devices"), "{message}");
}

#[test]
fn no_microphone_is_an_error_of_its_own() {
    // A configuration in which nothing is a device.
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("asound.conf");
    std::fs::write(&conf, "").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_has_no_microphone", "--ignored", "--nocapture"])
        .env("ALSA_CONFIG_PATH", &conf)
        .env(FIFO, "none")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run by its parent, in a process without any microphone"]
fn child_has_no_microphone() {
    let error = open_capture(&CaptureConfig::default()).unwrap_err();
    println!("{error}");
    assert!(matches!(error, AudioError::NoMicrophone { .. }), "{error}");
    let devices = list_devices().unwrap();
    println!("{devices:?}");
    assert!(devices.iter().all(|device| device.note.is_some()));
}
