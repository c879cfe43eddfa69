//! Small recordings for the tests of the dataset: sung words and hissing noise, written as WAV files.

// Each test binary uses some of these.
#![allow(dead_code)]

use std::path::Path;

/// Samples a second.
pub(crate) const RATE: usize = 16_000;

/// Pseudo-random samples from -1 to 1.
pub(crate) fn noise(n_samples: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    (0..n_samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// A harmonic tone of `n_samples` at `pitch_hz`, peak about `peak`.
pub(crate) fn tone(n_samples: usize, pitch_hz: f32, peak: f32) -> Vec<f32> {
    (0..n_samples)
        .map(|i| {
            let phase = std::f32::consts::TAU * pitch_hz * i as f32 / RATE as f32;
            peak * 0.5 * (phase.sin() + (3.0 * phase).sin())
        })
        .collect()
}

/// A word of half a second: 0.4 s of faint hiss, the tone, 0.3 s of hiss.
pub(crate) fn spoken_word(pitch_hz: f32) -> Vec<f32> {
    let hiss = |seconds: f32, seed| noise((seconds * RATE as f32) as usize, seed).into_iter().map(|s| s * 1e-4);
    hiss(0.4, 1).chain(tone(RATE / 2, pitch_hz, 0.3)).chain(hiss(0.3, 2)).collect()
}

/// Other speech: two seconds of noise that comes and goes.
pub(crate) fn speech(seed: u32) -> Vec<f32> {
    let swell = |i: usize| 0.1 * (i as f32 / 2500.0).sin().abs();
    noise(2 * RATE, seed).into_iter().enumerate().map(|(i, sample)| sample * swell(i)).collect()
}

/// Writes 16-bit mono, making the folders on the way.
pub(crate) fn write_wav(path: &Path, samples: &[f32]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample((sample * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();
}

/// An empty file where only its name matters.
pub(crate) fn touch(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "").unwrap();
}
