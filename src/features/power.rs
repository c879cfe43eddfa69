//! Samples to mel power frames: framing, window, FFT, filterbank.

use std::sync::Arc;

use rustfft::{Fft, FftPlanner, num_complex::Complex};

use super::{FeatureConfig, MelFilterbank, periodic_hann};
use crate::units::copy_limited;

/// Two real frames travel through one complex FFT, as its real and its imaginary part.
pub const FRAMES_PER_FFT: usize = 2;

/// Turns samples into linear mel power; white noise of variance `v` gives `v` in every FFT bin.
///
/// Carries the samples that later frames still need. Samples that are not finite become 0 and are counted, so one NaN
/// harms nothing but itself.
pub struct MelPowerExtractor {
    fft: Arc<dyn Fft<f32>>,
    filterbank: MelFilterbank,
    window: Vec<f32>,
    hop_length_samples: usize,
    /// The samples under a pair of frames: `window + hop` of them, `n_pending` filled.
    pending: Vec<f32>,
    n_pending: usize,
    spectrum: Vec<Complex<f32>>,
    fft_scratch: Vec<Complex<f32>>,
    power: [Vec<f32>; FRAMES_PER_FFT],
    n_unusable_samples: u64,
}

impl MelPowerExtractor {
    /// Plans the FFT and allocates every buffer.
    pub fn new(config: &FeatureConfig) -> Self {
        let fft = FftPlanner::new().plan_fft_forward(config.n_fft);
        let filterbank = MelFilterbank::new(config);
        let window = periodic_hann(config.window_length_samples);
        let energy: f32 = window.iter().map(|w| w * w).sum();
        // Scaling the window scales the power, at no cost a frame.
        let window = window.iter().map(|w| w / energy.sqrt()).collect();
        let n_bins = filterbank.n_bins();
        let mut extractor = Self {
            fft_scratch: vec![Complex::default(); fft.get_inplace_scratch_len()],
            spectrum: vec![Complex::default(); config.n_fft],
            fft,
            filterbank,
            window,
            hop_length_samples: config.hop_length_samples,
            pending: vec![0.0; config.window_length_samples + config.hop_length_samples],
            n_pending: 0,
            power: [vec![0.0; n_bins], vec![0.0; n_bins]],
            n_unusable_samples: 0,
        };
        extractor.reset();
        extractor
    }

    /// Forgets all samples: the next ones are the first of a stream with silence before it.
    pub fn reset(&mut self) {
        self.pending.fill(0.0);
        self.n_pending = self.window.len() - self.hop_length_samples;
        self.n_unusable_samples = 0;
    }

    /// Samples since the reset that were not finite or beyond [`SAMPLE_LIMIT`](crate::units::SAMPLE_LIMIT).
    pub fn n_unusable_samples(&self) -> u64 {
        self.n_unusable_samples
    }

    /// Samples that complete the next `n_frames` frames, which come in pairs; none for no frames.
    pub fn n_samples_for(&self, n_frames: usize) -> usize {
        let pair_samples = FRAMES_PER_FFT * self.hop_length_samples;
        (n_frames.div_ceil(FRAMES_PER_FFT) * pair_samples).saturating_sub(self.n_gathered())
    }

    /// Samples of the pair that comes next.
    fn n_gathered(&self) -> usize {
        self.n_pending + self.hop_length_samples - self.window.len()
    }

    /// Takes samples in any portions and appends every pair of frames they complete to `frames` `(time, n_mels)`.
    pub fn push(&mut self, mut samples: &[f32], frames: &mut Vec<f32>) {
        while !samples.is_empty() {
            let n_taken = samples.len().min(self.pending.len() - self.n_pending);
            let (taken, rest) = samples.split_at(n_taken);
            let room = &mut self.pending[self.n_pending..self.n_pending + n_taken];
            self.n_unusable_samples += copy_limited(taken, room);
            self.n_pending += n_taken;
            samples = rest;
            if self.n_pending == self.pending.len() {
                self.emit_pair(frames);
                let advance = FRAMES_PER_FFT * self.hop_length_samples;
                self.pending.copy_within(advance.., 0);
                self.n_pending -= advance;
            }
        }
    }

    fn emit_pair(&mut self, frames: &mut Vec<f32>) {
        let n_window = self.window.len();
        let (first, second) = (&self.pending[..n_window], &self.pending[self.hop_length_samples..]);
        for (((bin, &w), &a), &b) in self.spectrum.iter_mut().zip(&self.window).zip(first).zip(second) {
            *bin = Complex::new(w * a, w * b);
        }
        self.spectrum[n_window..].fill(Complex::default());
        self.fft.process_with_scratch(&mut self.spectrum, &mut self.fft_scratch);

        // With Z = FFT(a + ib): A[k] = (Z[k] + Z*[N-k]) / 2 and B[k] = (Z[k] - Z*[N-k]) / 2i; Z[N] is Z[0].
        let [power_a, power_b] = &mut self.power;
        let powers = power_a.iter_mut().zip(power_b.iter_mut());
        let mirrors = self.spectrum[..1].iter().chain(self.spectrum[1..].iter().rev());
        for ((z, mirror), (a, b)) in self.spectrum.iter().zip(mirrors).zip(powers) {
            let (sum, difference) = (z + mirror.conj(), z - mirror.conj());
            *a = 0.25 * sum.norm_sqr();
            *b = 0.25 * difference.norm_sqr();
        }
        let n_mels = self.filterbank.n_mels();
        let start = frames.len();
        frames.resize(start + FRAMES_PER_FFT * n_mels, 0.0);
        for (power, bands) in self.power.iter().zip(frames[start..].chunks_exact_mut(n_mels)) {
            self.filterbank.apply(power, bands);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract(samples: &[f32]) -> Vec<f32> {
        let mut frames = Vec::new();
        MelPowerExtractor::new(&FeatureConfig::default()).push(samples, &mut frames);
        frames
    }

    #[test]
    fn frames_come_in_pairs_and_a_remainder_waits() {
        assert_eq!(extract(&[0.0; 319]).len(), 0);
        assert_eq!(extract(&[0.0; 320]).len(), 2 * 40);
        assert_eq!(extract(&[0.0; 639]).len(), 2 * 40);
    }

    #[test]
    fn a_loud_frame_does_not_leak_into_its_silent_partner() {
        // Frame 1 ends 400 samples after frame 0 began; a burst in its last 80 samples is not under frame 0.
        let mut samples = vec![0.0; 320];
        for (i, sample) in samples[240..].iter_mut().enumerate() {
            *sample = if i % 2 == 0 { 1.0 } else { -1.0 };
        }
        let frames = extract(&samples);
        let (silent, loud) = frames.split_at(40);
        let loudest = loud.iter().cloned().fold(0.0, f32::max);
        assert!(loudest > 1e-3, "{loudest}");
        assert!(silent.iter().all(|&power| power < 1e-10), "{silent:?}");
    }

    #[test]
    fn unusable_samples_are_counted_and_leave_no_trace_in_later_frames() {
        let mut extractor = MelPowerExtractor::new(&FeatureConfig::default());
        let mut frames = Vec::new();
        extractor.push(&[f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30], &mut frames);
        extractor.push(&[0.0; 1276], &mut frames);
        assert_eq!(extractor.n_unusable_samples(), 4);
        assert!(frames.iter().all(|power| power.is_finite()));
        assert!(frames[4 * 40..].iter().all(|&power| power == 0.0));
    }
}
