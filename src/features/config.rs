//! What the features are; stored in every model, since a network understands only the features it was trained on.

use serde::{Deserialize, Serialize};

use super::Compression;
use crate::units::SampleRate;

/// Shape and scale of the feature frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Rate of the samples, in hertz.
    pub sample_rate_hz: u32,
    /// Samples under the analysis window.
    pub window_length_samples: usize,
    /// Samples from one feature frame to the next.
    pub hop_length_samples: usize,
    /// FFT length; the window is padded with zeros up to it.
    pub n_fft: usize,
    /// Mel bands, the width of a feature frame.
    pub n_mels: usize,
    /// Lower edge of the lowest band, in hertz.
    pub mel_low_hz: f32,
    /// Upper edge of the highest band, in hertz.
    pub mel_high_hz: f32,
    /// How mel power becomes a feature.
    pub compression: Compression,
}

impl Default for FeatureConfig {
    /// 25 ms windows every 10 ms, 40 bands from 60 Hz (below lies hum) to 7600 Hz (above, anti-alias filters differ).
    fn default() -> Self {
        Self {
            sample_rate_hz: SampleRate::MODEL.hz(),
            window_length_samples: 400,
            hop_length_samples: 160,
            n_fft: 512,
            n_mels: 40,
            mel_low_hz: 60.0,
            mel_high_hz: 7600.0,
            compression: Compression::default(),
        }
    }
}

/// A feature configuration that cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("features.{key} is {found}; expected {expected}")]
pub struct FeatureConfigError {
    key: &'static str,
    found: String,
    expected: String,
}

impl FeatureConfig {
    /// The rate of the samples.
    pub fn sample_rate(&self) -> SampleRate {
        SampleRate::new(self.sample_rate_hz)
    }

    /// Checks every key against its range.
    ///
    /// # Errors
    /// Names the first key that is out of range, with what was found and what is possible.
    pub fn validate(&self) -> Result<(), FeatureConfigError> {
        let nyquist_hz = self.sample_rate_hz as f32 / 2.0;
        let check = |ok: bool, key, found: &dyn ToString, expected: String| {
            if ok { Ok(()) } else { Err(FeatureConfigError { key, found: found.to_string(), expected }) }
        };
        check(
            self.sample_rate_hz == SampleRate::MODEL.hz(),
            "sample_rate_hz",
            &self.sample_rate_hz,
            format!("{}, the rate every source is converted to", SampleRate::MODEL.hz()),
        )?;
        check((2..=1 << 16).contains(&self.n_fft), "n_fft", &self.n_fft, "2 to 65536".into())?;
        check(
            (1..=self.n_fft).contains(&self.window_length_samples),
            "window_length_samples",
            &self.window_length_samples,
            format!("1 to n_fft ({})", self.n_fft),
        )?;
        check(
            (1..=self.window_length_samples).contains(&self.hop_length_samples),
            "hop_length_samples",
            &self.hop_length_samples,
            format!("1 to window_length_samples ({})", self.window_length_samples),
        )?;
        check((1..=256).contains(&self.n_mels), "n_mels", &self.n_mels, "1 to 256".into())?;
        check(
            self.mel_low_hz >= 0.0 && self.mel_low_hz < nyquist_hz,
            "mel_low_hz",
            &self.mel_low_hz,
            format!("0 to {nyquist_hz}"),
        )?;
        check(
            self.mel_high_hz > self.mel_low_hz && self.mel_high_hz <= nyquist_hz,
            "mel_high_hz",
            &self.mel_high_hz,
            format!("above mel_low_hz ({}) and at most {nyquist_hz}", self.mel_low_hz),
        )?;
        self.compression.validate().map_err(|(key, found, expected)| FeatureConfigError {
            key,
            found: found.to_string(),
            expected: expected.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        FeatureConfig::default().validate().unwrap();
    }

    #[test]
    fn an_out_of_range_key_is_named_with_its_range() {
        let config = FeatureConfig { mel_high_hz: 9000.0, ..FeatureConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("mel_high_hz is 9000") && message.contains("at most 8000"), "{message}");
    }
}
