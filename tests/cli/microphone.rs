//! The microphone, from ALSA to the event: no sound card and no daemon, a FIFO behind ALSA's file plugin.
#![allow(clippy::disallowed_methods)] // this test plays the outside world, which keeps its own time

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::common::ALSA_CONF;
use super::*;

/// What the capture asks of the device at a time; the file plugin wants whole blocks.
const BLOCK_SAMPLES: usize = 640;

#[test]
fn a_microphone_fires_the_events_that_label_finds_at_the_same_samples() {
    if !Path::new(ALSA_CONF).exists() {
        eprintln!("SKIPPED: {ALSA_CONF} is missing; install libasound2-data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let samples = common::random_sound(1, 16_000 * 12);
    let wav = folder.path().join("talk.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&wav, spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    let labelled = run(tripword().args(["label", "--json", "--model"]).arg(&model).arg(&wav));
    // Words decided in the silence after the file's end are decided in the microphone's silence, too.
    let expected = json_lines(&labelled.stdout);
    assert!(expected.len() > 1, "{expected:?}");

    let fifo = folder.path().join("mic.fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let conf = folder.path().join("asound.conf");
    std::fs::write(&conf, common::alsa_fifo_config(&fifo, 16_000, 1)).unwrap();
    // Read and write: opening does not wait for a reader, and none may leave while ALSA opens the device again.
    let mut microphone = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        let samples = &samples;
        scope.spawn(move || {
            let mut due = Instant::now();
            let mut blocks = samples.chunks(BLOCK_SAMPLES);
            while !is_over.load(Ordering::Relaxed) {
                let block = blocks.next().unwrap_or(&[0.0; BLOCK_SAMPLES]);
                let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                microphone.write_all(&bytes).unwrap();
                due += Duration::from_millis(40);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        let mut child = tripword()
            // The FIFO's own rate, so that nothing is converted on the way and samples can be compared.
            .args(["listen", "--input", "alsa:wavmic", "--set", "input.rate_hz=16000", "--model"])
            .arg(&model)
            .env("ALSA_CONFIG_PATH", &conf)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut events = Vec::new();
        while events.len() < expected.len() {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                break;
            }
            events.extend(json_lines(&line));
        }
        let terminated = send_signal(&child, "TERM");
        is_over.store(true, Ordering::Relaxed);
        let status = child.wait().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(terminated.unwrap().success() && status.success(), "{stderr}");
        assert_eq!(events.len(), expected.len(), "{stderr}");
        for (event, expected) in events.iter().zip(&expected) {
            for field in ["word", "start_sample", "end_sample", "time_sample", "score"] {
                assert_eq!(event[field], expected[field], "{field} of {event}; log: {stderr}");
            }
            assert_eq!(event["file"], "alsa:wavmic");
        }
    });
}

/// A microphone that delivers these samples in real time, and then silence until it is dropped.
struct Microphone {
    is_over: Arc<AtomicBool>,
    /// Samples written so far.
    n_written: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Microphone {
    /// Gives the ALSA configuration, too.
    fn start(folder: &Path, samples: Vec<f32>) -> (Self, std::path::PathBuf) {
        let fifo = folder.join("mic.fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let conf = folder.join("asound.conf");
        std::fs::write(&conf, common::alsa_fifo_config(&fifo, 16_000, 1)).unwrap();
        let mut pipe = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let (is_over, n_written) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let (flag, count) = (is_over.clone(), n_written.clone());
        let thread = std::thread::spawn(move || {
            let mut due = Instant::now();
            let mut blocks = samples.chunks_exact(BLOCK_SAMPLES);
            while !flag.load(Ordering::Relaxed) {
                let block = blocks.next().unwrap_or(&[0.0; BLOCK_SAMPLES]);
                let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                pipe.write_all(&bytes).unwrap();
                count.fetch_add(BLOCK_SAMPLES, Ordering::Relaxed);
                due += Duration::from_millis(40);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        (Self { is_over, n_written, thread: Some(thread) }, conf)
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_word_just_said_is_told_when_it_is_ended_and_that_takes_no_time() {
    if !Path::new(ALSA_CONF).exists() {
        eprintln!("SKIPPED: {ALSA_CONF} is missing; install libasound2-data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let demo = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    let mut samples: Vec<f32> = hound::WavReader::open(demo)
        .unwrap()
        .samples::<i16>()
        .map(|sample| f32::from(sample.unwrap()) / 32_768.0)
        .collect();
    // "computer" ends here; its event comes at 5.2 s when nobody ends the stream.
    let n_word_end = (5.06 * 16_000.0) as usize;
    samples.truncate(n_word_end.next_multiple_of(BLOCK_SAMPLES));
    let n_samples = samples.len();
    let (microphone, conf) = Microphone::start(folder.path(), samples);
    let mut child = tripword()
        .args(["listen", "--input", "alsa:wavmic", "--set", "input.rate_hz=16000"])
        .env("ALSA_CONFIG_PATH", &conf)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while microphone.n_written.load(Ordering::Relaxed) < n_samples {
        std::thread::sleep(Duration::from_millis(2));
    }
    // The last block is written; it has to pass ALSA.
    std::thread::sleep(Duration::from_millis(45));
    let asked = Instant::now();
    assert!(send_signal(&child, "TERM").unwrap().success());
    let status = child.wait().unwrap();
    let took = asked.elapsed();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(status.success(), "{stderr}");
    assert!(took < Duration::from_millis(300), "{took:?}");
    let events = json_lines(&stdout);
    assert_eq!(events.len(), 1, "{stdout} {stderr}");
    assert_eq!(events[0]["word"], "computer");
    assert!(stderr.contains("\"n_delivered_events\":1"), "{stderr}");
}

#[test]
fn sound_faster_than_time_is_told_and_not_listened_to() {
    if !Path::new(ALSA_CONF).exists() {
        eprintln!("SKIPPED: {ALSA_CONF} is missing; install libasound2-data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("asound.conf");
    // A file has no clock.
    std::fs::write(&conf, common::alsa_fifo_config(Path::new("/dev/zero"), 16_000, 1)).unwrap();
    let mut child = tripword()
        .args(["listen", "--input", "alsa:wavmic", "--set", "input.rate_hz=16000"])
        .env("ALSA_CONFIG_PATH", &conf)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("times faster than time passes") {
        assert!(stderr.read_line(&mut log).unwrap() > 0, "{log}");
    }
    let asked = Instant::now();
    assert!(send_signal(&child, "TERM").unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    stderr.read_to_string(&mut log).unwrap();
    assert!(log.contains("\"n_losses\":1"), "{log}");
}
