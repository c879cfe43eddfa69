//! Triangular filters on the mel scale, kept sparse: a band touches only a short run of FFT bins.

use super::FeatureConfig;

/// O'Shaughnessy's mel scale, as in HTK: 2595·log10(1 + f/700).
fn hz_to_mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

fn mel_to_hz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

/// Where a frequency lies among the bands of `config`: 0 at the lower edge of the first, 1 at the upper edge of the last, if a band's
/// edges are midway between the peaks.
pub fn mel_place(config: &FeatureConfig, hz: f64) -> f64 {
    let [low, high] = [config.mel_low_hz, config.mel_high_hz].map(|hz| hz_to_mel(f64::from(hz)));
    let mel_step = (high - low) / (config.n_mels + 1) as f64;
    ((hz_to_mel(hz) - low) / mel_step - 0.5) / config.n_mels as f64
}

/// Sums that a band is gathered in: they fill a vector, and none waits for another.
const SUMS: usize = 4;

/// One band: weights for the bins from `first_bin` on.
#[derive(Debug, Clone)]
struct Band {
    first_bin: usize,
    weights: Vec<f32>,
}

/// Triangles with peak 1 whose corners are equally spaced in mel; no area normalisation.
#[derive(Debug, Clone)]
pub struct MelFilterbank {
    bands: Vec<Band>,
    n_bins: usize,
}

impl MelFilterbank {
    /// The bands of `config` over its `n_fft / 2 + 1` FFT bins. A band narrower than the bin spacing is given its nearest bin,
    /// so no band is deaf.
    pub fn new(config: &FeatureConfig) -> Self {
        let n_bins = config.n_fft / 2 + 1;
        let bin_hz = f64::from(config.sample_rate_hz) / config.n_fft as f64;
        let low_mel = hz_to_mel(f64::from(config.mel_low_hz));
        let mel_step = (hz_to_mel(f64::from(config.mel_high_hz)) - low_mel) / (config.n_mels + 1) as f64;
        let corner_hz = |i: usize| mel_to_hz(low_mel + mel_step * i as f64);
        let bands = (0..config.n_mels)
            .map(|band| {
                let (left, peak, right) = (corner_hz(band), corner_hz(band + 1), corner_hz(band + 2));
                let weight_at = |bin: usize| {
                    let hz = bin as f64 * bin_hz;
                    ((hz - left) / (peak - left)).min((right - hz) / (right - peak)).max(0.0)
                };
                let inside: Vec<usize> = (0..n_bins).filter(|&bin| weight_at(bin) > 0.0).collect();
                match (inside.first(), inside.last()) {
                    (Some(&first), Some(&last)) => {
                        Band { first_bin: first, weights: (first..=last).map(|bin| weight_at(bin) as f32).collect() }
                    }
                    _ => Band { first_bin: ((peak / bin_hz).round() as usize).min(n_bins - 1), weights: vec![1.0] },
                }
            })
            .collect();
        Self { bands, n_bins }
    }

    /// Number of bands.
    pub fn n_mels(&self) -> usize {
        self.bands.len()
    }

    /// Number of FFT bins that are read, from 0 to the Nyquist frequency.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Sums the power spectrum `(n_bins)` into `bands` `(n_mels)`.
    pub fn apply(&self, power: &[f32], bands: &mut [f32]) {
        for (band, out) in self.bands.iter().zip(bands) {
            let bins = &power[band.first_bin..band.first_bin + band.weights.len()];
            let (weights, more_weights) = band.weights.as_chunks::<SUMS>();
            let (bins, more_bins) = bins.as_chunks::<SUMS>();
            let mut sums = [0.0; SUMS];
            for (weights, bins) in weights.iter().zip(bins) {
                for ((sum, weight), bin) in sums.iter_mut().zip(weights).zip(bins) {
                    *sum += weight * bin;
                }
            }
            let rest: f32 = more_weights.iter().zip(more_bins).map(|(weight, bin)| weight * bin).sum();
            *out = sums.iter().sum::<f32>() + rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_triangles_sum_to_one_between_the_outer_peaks() {
        let config = FeatureConfig::default();
        let bank = MelFilterbank::new(&config);
        let bin_hz = 16_000.0 / 512.0;
        let mut unit = vec![0.0; bank.n_bins()];
        let mut bands = vec![0.0; bank.n_mels()];
        for bin in (400.0 / bin_hz) as usize..(6500.0 / bin_hz) as usize {
            unit.fill(0.0);
            unit[bin] = 1.0;
            bank.apply(&unit, &mut bands);
            let sum: f32 = bands.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "bin {bin}: {sum}");
        }
    }

    #[test]
    fn bands_narrower_than_a_bin_still_hear() {
        let config = FeatureConfig { n_mels: 120, ..FeatureConfig::default() };
        let bank = MelFilterbank::new(&config);
        let mut bands = vec![0.0; bank.n_mels()];
        bank.apply(&vec![1.0; bank.n_bins()], &mut bands);
        assert!(bands.iter().all(|&band| band > 0.0));
    }
}
