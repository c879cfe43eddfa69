//! Features against their definition, written out without FFT, framing or sparsity.

mod common;

use common::random_sound;
use tripword::features::{Compression, FeatureConfig, FeatureExtractor};

/// The log-mel frame `t` of `samples`, straight from the formulas, in double precision.
fn naive_frame(config: &FeatureConfig, samples: &[f32], t: usize) -> Vec<f64> {
    let n_window = config.window_length_samples;
    let end = (t + 1) * config.hop_length_samples;
    let window: Vec<f64> =
        (0..n_window).map(|n| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / n_window as f64).cos()).collect();
    let energy: f64 = window.iter().map(|w| w * w).sum();
    let windowed: Vec<f64> = (0..n_window)
        .map(|n| {
            let place = end as i64 - n_window as i64 + n as i64;
            let sample = if place < 0 { 0.0 } else { f64::from(samples[place as usize]) };
            window[n] * sample
        })
        .collect();
    let n_bins = config.n_fft / 2 + 1;
    let power: Vec<f64> = (0..n_bins)
        .map(|k| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, value) in windowed.iter().enumerate() {
                let angle = std::f64::consts::TAU * (k * n % config.n_fft) as f64 / config.n_fft as f64;
                re += value * angle.cos();
                im -= value * angle.sin();
            }
            (re * re + im * im) / energy
        })
        .collect();
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let (low, high) = (mel(f64::from(config.mel_low_hz)), mel(f64::from(config.mel_high_hz)));
    let hz_of_corner =
        |i: usize| 700.0 * (10f64.powf((low + (high - low) * i as f64 / (config.n_mels + 1) as f64) / 2595.0) - 1.0);
    (0..config.n_mels)
        .map(|band| {
            let (left, peak, right) = (hz_of_corner(band), hz_of_corner(band + 1), hz_of_corner(band + 2));
            let sum: f64 = (0..n_bins)
                .map(|k| {
                    let hz = k as f64 * f64::from(config.sample_rate_hz) / config.n_fft as f64;
                    power[k] * ((hz - left) / (peak - left)).min((right - hz) / (right - peak)).max(0.0)
                })
                .sum();
            ((sum + 1e-8).ln() + 9.0) / 4.0
        })
        .collect()
}

/// The default shape with the plain logarithm, which the formula below ends in.
fn plain() -> FeatureConfig {
    FeatureConfig { compression: Compression::LOG, ..FeatureConfig::default() }
}

fn compare(config: &FeatureConfig) {
    let samples = random_sound(3, 3200);
    let mut frames = Vec::new();
    FeatureExtractor::new(config).push(&samples, &mut frames);
    let n_frames = frames.len() / config.n_mels;
    assert!(n_frames >= 3200 / config.hop_length_samples - 1);
    for (t, frame) in frames.chunks(config.n_mels).enumerate() {
        for (band, (ours, naive)) in frame.iter().zip(naive_frame(config, &samples, t)).enumerate() {
            // Single precision, and two frames of one FFT leak about 1e-7 of the louder one into the other.
            assert!((f64::from(*ours) - naive).abs() < 2e-3, "frame {t}, band {band}: {ours} {naive}");
        }
    }
}

#[test]
fn default_features_are_what_their_definition_says() {
    compare(&plain());
}

#[test]
fn other_shapes_are_too() {
    let default = plain;
    compare(&FeatureConfig { n_mels: 23, mel_low_hz: 100.0, mel_high_hz: 4000.0, ..default() });
    compare(&FeatureConfig { window_length_samples: 320, hop_length_samples: 320, n_fft: 400, ..default() });
    compare(&FeatureConfig { window_length_samples: 511, hop_length_samples: 77, n_fft: 511, ..default() });
}

#[test]
fn white_noise_of_variance_v_gives_v_in_a_band_of_weight_one() {
    // Uniform noise of amplitude a has variance a²/3; a band's weights add up to more than one bin.
    let config = FeatureConfig::default();
    let mut random = common::Random::new(1);
    let samples = random.values(16_000 * 4, 0.3);
    let mut frames = Vec::new();
    tripword::features::MelPowerExtractor::new(&config).push(&samples, &mut frames);
    let mut unit = vec![0.0; config.n_mels];
    let filterbank = tripword::features::MelFilterbank::new(&config);
    filterbank.apply(&vec![1.0; filterbank.n_bins()], &mut unit);
    for (band, weight) in unit.iter().enumerate() {
        let mean: f32 =
            frames.chunks(config.n_mels).map(|frame| frame[band]).sum::<f32>() / (frames.len() / config.n_mels) as f32;
        let per_bin = mean / weight;
        assert!((per_bin / (0.09 / 3.0) - 1.0).abs() < 0.25, "band {band}: {per_bin}");
    }
}
