//! The state machine of one word: idle, rising, held.

use super::TriggerConfig;
use crate::units::SampleRate;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Waiting for the score to reach the threshold.
    Idle,
    /// At or above the threshold since the step that ended at `crossed`, not yet for the minimum duration.
    Rising { crossed: u64, peak: f32 },
    /// Triggered, and the score has not fallen below the release threshold since.
    Held,
}

/// A moment of decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing {
    /// End of the step at which the score reached the threshold, in samples.
    pub crossed: u64,
    /// Highest score from there to the decision.
    pub peak: f32,
}

/// What the rule makes of one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Below the threshold, and no word is held.
    Below,
    /// At or above the threshold, not yet for the minimum duration.
    TooShort {
        /// For how long so far, in samples.
        lasted_samples: u64,
    },
    /// At or above the threshold for long enough, but too soon after an event.
    Refractory {
        /// The sample before which no event comes.
        until: u64,
    },
    /// There was an event, and the score has not fallen below the release threshold since.
    Held,
    /// The word is taken as said.
    Fired(Firing),
}

/// Decides from scores; the only clock it knows is the sample count of the step's end.
#[derive(Debug, Clone)]
pub struct Trigger {
    config: TriggerConfig,
    min_duration_samples: u64,
    refractory_samples: u64,
    step_samples: u64,
    state: State,
    /// No event before this sample.
    refractory_until: u64,
}

impl Trigger {
    /// Waits for its first score; a step lasts `step_samples`.
    pub fn new(config: TriggerConfig, rate: SampleRate, step_samples: u64) -> Self {
        Self {
            config,
            min_duration_samples: config.min_duration_ms.samples(rate),
            refractory_samples: config.refractory_ms.samples(rate),
            step_samples,
            state: State::Idle,
            refractory_until: 0,
        }
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.state = State::Idle;
        self.refractory_until = 0;
    }

    /// Decides by `config` from the next score on, from the state it is in.
    pub fn set_config(&mut self, config: TriggerConfig, rate: SampleRate) {
        self.config = config;
        self.min_duration_samples = config.min_duration_ms.samples(rate);
        self.refractory_samples = config.refractory_ms.samples(rate);
    }

    /// Whether a word is held, and the refractory period, are as in `before`.
    pub fn go_on_from(&mut self, before: &Self) {
        if before.state == State::Held {
            self.state = State::Held;
        }
        self.refractory_until = self.refractory_until.max(before.refractory_until);
    }

    /// Takes the score of the step that ends at sample `step_end`; gives the firing, if the word is taken as said.
    pub fn push(&mut self, step_end: u64, score: f32) -> Option<Firing> {
        match self.decide(step_end, score) {
            Verdict::Fired(firing) => Some(firing),
            _ => None,
        }
    }

