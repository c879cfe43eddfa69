//! WAV files as they are met in life: every encoding, odd headers, cut files; and bytes that never were a WAV file.

#![allow(clippy::disallowed_methods)] // a thread here plays another program

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tripword::audio::resample::at_model_rate;
use tripword::audio::wav::{Truncation, WavSource};
use tripword::audio::{AudioError, AudioSource, ChannelChoice, Read, read_to_end};
use tripword::units::SampleRate;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// A `fmt ` chunk's content, plain or extensible.
fn fmt(tag: u16, n_channels: u16, rate: u32, container_bytes: u16, bits: u16) -> Vec<u8> {
    let frame_bytes = n_channels.wrapping_mul(container_bytes);
    let mut fmt = Vec::new();
    fmt.extend(tag.to_le_bytes());
    fmt.extend(n_channels.to_le_bytes());
    fmt.extend(rate.to_le_bytes());
    fmt.extend(rate.wrapping_mul(frame_bytes.into()).to_le_bytes());
    fmt.extend(frame_bytes.to_le_bytes());
    fmt.extend(bits.to_le_bytes());
    fmt
}

fn extensible(sub_tag: u16, n_channels: u16, rate: u32, container_bytes: u16, valid_bits: u16) -> Vec<u8> {
    let mut fmt = fmt(EXTENSIBLE, n_channels, rate, container_bytes, container_bytes * 8);
    fmt.extend(22u16.to_le_bytes());
    fmt.extend(valid_bits.to_le_bytes());
    fmt.extend(0u32.to_le_bytes());
    fmt.extend(sub_tag.to_le_bytes());
    fmt.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    fmt
}

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((content.len() as u32).to_le_bytes());
    chunk.extend(content);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body: Vec<u8> = chunks.concat();
    let mut riff = b"RIFF".to_vec();
    riff.extend((body.len() as u32 + 4).to_le_bytes());
    riff.extend(b"WAVE");
    riff.extend(body);
    riff
}

fn wav(fmt: &[u8], data: &[u8]) -> Vec<u8> {
    riff(&[chunk(b"fmt ", fmt), chunk(b"data", data)])
}

/// Writes the sizes of the RIFF and of the data chunk, which begins at byte 36.
fn with_sizes(mut wav: Vec<u8>, riff: u32, data: u32) -> Vec<u8> {
    wav[4..8].copy_from_slice(&riff.to_le_bytes());
    wav[40..44].copy_from_slice(&data.to_le_bytes());
    wav
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("a.wav");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn open(path: &Path) -> Result<WavSource, AudioError> {
    WavSource::open(path, ChannelChoice::Mix)
}

fn samples(bytes: &[u8], channels: ChannelChoice) -> Vec<f32> {
    let path = Folder::new();
    let path = (path.write(bytes), path);
    let mut source = WavSource::open(&path.0, channels).unwrap();
    let promised = source.len_samples().unwrap();
    let samples = read_to_end(&mut source).unwrap();
    assert_eq!(samples.len() as u64, promised);
    assert_eq!(source.truncation(), None);
    samples
}

fn error(bytes: &[u8]) -> AudioError {
    let folder = Folder::new();
    open(&folder.write(bytes)).unwrap_err()
}

/// -1, 0, 1/4, 1/2 in each encoding.
fn encodings() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let values = [-1.0f64, 0.0, 0.25, 0.5];
    let ints = |bytes: usize| -> Vec<u8> {
        let full = (1u64 << (8 * bytes - 1)) as f64;
        values.iter().flat_map(|v| ((v * full) as i64).to_le_bytes()[..bytes].to_vec()).collect()
    };
    let unsigned: Vec<u8> = values.iter().map(|v| (128.0 + v * 128.0) as u8).collect();
    let f32s: Vec<u8> = values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
    let f64s: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let low_24: Vec<u8> = values.iter().flat_map(|v| ((v * 8_388_608.0) as i32).to_le_bytes()).collect();
    vec![
        ("u8", fmt(PCM, 1, 8000, 1, 8), unsigned.clone()),
        ("s16", fmt(PCM, 1, 16_000, 2, 16), ints(2)),
        ("s24", fmt(PCM, 1, 44_100, 3, 24), ints(3)),
        ("s32", fmt(PCM, 1, 48_000, 4, 32), ints(4)),
        ("f32", fmt(FLOAT, 1, 48_000, 4, 32), f32s.clone()),
        ("f64", fmt(FLOAT, 1, 192_000, 8, 64), f64s.clone()),
        ("24 in the low end of 32", fmt(PCM, 1, 48_000, 4, 24), low_24),
        ("extensible u8", extensible(PCM, 1, 8000, 1, 8), unsigned),
        ("extensible s16", extensible(PCM, 1, 17_123, 2, 16), ints(2)),
        ("extensible 12 in 16", extensible(PCM, 1, 17_123, 2, 12), ints(2)),
        ("extensible s24", extensible(PCM, 1, 48_000, 3, 24), ints(3)),
        ("extensible 20 in 24", extensible(PCM, 1, 48_000, 3, 20), ints(3)),
        ("extensible 24 in 32", extensible(PCM, 1, 48_000, 4, 24), ints(4)),
        ("extensible s32", extensible(PCM, 1, 48_000, 4, 32), ints(4)),
        ("extensible f32", extensible(FLOAT, 1, 48_000, 4, 32), f32s),
        ("extensible f64", extensible(FLOAT, 1, 48_000, 8, 64), f64s),
    ]
}

