//! Convolution with a room response by overlap-add. Two blocks of the (real) signal travel through one complex FFT as its
//! real and its imaginary part: the response is real, so they stay apart.

use std::sync::Arc;

use rustfft::{Fft, FftPlanner, num_complex::Complex};

/// Applies room responses of up to a fixed length.
pub(super) struct Convolver {
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

/// A room response, transformed once.
#[derive(Debug)]
pub(super) struct Response {
    /// Scaled by the FFT's length, which the inverse would otherwise bring in.
    spectrum: Vec<Complex<f32>>,
    n_taps: usize,
}

impl Convolver {
    /// Plans for responses of up to `n_taps_max` samples.
    pub(super) fn new(n_taps_max: usize) -> Self {
        let n_fft = (2 * n_taps_max).next_power_of_two();
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(n_fft), planner.plan_fft_inverse(n_fft));
        let n_scratch = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        Self {
            forward,
            inverse,
            spectrum: vec![Complex::default(); n_fft],
            scratch: vec![Complex::default(); n_scratch],
        }
    }

    /// Transforms a response of at most the planned length.
    pub(super) fn prepare(&mut self, taps: &[f32]) -> Response {
        let n_fft = self.spectrum.len();
        let scale = 1.0 / n_fft as f32;
        let mut spectrum = vec![Complex::default(); n_fft];
        for (bin, &tap) in spectrum.iter_mut().zip(taps) {
            bin.re = tap * scale;
        }
        self.forward.process_with_scratch(&mut spectrum, &mut self.scratch);
        Response { spectrum, n_taps: taps.len() }
    }

    /// The first `n_out` samples of the convolution; `n_out` up to `samples.len() + n_taps - 1` is not silence.
    pub(super) fn apply(&mut self, samples: &[f32], response: &Response, n_out: usize) -> Vec<f32> {
        let block = self.spectrum.len() - response.n_taps + 1;
        let mut out = vec![0.0; n_out];
        for (pair_idx, pair) in samples.chunks(2 * block).enumerate() {
            let (first, second) = pair.split_at(block.min(pair.len()));
            self.spectrum.fill(Complex::default());
            for (bin, &sample) in self.spectrum.iter_mut().zip(first) {
                bin.re = sample;
            }
            for (bin, &sample) in self.spectrum.iter_mut().zip(second) {
                bin.im = sample;
            }
            self.forward.process_with_scratch(&mut self.spectrum, &mut self.scratch);
            for (bin, factor) in self.spectrum.iter_mut().zip(&response.spectrum) {
                *bin *= factor;
            }
            self.inverse.process_with_scratch(&mut self.spectrum, &mut self.scratch);
            let start = pair_idx * 2 * block;
            for (sum, bin) in out.iter_mut().skip(start).zip(&self.spectrum) {
                *sum += bin.re;
            }
            for (sum, bin) in out.iter_mut().skip(start + block).zip(&self.spectrum) {
                *sum += bin.im;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_add_up_to_the_direct_sum() {
        let taps = [0.5, 0.0, -0.25, 0.125, 1.0];
        let samples: Vec<f32> = (0..100).map(|i| ((i * i) % 17) as f32 - 8.0).collect();
        let mut convolver = Convolver::new(taps.len());
        let response = convolver.prepare(&taps);
        let found = convolver.apply(&samples, &response, samples.len() + taps.len() - 1);
        for (n, &found) in found.iter().enumerate() {
            let expected: f32 = taps
                .iter()
                .enumerate()
                .filter(|(k, _)| n >= *k && n - k < samples.len())
                .map(|(k, tap)| tap * samples[n - k])
                .sum();
            // 32-bit FFTs of 16 values below 10.
            assert!((found - expected).abs() < 1e-4, "{n}: {found} {expected}");
        }
    }
}