    /// The same, and tells why there is none.
    pub fn decide(&mut self, step_end: u64, score: f32) -> Verdict {
        // A NaN compares false with everything: it neither reaches nor holds a threshold.
        let reached = score >= self.config.threshold;
        let (crossed, peak) = match self.state {
            State::Held => {
                if score < self.config.release_threshold || score.is_nan() {
                    self.state = State::Idle;
                    return Verdict::Below;
                }
                return Verdict::Held;
            }
            State::Idle if reached => (step_end, score),
            State::Rising { crossed, peak } if reached => (crossed, peak.max(score)),
            State::Idle | State::Rising { .. } => {
                self.state = State::Idle;
                return Verdict::Below;
            }
        };
        // The step that crosses counts in full.
        let lasted_samples = step_end - crossed + self.step_samples;
        let is_too_short = lasted_samples < self.min_duration_samples;
        if is_too_short || step_end < self.refractory_until {
            self.state = State::Rising { crossed, peak };
            let refractory = Verdict::Refractory { until: self.refractory_until };
            return if is_too_short { Verdict::TooShort { lasted_samples } } else { refractory };
        }
        self.state = State::Held;
        self.refractory_until = step_end + self.refractory_samples;
        Verdict::Fired(Firing { crossed, peak })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Milliseconds;
    use proptest::prelude::*;

    const STEP: u64 = 1280;

    fn config(min_duration_ms: u32, refractory_ms: u32) -> TriggerConfig {
        TriggerConfig {
            threshold: 0.5,
            release_threshold: 0.3,
            min_duration_ms: Milliseconds(min_duration_ms),
            refractory_ms: Milliseconds(refractory_ms),
            ..TriggerConfig::default()
        }
    }

    fn firings(config: TriggerConfig, scores: &[f32]) -> Vec<usize> {
        let mut trigger = Trigger::new(config, SampleRate::MODEL, STEP);
        (0..scores.len()).filter(|&i| trigger.push((i as u64 + 1) * STEP, scores[i]).is_some()).collect()
    }

    #[test]
    fn one_word_is_one_event_until_the_score_is_released() {
        assert_eq!(firings(config(0, 0), &[0.1, 0.6, 0.9, 0.4, 0.6, 0.2, 0.6]), [1, 6]);
    }

    #[test]
    fn the_consecutive_count_starts_anew_when_the_score_falls() {
        // 240 ms are three steps of 80 ms.
        assert_eq!(firings(config(240, 0), &[0.6, 0.6, 0.1, 0.6, 0.6, 0.1, 0.6, 0.6, 0.6]), [8]);
    }

    #[test]
    fn within_the_refractory_period_nothing_fires() {
        assert_eq!(firings(config(0, 400), &[0.6, 0.1, 0.6, 0.1, 0.6, 0.1, 0.6]), [0, 6]);
    }

    #[test]
    fn a_nan_score_neither_fires_nor_blocks() {
        assert_eq!(firings(config(0, 0), &[f32::NAN, 0.6, f32::NAN, 0.6]), [1, 3]);
    }

    #[test]
    fn a_new_threshold_holds_from_the_next_score_on() {
        let mut trigger = Trigger::new(config(0, 0), SampleRate::MODEL, STEP);
        assert!(trigger.push(STEP, 0.45).is_none());
        trigger.set_config(config(0, 0).with_threshold(0.4), SampleRate::MODEL);
        assert!(trigger.push(2 * STEP, 0.45).is_some());
    }

    #[test]
    fn a_word_that_another_trigger_has_told_is_not_told_again() {
        let mut before = Trigger::new(config(0, 400), SampleRate::MODEL, STEP);
        assert!(before.push(STEP, 0.9).is_some());
        let mut after = Trigger::new(config(0, 0), SampleRate::MODEL, STEP);
        after.go_on_from(&before);
        let fired: Vec<u64> = [0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]
            .into_iter()
            .zip(2..)
            .filter_map(|(score, step)| after.push(step * STEP, score).map(|_| step))
            .collect();
        // Until it is released, and until 400 ms after the first.
        assert_eq!(fired, [6]);
    }

    proptest! {
        #[test]
        fn events_keep_their_distance_and_stand_above_the_threshold(
            scores in prop::collection::vec(0.0f32..1.0, 0..300),
            min_duration_ms in 0u32..400,
            refractory_ms in 0u32..2000,
        ) {
            let config = config(min_duration_ms, refractory_ms);
            let fired = firings(config, &scores);
            for pair in fired.windows(2) {
                let apart = (pair[1] - pair[0]) as u64 * STEP;
                prop_assert!(apart >= config.refractory_ms.samples(SampleRate::MODEL));
                prop_assert!(scores[pair[0]..pair[1]].iter().any(|&score| score < 0.3), "no release in between");
            }
            let n_needed = config.min_duration_ms.samples(SampleRate::MODEL).div_ceil(STEP).max(1) as usize;
            for &i in &fired {
                prop_assert!(i + 1 >= n_needed && scores[i + 1 - n_needed..=i].iter().all(|&score| score >= 0.5));
            }
        }
    }
}