#[test]
fn every_encoding_is_read() {
    for (name, fmt, data) in encodings() {
        assert_eq!(samples(&wav(&fmt, &data), ChannelChoice::Mix), [-1.0, 0.0, 0.25, 0.5], "{name}");
    }
}

#[test]
fn files_by_an_independent_writer_are_read() {
    let folder = Folder::new();
    let path = folder.0.path().join("hound.wav");
    for (bits, format) in [
        (8, hound::SampleFormat::Int),
        (16, hound::SampleFormat::Int),
        (24, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Float),
    ] {
        for n_channels in [1, 2, 8] {
            let spec = hound::WavSpec {
                channels: n_channels,
                sample_rate: 96_000,
                bits_per_sample: bits,
                sample_format: format,
            };
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            let mut expected = Vec::new();
            for n in 0..50_000i32 {
                for channel in 0..i32::from(n_channels) {
                    // Steps of 1/128, which every encoding holds exactly.
                    let value = (n * 7 + channel * 31) % 255 - 127;
                    match format {
                        hound::SampleFormat::Int => writer.write_sample(value << (bits - 8)).unwrap(),
                        hound::SampleFormat::Float => writer.write_sample(value as f32 / 128.0).unwrap(),
                    }
                    if channel == i32::from(n_channels) - 1 {
                        expected.push(value as f32 / 128.0);
                    }
                }
            }
            writer.finalize().unwrap();
            let mut source = WavSource::open(&path, ChannelChoice::One(n_channels - 1)).unwrap();
            assert_eq!(source.sample_rate(), SampleRate::new(96_000));
            assert_eq!(source.n_channels(), n_channels);
            assert_eq!(source.len_samples(), Some(50_000));
            assert!(read_to_end(&mut source).unwrap() == expected, "{bits} bits {format:?}, {n_channels} channels");
        }
    }
}

#[test]
fn channels_are_mixed_or_picked() {
    let data: Vec<u8> = [0.0f32, 1.0, 0.5, 0.5].iter().flat_map(|s| s.to_le_bytes()).collect();
    let stereo = wav(&fmt(FLOAT, 2, 48_000, 4, 32), &data);
    assert_eq!(samples(&stereo, ChannelChoice::Mix), [0.5, 0.5]);
    assert_eq!(samples(&stereo, ChannelChoice::One(0)), [0.0, 0.5]);
    assert_eq!(samples(&stereo, ChannelChoice::One(1)), [1.0, 0.5]);
    let folder = Folder::new();
    let error = WavSource::open(folder.write(&stereo), ChannelChoice::One(2)).unwrap_err();
    assert!(matches!(error, AudioError::NoSuchChannel { wanted: 2, n_channels: 2, .. }));
}

#[test]
fn other_chunks_odd_ones_too_are_stepped_over() {
    let data = 0x4000i16.to_le_bytes();
    let bytes = riff(&[
        chunk(b"bext", &[1; 603]),
        chunk(b"fmt ", &[&fmt(PCM, 1, 16_000, 2, 16)[..], &[0, 0]].concat()),
        chunk(b"LIST", b"INFOx"),
        chunk(b"fact", &[0; 4]),
        chunk(b"data", &data),
        chunk(b"LIST", b"INFO after the samples"),
    ]);
    assert_eq!(samples(&bytes, ChannelChoice::Mix), [0.5]);
}

#[test]
fn a_header_without_samples_is_a_stream_of_length_zero() {
    for bytes in [
        wav(&fmt(PCM, 1, 16_000, 2, 16), &[]),
        // Chunks that follow are not samples.
        riff(&[chunk(b"fmt ", &fmt(PCM, 1, 16_000, 2, 16)), chunk(b"data", &[]), chunk(b"LIST", &[7; 40])]),
    ] {
        assert!(samples(&bytes, ChannelChoice::Mix).is_empty());
    }
}

