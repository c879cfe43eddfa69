//! When a run of probabilities counts as the word.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::units::{Milliseconds, SampleRate};

/// The decision rule of one word. Scores are probabilities after smoothing, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// The score at which the word is taken as said.
    pub threshold: f32,
    /// The score has to fall below this before the word can trigger again.
    pub release_threshold: f32,
    /// The score is the mean probability over this much audio.
    pub smoothing_ms: Milliseconds,
    /// The score must stay at or above the threshold for this long; 0 triggers at once.
    pub min_duration_ms: Milliseconds,
    /// After an event the word cannot trigger for this long.
    pub refractory_ms: Milliseconds,
}

impl Default for TriggerConfig {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            release_threshold: 0.3,
            smoothing_ms: Milliseconds(160),
            min_duration_ms: Milliseconds(0),
            refractory_ms: Milliseconds(1000),
        }
    }
}

/// What training measured of a word, from which a detection's times are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordTiming {
    /// How long the word usually lasts (median of the training clips).
    pub typical_duration_ms: Milliseconds,
    /// How long after the word's end the score usually crosses the threshold (median on validation).
    pub crossing_delay_ms: Milliseconds,
}

impl Default for WordTiming {
    fn default() -> Self {
        Self { typical_duration_ms: Milliseconds(700), crossing_delay_ms: Milliseconds(160) }
    }
}

impl WordTiming {
    /// Where the word lies whose score reached the threshold in the step that ends at sample `crossed`, in samples.
    pub fn span(self, crossed: u64, rate: SampleRate) -> Range<u64> {
        let end = crossed.saturating_sub(self.crossing_delay_ms.samples(rate));
        end.saturating_sub(self.typical_duration_ms.samples(rate))..end
    }
}

/// A decision rule that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{key} is {found}; expected {expected}")]
pub struct DetectorConfigError {
    key: &'static str,
    found: String,
    expected: String,
}

impl TriggerConfig {
    /// Checks every key against its range.
    ///
    /// # Errors
    /// Names the first key that is out of range, with what was found and what is possible.
    pub fn validate(&self) -> Result<(), DetectorConfigError> {
        let fail = |key, found: &dyn ToString, expected: String| {
            Err(DetectorConfigError { key, found: found.to_string(), expected })
        };
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return fail("threshold", &self.threshold, "above 0 and at most 1".into());
        }
        if !(self.release_threshold >= 0.0 && self.release_threshold <= self.threshold) {
            return fail("release_threshold", &self.release_threshold, format!("0 to threshold ({})", self.threshold));
        }
        for (key, value) in [
            ("smoothing_ms", self.smoothing_ms),
            ("min_duration_ms", self.min_duration_ms),
            ("refractory_ms", self.refractory_ms),
        ] {
            if value.0 > 60_000 {
                return fail(key, &value.0, "0 to 60000".into());
            }
        }
        Ok(())
    }

    /// Over how many steps of `step_samples` the score is the mean: whole steps, rounded to the nearest.
    pub fn smoothed_steps(&self, rate: SampleRate, step_samples: u64) -> usize {
        ((self.smoothing_ms.samples(rate) + step_samples / 2) / step_samples) as usize
    }

    /// The same rule with another threshold; the release threshold keeps its proportion to it.
    pub fn with_threshold(self, threshold: f32) -> Self {
        Self { threshold, release_threshold: self.release_threshold / self.threshold * threshold, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_threshold_above_the_threshold_is_refused() {
        let config = TriggerConfig { threshold: 0.4, release_threshold: 0.5, ..TriggerConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert_eq!(message, "release_threshold is 0.5; expected 0 to threshold (0.4)");
    }

    #[test]
    fn another_threshold_keeps_the_hysteresis_in_proportion() {
        let config = TriggerConfig { threshold: 0.5, release_threshold: 0.25, ..TriggerConfig::default() };
        assert_eq!(config.with_threshold(0.8).release_threshold, 0.4);
    }
}
