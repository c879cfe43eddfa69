//! Speed and pitch together, as a tape does it: a recording is taken to be at another rate and converted back.

use std::collections::HashMap;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use crate::units::SampleRate;

/// Speeds are rounded to rates that share this factor with the model's, in hertz, so that the filters stay small; 0.6 % of speed.
const RATE_STEP_HZ: usize = 100;
/// Samples that are converted at a time.
const CHUNK: usize = 1024;

/// Changes the speed of recordings; keeps a converter for each speed it has met.
#[derive(Default)]
pub(super) struct SpeedChanger {
    converters: HashMap<usize, Fft<f32>>,
}

impl SpeedChanger {
    /// The recording at about `speed` times its speed and pitch, and the exact factor.
    pub(super) fn apply(&mut self, samples: &[f32], speed: f64) -> (Vec<f32>, f64) {
        let rate_out = SampleRate::MODEL.hz() as usize;
        let rate_in = (speed * rate_out as f64 / RATE_STEP_HZ as f64).round() as usize * RATE_STEP_HZ;
        if rate_in == rate_out || samples.is_empty() {
            return (samples.to_vec(), 1.0);
        }
        let converter = self.converters.entry(rate_in).or_insert_with(|| {
            Fft::new(rate_in, rate_out, CHUNK, 1, FixedSync::Input).expect("both rates and the chunk are above 0")
        });
        let input = InterleavedSlice::new(samples, 1, samples.len()).expect("one channel of the slice's length");
        let output = converter.process_all(&input, samples.len(), None).expect("the input has the length it says");
        (output.take_data(), rate_in as f64 / rate_out as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faster_is_shorter_and_higher() {
        let tone: Vec<f32> =
            (0..16_000).map(|i| (std::f32::consts::TAU * 1000.0 * i as f32 / 16_000.0).sin()).collect();
        let (fast, factor) = SpeedChanger::default().apply(&tone, 1.1);
        assert!((factor - 1.1).abs() < 1e-9);
        assert!((fast.len() as f64 - 16_000.0 / 1.1).abs() <= 1.0, "{}", fast.len());
        let crossings = fast[1000..13_000].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        // 1100 periods a second over 0.75 s.
        assert!((824..=826).contains(&crossings), "{crossings}");
    }
}
