//! The whole front end: samples in, feature frames out.

use super::{Compressor, FeatureConfig, MelPowerExtractor};

/// Turns a stream of samples into feature frames. After the first pushes it allocates nothing, as long as the caller's
/// buffer keeps its capacity.
pub struct FeatureExtractor {
    power: MelPowerExtractor,
    compressor: Compressor,
}

impl FeatureExtractor {
    /// A front end at the start of a stream; `config` must be valid.
    pub fn new(config: &FeatureConfig) -> Self {
        Self { power: MelPowerExtractor::new(config), compressor: Compressor::new(&config.compression, config.n_mels) }
    }

    /// Clears everything that is carried: pending samples, running statistics, counts.
    pub fn reset(&mut self) {
        self.power.reset();
        self.compressor.reset();
    }

    /// Samples that complete the next `n_frames` frames, which come in pairs; none for no frames.
    pub fn n_samples_for(&self, n_frames: usize) -> usize {
        self.power.n_samples_for(n_frames)
    }

    /// Takes samples in any portions and appends the frames they complete to `frames` `(time, n_mels)`.
    pub fn push(&mut self, samples: &[f32], frames: &mut Vec<f32>) {
        let start = frames.len();
        self.power.push(samples, frames);
        self.compressor.apply(&mut frames[start..]);
    }

    /// Samples since the reset that could not be used as they were (see [`SAMPLE_LIMIT`](crate::units::SAMPLE_LIMIT)).
    pub fn n_unusable_samples(&self) -> u64 {
        self.power.n_unusable_samples()
    }
}