#[test]
fn sizes_left_open_mean_to_the_end() {
    let file = wav(&fmt(PCM, 1, 16_000, 2, 16), &[0, 0x40, 0, 0xC0, 0, 0x40]);
    for (riff, data) in [
        (0xFFFF_FFFF, 0xFFFF_FFFF), // ffmpeg to a pipe
        (0x7FFF_F024, 0x7FFF_F000), // sox to a pipe
        (0x8000_0024, 0x8000_0000), // arecord to a pipe
        (0, 0),                     // many embedded recorders
        (36, 0),                    // a recorder that was killed
        (0xFFFF_FFFF, 0),
    ] {
        let bytes = with_sizes(file.clone(), riff, data);
        assert_eq!(samples(&bytes, ChannelChoice::Mix), [0.5, -0.5, 0.5], "{riff:#x} {data:#x}");
    }
}

#[test]
fn a_cut_file_delivers_what_is_there_and_says_so() {
    let whole = wav(&fmt(PCM, 2, 16_000, 2, 16), &[1; 4000]);
    let folder = Folder::new();
    let mut source = open(&folder.write(&whole[..44 + 1002])).unwrap();
    assert_eq!(source.len_samples(), Some(1000));
    assert_eq!(source.truncation(), None, "not known before the end");
    assert_eq!(read_to_end(&mut source).unwrap().len(), 250);
    assert_eq!(source.truncation(), Some(Truncation { promised: 1000, found: 250 }));
}

#[test]
fn files_of_more_than_four_gigabytes_say_so_in_a_chunk() {
    for id in [b"RF64", b"BW64"] {
        let data = [0, 0x40, 0, 0xC0];
        let mut ds64 = Vec::new();
        for number in [100u64, data.len() as u64, 2] {
            ds64.extend(number.to_le_bytes());
        }
        ds64.extend([0; 4]);
        let mut data_chunk = chunk(b"data", &data);
        data_chunk[4..8].fill(0xFF);
        let mut bytes = riff(&[
            chunk(b"ds64", &ds64),
            chunk(b"fmt ", &fmt(PCM, 1, 16_000, 2, 16)),
            data_chunk,
            chunk(b"LIST", b"not samples"),
        ]);
        bytes[..4].copy_from_slice(id);
        bytes[4..8].fill(0xFF);
        assert_eq!(samples(&bytes, ChannelChoice::Mix), [0.5, -0.5]);
    }
}

#[test]
fn each_cause_has_its_own_error() {
    use AudioError as E;
    let folder = Folder::new();
    assert!(matches!(open(&folder.0.path().join("none.wav")), Err(E::NotFound { .. })));
    assert!(matches!(open(folder.0.path()), Err(E::IsFolder { .. })));
    assert!(matches!(error(b""), E::EmptyFile { .. }));
    assert!(matches!(error(b"fLaC\0\0\0\x22 and so on"), E::NotWav { looks_like: "FLAC", .. }));
    assert!(matches!(error(b"hello"), E::NotWav { looks_like: "text", .. }));
    assert!(matches!(error(b"RIFF\x04\0\0\0AVI "), E::NotWav { .. }));
    assert!(matches!(error(b"RIFF"), E::HeaderDamaged { .. }));
    assert!(matches!(error(b"RIFF\x04\0\0\0WAVE"), E::HeaderDamaged { .. }));
    assert!(matches!(error(&riff(&[chunk(b"data", &[0; 4])])), E::HeaderDamaged { .. }));
    assert!(matches!(error(&riff(&[chunk(b"fmt ", &[1; 14])])), E::HeaderDamaged { .. }));
    assert!(matches!(error(&wav(&[0; 16], &[])), E::UnsupportedEncoding { .. }));
    assert!(matches!(error(&wav(&fmt(PCM, 0, 16_000, 2, 16), &[])), E::ZeroChannels { .. }));
    assert!(matches!(error(&wav(&fmt(PCM, 1, 0, 2, 16), &[])), E::ZeroRate { .. }));
    assert!(matches!(error(&wav(&fmt(PCM, 1, 16_000, 2, 24), &[])), E::HeaderDamaged { .. }));
    assert!(matches!(error(&wav(&fmt(PCM, 2, 16_000, 0, 16), &[])), E::HeaderDamaged { .. }));
    assert!(matches!(error(&wav(&fmt(PCM, 1, 16_000, 8, 64), &[])), E::UnsupportedEncoding { .. }));
    assert!(matches!(error(&wav(&fmt(FLOAT, 1, 16_000, 2, 16), &[])), E::UnsupportedEncoding { .. }));
    assert!(matches!(error(&wav(&fmt(EXTENSIBLE, 1, 16_000, 2, 16), &[])), E::HeaderDamaged { .. }));
    assert!(matches!(error(&[b"RIFF\0\0\0\0WAVE".to_vec(), vec![0; 5000]].concat()), E::HeaderDamaged { .. }));
}

