//! Quantities that cross module borders, each with its unit in its type; conversions happen here only.

use serde::{Deserialize, Serialize};

/// Samples a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The rate at which features are computed: speech keeps nearly all its phonetic content below 8 kHz.
    pub const MODEL: SampleRate = SampleRate(16_000);

    /// A rate of `hz` samples a second.
    pub const fn new(hz: u32) -> Self {
        Self(hz)
    }

    /// Samples a second as a number.
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// How long `n_samples` last, in seconds.
    pub fn seconds(self, n_samples: u64) -> f64 {
        n_samples as f64 / f64::from(self.0)
    }

    /// The whole number of samples nearest to `seconds`; negative times give zero.
    pub fn samples(self, seconds: f64) -> u64 {
        (seconds * f64::from(self.0)).round().max(0.0) as u64
    }
}

impl std::fmt::Display for SampleRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A span of audio time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Milliseconds(pub u32);

impl Milliseconds {
    /// The whole number of samples nearest to this span at `rate`.
    pub fn samples(self, rate: SampleRate) -> u64 {
        (u64::from(self.0) * u64::from(rate.hz()) + 500) / 1000
    }

    /// The span nearest to `n_samples` at `rate`.
    pub fn from_samples(n_samples: u64, rate: SampleRate) -> Self {
        let hz = u64::from(rate.hz());
        Self(u32::try_from((n_samples * 1000 + hz / 2) / hz).unwrap_or(u32::MAX))
    }

    /// The same span in seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Samples beyond this magnitude (full scale is 1.0) are limited to it, so that no power overflows. Files of floats
/// with integer scale are wrong by more than this and show up in the count of limited samples.
pub const SAMPLE_LIMIT: f32 = 1.0e4;

/// Copies samples, limited to [`SAMPLE_LIMIT`], 0 for what is no number; gives how many were.
///
/// # Panics
/// When the lengths differ.
pub fn copy_limited(samples: &[f32], limited: &mut [f32]) -> u64 {
    let is_usable = |sample: f32| sample.abs() <= SAMPLE_LIMIT;
    limited.copy_from_slice(samples);
    if samples.iter().fold(true, |all, sample| all & is_usable(*sample)) {
        return 0;
    }
    let mut n_limited = 0;
    for sample in limited {
        n_limited += u64::from(!is_usable(*sample));
        *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT) };
    }
    n_limited
}

/// The amplitude ratio of a level difference in decibels.
pub fn decibels_to_amplitude(decibels: f32) -> f32 {
    10f32.powf(decibels / 20.0)
}

/// The power ratio of a level difference in decibels.
pub fn decibels_to_power(decibels: f32) -> f32 {
    10f32.powf(decibels / 10.0)
}

/// The level of a power ratio in decibels; silence gives minus infinity.
pub fn power_to_decibels(power: f32) -> f32 {
    10.0 * power.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_and_samples_convert_both_ways() {
        assert_eq!(Milliseconds(80).samples(SampleRate::MODEL), 1280);
        assert_eq!(Milliseconds::from_samples(1280, SampleRate::MODEL), Milliseconds(80));
        assert_eq!(Milliseconds(1).samples(SampleRate::new(44_100)), 44);
    }

    #[test]
    fn decibels_round_trip() {
        assert!((power_to_decibels(decibels_to_power(-17.5)) + 17.5).abs() < 1e-4);
        assert!((decibels_to_amplitude(6.0206) - 2.0).abs() < 1e-4);
    }
}
