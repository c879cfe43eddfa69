//! How far gradients go back through time.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::TrainConfig;
use crate::units::SampleRate;

/// Truncated backpropagation through time (Williams & Peng 1990, "An efficient gradient-based algorithm for on-line training of
/// recurrent network trajectories"): an update every k1 steps, its gradient through k2 steps. The state itself is never cut: it goes
/// on from update to update and from mix to mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TruncationConfig {
    /// Network steps between updates; 0: the length of a mix. The last segment of a mix may be shorter.
    pub k1_steps: usize,
    /// Network steps that a gradient goes back through, at least: whole segments, those of earlier mixes, too. 0: the length of a mix.
    pub k2_steps: usize,
}

/// Longest k2: what it needs is kept in memory and in checkpoints.
const MAX_K2_STEPS: usize = 10_000;

impl TruncationConfig {
    /// The segments of a mix of `n_steps` steps, one update each.
    pub(super) fn segments(self, n_steps: usize) -> Vec<Range<usize>> {
        let k1_steps = if self.k1_steps == 0 { n_steps.max(1) } else { self.k1_steps };
        (0..n_steps).step_by(k1_steps).map(|start| start..(start + k1_steps).min(n_steps)).collect()
    }

    /// Steps that a gradient goes back through in all, where a mix has `n_steps`.
    pub(super) fn n_back_steps(self, n_steps: usize) -> usize {
        if self.k2_steps == 0 { n_steps } else { self.k2_steps }
    }

    /// Checks the keys against the mixes of `n_steps` steps.
    pub(super) fn validate(self, n_steps: usize) -> Result<(), (&'static str, String)> {
        let Self { k1_steps, k2_steps } = self;
        if k1_steps > n_steps {
            let key = "train.truncation.k1_steps";
            return Err((key, format!("{key} is {k1_steps}; expected 0 to the steps of a mix ({n_steps})")));
        }
        let lowest = if k1_steps == 0 { n_steps } else { k1_steps };
        if k2_steps != 0 && !(lowest..=MAX_K2_STEPS.max(lowest)).contains(&k2_steps) {
            let key = "train.truncation.k2_steps";
            let expected = format!("0, or the steps between updates ({lowest}) to {MAX_K2_STEPS}");
            return Err((key, format!("{key} is {k2_steps}; expected {expected}")));
        }
        Ok(())
    }
}

impl TrainConfig {
    /// Network steps of a mix.
    pub(super) fn steps_per_mix(&self) -> usize {
        let n_frames = self.mix.duration_ms.samples(SampleRate::MODEL) as usize / self.features.hop_length_samples;
        n_frames / self.network.frames_per_step()
    }

    /// Updates of the weights that each batch brings.
    pub(super) fn updates_per_batch(&self) -> u64 {
        self.truncation.segments(self.steps_per_mix()).len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_one_segment_or_many_of_which_the_last_may_be_shorter() {
        let segments = |k1_steps| TruncationConfig { k1_steps, k2_steps: 0 }.segments(75);
        assert_eq!(segments(0), vec![0..75]);
        assert_eq!(segments(75), vec![0..75]);
        assert_eq!(segments(30), [0..30, 30..60, 60..75]);
        assert_eq!(TrainConfig::default().steps_per_mix(), 75);
    }

    #[test]
    fn lengths_that_make_no_sense_are_refused() {
        let check =
            |k1_steps, k2_steps| TruncationConfig { k1_steps, k2_steps }.validate(75).map_err(|(_, reason)| reason);
        for (k1_steps, k2_steps) in [(0, 0), (75, 0), (10, 10), (10, 0), (0, 75), (0, 150), (10, 10_000)] {
            check(k1_steps, k2_steps).unwrap();
        }
        let message = check(76, 0).unwrap_err();
        assert_eq!(message, "train.truncation.k1_steps is 76; expected 0 to the steps of a mix (75)");
        let message = check(10, 9).unwrap_err();
        assert_eq!(message, "train.truncation.k2_steps is 9; expected 0, or the steps between updates (10) to 10000");
        assert!(check(0, 74).is_err() && check(10, 10_001).is_err());
    }
}
