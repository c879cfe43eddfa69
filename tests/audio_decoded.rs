//! Files of every kind, made by ffmpeg and sox: the same sound at the same place.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tripword::audio::file::FileSource;
use tripword::audio::{AudioError, AudioSource, ChannelChoice, Read, read_to_end};

const RATE: u32 = 44_100;

/// Whether ffmpeg is there; a missing one is said aloud.
fn has_ffmpeg() -> bool {
    has("ffmpeg", "-version")
}

fn has(program: &str, version: &str) -> bool {
    let found = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("SKIPPED: there is no {program} to make files with");
    }
    is_there
}

/// Three seconds: bursts of a chirp with quiet between, another in each of two channels.
fn sound(folder: &Path) -> PathBuf {
    let path = folder.join("sound.wav");
    let spec =
        hound::WavSpec { channels: 2, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for i in 0..3 * RATE {
        for channel in 0..2 {
            let t = f64::from(i) / f64::from(RATE);
            let in_burst = (t * 2.0 + f64::from(channel) * 0.5).fract();
            let envelope = if in_burst < 0.4 { (in_burst / 0.4 * std::f64::consts::PI).sin() } else { 0.0 };
            let phase = 2.0 * std::f64::consts::PI * (300.0 * t + 900.0 * t * in_burst);
            writer.write_sample((envelope * phase.sin() * 12_000.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    path
}

fn made(folder: &Path, original: &Path, name: &str, options: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(original)
        .args(options)
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
    path
}

fn read(path: &Path, channels: ChannelChoice) -> (Vec<f32>, u32, Vec<String>) {
    let mut source = FileSource::open(path, channels).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let samples = read_to_end(&mut source).unwrap();
    (samples, source.sample_rate().hz(), source.warnings())
}

/// By how many samples `found` is late, and how like it then is, 1 being the same.
fn late(truth: &[f32], found: &[f32]) -> (i64, f64) {
    let at = |samples: &[f32], i: i64| usize::try_from(i).ok().and_then(|i| samples.get(i)).copied().unwrap_or(0.0);
    let likeness = |lag: i64| {
        let (mut both, mut of_truth, mut of_found) = (0.0, 0.0, 0.0);
        for i in 0..truth.len() as i64 {
            let (a, b) = (f64::from(truth[i as usize]), f64::from(at(found, i + lag)));
            both += a * b;
            of_truth += a * a;
            of_found += b * b;
        }
        both / f64::sqrt(of_truth * of_found).max(f64::MIN_POSITIVE)
    };
    (-3000..=3000).step_by(1).map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn what_is_lost_to_no_codec_is_the_same_to_the_bit() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = sound(folder.path());
    for channels in [ChannelChoice::Mix, ChannelChoice::One(1)] {
        let (truth, ..) = read(&original, channels);
        for (name, options) in [
            ("a.flac", &[][..]),
            ("a.m4a", &["-c:a", "alac"]),
            ("a.mka", &["-c:a", "flac"]),
            ("a.oga", &["-c:a", "flac"]),
            ("a.aiff", &[]),
            ("a.caf", &["-c:a", "pcm_s16le"]),
        ] {
            let path = made(folder.path(), &original, name, options);
            let (found, rate, warnings) = read(&path, channels);
            assert_eq!((rate, warnings), (RATE, Vec::new()), "{name}");
            assert!(found == truth, "{name}: {} samples, expected {}", found.len(), truth.len());
        }
    }
}

#[test]
fn what_a_codec_changes_stays_in_its_place() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = sound(folder.path());
    let (truth, ..) = read(&original, ChannelChoice::One(0));
    // Opus is always of 48 kHz: what it is compared with is converted.
    let converted = made(folder.path(), &original, "at48.wav", &["-ar", "48000"]);
    let (truth_48, ..) = read(&converted, ChannelChoice::One(0));
    for (name, options, most_late) in [
        ("b.mp3", &["-b:a", "128k"][..], 0),
        ("b.ogg", &["-c:a", "libvorbis"], 0),
        ("b.m4a", &["-c:a", "aac"], 0),
        ("b.opus", &["-c:a", "libopus"], 1),
        ("b.webm", &["-c:a", "libopus"], 1),
        ("c.webm", &["-c:a", "libvorbis"], 0),
        ("alaw.wav", &["-c:a", "pcm_alaw"], 0),
        ("mulaw.wav", &["-c:a", "pcm_mulaw"], 0),
        ("ima.wav", &["-c:a", "adpcm_ima_wav"], 0),
        ("ms.wav", &["-c:a", "adpcm_ms"], 0),
    ] {
        let path = made(folder.path(), &original, name, options);
        let (found, rate, warnings) = read(&path, ChannelChoice::One(0));
        let truth = if rate == RATE { &truth } else { &truth_48 };
        let (lag, likeness) = late(truth, &found);
        eprintln!("{name}: {rate} Hz, {} of {} samples, {lag} late, likeness {likeness:.4}", found.len(), truth.len());
        assert!(lag.abs() <= most_late && likeness > 0.98, "{name}: {lag} samples late, likeness {likeness}");
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        let source = FileSource::open(&path, ChannelChoice::Mix).unwrap();
        assert_eq!(source.n_channels(), 2, "{name}");
        let expected_s = truth.len() as f64 / f64::from(rate);
        if name == "b.m4a" {
            assert_eq!(found.len(), truth.len(), "the edit list tells where the sound ends");
        }
        let told_s = source.duration_s().unwrap_or(expected_s);
        assert!((told_s - expected_s).abs() < 0.1, "{name}: says {told_s} s");
    }
}

#[test]
fn what_sox_writes_is_the_same_sound() {
    if !has("sox", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = sound(folder.path());
    let (truth, ..) = read(&original, ChannelChoice::One(1));
    // (file, options, how far off a sample may be; none where a codec may change it)
    for (name, options, most_off) in [
        ("s.flac", &[][..], Some(0.0)),
        ("s24.flac", &["-b", "24"], Some(0.0)),
        ("s24.wav", &["-b", "24"], Some(0.0)),
        ("s32.wav", &["-b", "32"], Some(0.0)),
        ("float.wav", &["-e", "floating-point", "-b", "32"], Some(0.0)),
        ("u8.wav", &["-b", "8", "-D"], Some(0.008)),
        ("s.aiff", &[], Some(0.0)),
        ("s.aifc", &[], Some(0.0)),
        ("mulaw.wav", &["-e", "mu-law"], Some(0.02)),
        ("alaw.wav", &["-e", "a-law"], Some(0.02)),
        ("ms.wav", &["-e", "ms-adpcm"], None),
        ("s.ogg", &["-C", "6"], None),
    ] {
        let path = folder.path().join(name);
        let made = Command::new("sox").arg(&original).args(options).arg(&path).output().unwrap();
        assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
        let (found, rate, warnings) = read(&path, ChannelChoice::One(1));
        assert_eq!((rate, warnings), (RATE, Vec::new()), "{name}");
        if let Some(most_off) = most_off {
            let off = truth.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(found.len() == truth.len() && off <= most_off, "{name}: {} samples, {off} off", found.len());
        } else {
            let (lag, likeness) = late(&truth, &found);
            assert!(lag == 0 && likeness > 0.98, "{name}: {lag} samples late, likeness {likeness}");
        }
    }
}

#[test]
fn a_file_that_breaks_off_is_heard_to_there_and_told_of() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = sound(folder.path());
    // In Ogg what is not in a whole page is not there, and a page can last for seconds.
    for (name, options) in [
        ("d.flac", &[][..]),
        ("d.mp3", &[]),
        ("d.ogg", &["-c:a", "libvorbis", "-page_duration", "200000"]),
        ("d.opus", &["-c:a", "libopus", "-page_duration", "200000"]),
    ] {
        let path = made(folder.path(), &original, name, options);
        let bytes = std::fs::read(&path).unwrap();
        let (whole, ..) = read(&path, ChannelChoice::Mix);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let (half, ..) = read(&path, ChannelChoice::Mix);
        assert!(half.len() > whole.len() / 5 && half.len() < whole.len(), "{name}: {} samples", half.len());
        // In the middle, a stretch of zeros: what follows is heard.
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 300].fill(0);
        std::fs::write(&path, &damaged).unwrap();
        let _ =
            FileSource::open(&path, ChannelChoice::Mix).map(|mut source| read_to_end(&mut source).map(|all| all.len()));
    }
}

#[test]
fn what_is_no_sound_is_named_with_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("letter.mp3", &b"dear friend, this is no sound at all, but a letter of some length to you"[..]),
        ("zeros.flac", &[0; 4000]),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = FileSource::open(&path, ChannelChoice::Mix).err().unwrap();
        assert!(matches!(error, AudioError::Undecodable { .. }), "{error}");
        assert!(error.to_string().contains(name) && error.to_string().contains("FLAC"), "{error}");
    }
}

#[test]
fn damaged_files_are_sound_or_an_error() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let original = sound(folder.path());
    let kinds = [
        ("e.flac", &[][..]),
        ("e.mp3", &["-b:a", "64k"]),
        ("e.ogg", &["-c:a", "libvorbis", "-page_duration", "50000"]),
        ("e.opus", &["-c:a", "libopus", "-page_duration", "50000"]),
        ("e.webm", &["-c:a", "libopus"]),
        ("e.m4a", &["-c:a", "aac"]),
        ("alac.m4a", &["-c:a", "alac"]),
        ("e.aiff", &[]),
        ("e.caf", &["-c:a", "pcm_s16le"]),
        ("adpcm.wav", &["-c:a", "adpcm_ms"]),
    ];
    // Damage hits heads as often as what follows them.
    let edit = (any::<prop::sample::Index>(), any::<bool>(), 0u8..3, any::<u8>());
    let edits = prop::collection::vec(edit, 1..8);
    for (name, options) in kinds {
        let short = [&["-t", "0.3", "-ar", "16000"], options].concat();
        let whole = std::fs::read(made(folder.path(), &original, name, &short)).unwrap();
        let path = folder.path().join(format!("damaged-{name}"));
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() });
        let ran = runner.run(&edits, |edits| {
            let mut bytes = whole.clone();
            for (place, is_head, kind, value) in edits {
                let at = place.index(if is_head { bytes.len().min(200) } else { bytes.len() }.max(1));
                let end = (at + usize::from(value) % 32).min(bytes.len());
                match kind {
                    0 if at < bytes.len() => bytes[at] = value,
                    1 => drop(bytes.drain(at.min(end)..end)),
                    _ => bytes.insert(at.min(bytes.len()), value),
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(mut source) = FileSource::open(&path, ChannelChoice::Mix) {
                let mut chunk = [0.0; 4096];
                // A head that is damaged can promise any length; no more comes than the bytes can hold.
                let (mut n_samples, n_most) = (0, 10_000_000);
                while let Ok(Read::Samples(n)) = source.read(&mut chunk) {
                    n_samples += n;
                    prop_assert!(n > 0 && n_samples < n_most, "{name}: {n_samples} samples");
                }
            }
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