#[test]
fn compressed_encodings_are_named_with_the_way_out() {
    for (tag, name) in [(2, "Microsoft ADPCM"), (6, "A-law"), (7, "mu-law"), (0x11, "IMA ADPCM"), (0x55, "MP3")] {
        let message = error(&wav(&fmt(tag, 1, 8000, 1, 8), &[0; 8])).to_string();
        assert!(message.contains(name) && message.contains("ffmpeg"), "{message}");
        assert!(!message.ends_with('.'), "{message}");
    }
    assert!(error(&wav(&extensible(0x55, 1, 8000, 1, 8), &[0; 8])).to_string().contains("MP3"));
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.write(&wav(&fmt(PCM, 1, 16_000, 2, 16), &[]));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("SKIPPED: this user may read everything");
        return;
    }
    assert!(matches!(open(&path), Err(AudioError::NoPermission { .. })));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_a_file_is() {
    let folder = Folder::new();
    let path = folder.0.path().join("pipe.wav");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let bytes = with_sizes(wav(&fmt(PCM, 1, 16_000, 2, 16), &[0x40; 200_000]), 0xFFFF_FFFF, 0xFFFF_FFFF);
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, bytes).unwrap()
    });
    let mut source = open(&path).unwrap();
    assert_eq!(source.len_samples(), None);
    assert_eq!(read_to_end(&mut source).unwrap().len(), 100_000);
    writer.join().unwrap();
}

/// Reads with chunk sizes taken in turn from `sizes`.
fn read_in_chunks(source: &mut dyn AudioSource, sizes: &[usize]) -> Vec<f32> {
    let mut samples = Vec::new();
    for size in sizes.iter().cycle() {
        let mut chunk = vec![0.0; *size];
        match source.read(&mut chunk).unwrap() {
            Read::Samples(n) => samples.extend_from_slice(&chunk[..n]),
            Read::Gap { .. } => unreachable!("files have no gaps"),
            Read::End => break,
        }
    }
    assert_eq!(source.read(&mut [0.0]).unwrap(), Read::End);
    samples
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunk_sizes_change_no_bit(
        n_samples in 0usize..30_000,
        rate in prop::sample::select(vec![8000u32, 11_025, 16_000, 17_123, 44_100, 48_000, 96_000]),
        n_channels in 1u16..5,
        sizes in prop::collection::vec(1usize..5000, 1..8),
    ) {
        let data: Vec<u8> = (0..n_samples * usize::from(n_channels))
            .flat_map(|n| ((n * n * 31 + n) as i16).to_le_bytes())
            .collect();
        let folder = Folder::new();
        let path = folder.write(&wav(&fmt(PCM, n_channels, rate, 2, 16), &data));
        let whole = read_to_end(&mut open(&path).unwrap()).unwrap();
        prop_assert_eq!(whole.len(), n_samples);
        prop_assert!(read_in_chunks(&mut open(&path).unwrap(), &sizes) == whole);

        let resampled = || at_model_rate(Box::new(open(&path).unwrap())).unwrap();
        let whole = read_to_end(&mut *resampled()).unwrap();
        prop_assert_eq!(whole.len(), (n_samples * 16_000).div_ceil(rate as usize));
        prop_assert!(read_in_chunks(&mut *resampled(), &sizes) == whole);
    }
}

fn never_panics(bytes: &[u8]) {
    let folder = Folder::new();
    let path = folder.write(bytes);
    for channels in [ChannelChoice::Mix, ChannelChoice::One(1)] {
        match WavSource::open(&path, channels) {
            Ok(mut source) => {
                let n_samples = read_to_end(&mut source).unwrap().len() as u64;
                let promised = source.len_samples().unwrap();
                match source.truncation() {
                    None => assert_eq!(n_samples, promised),
                    Some(cut) => assert_eq!((cut.promised, cut.found), (promised, n_samples)),
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), as_wav in any::<bool>()) {
        let head: &[u8] = if as_wav { b"RIFF\x40\0\0\0WAVE" } else { b"" };
        never_panics(&[head, &bytes].concat());
    }

    #[test]
    fn changed_headers_never_panic(
        encoding in 0usize..16,
        changes in prop::collection::vec((0usize..80, any::<u8>()), 1..6),
        cut in 0usize..100,
    ) {
        let (_, fmt, data) = encodings().swap_remove(encoding);
        let mut bytes = wav(&fmt, &data.repeat(4));
        for (at, value) in changes {
            let n_bytes = bytes.len();
            bytes[at % n_bytes] = value;
        }
        bytes.truncate(bytes.len() - cut % bytes.len());
        never_panics(&bytes);
    }
}
