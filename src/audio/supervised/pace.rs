//! Whether samples come as fast as they should, from two counts a second apart: no clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::SampleRate;

/// Audio a second above which it cannot be sound.
const TOO_FAST: f64 = 4.0;
/// A server or a machine that stood still delivers afterwards what it kept meanwhile. That is no more than was missing: only what is ahead
/// of time by more than this is too fast.
const AHEAD_MAX_S: f64 = 3.5;
/// Over so many seconds.
const N_MARKS: usize = 10;

/// The rate is measured over spans of this length, long enough for blocks of a tenth of a second not to matter.
const RATE_SPAN: Duration = Duration::from_secs(5);
/// A span may lose sound or catch up; two in a row that err to the same side tell of the rate.
const RATE_TOLERANCE: f64 = 0.05;
/// Beyond this factor in either direction nothing will be recognised.
const RATE_FACTOR_MAX: f64 = 1.5;

/// What is wrong with the pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PaceFault {
    /// So many times faster than time passes.
    TooFast { times: f64 },
    /// The measured rate over the one agreed on; words sound higher or lower than they are.
    RateOff { ratio: f64 },
    /// The same, beyond all use.
    WrongRate { ratio: f64 },
}

/// The counts of one capture. Allocates at the start only.
#[derive(Debug)]
pub(super) struct PaceWatch {
    rate: SampleRate,
    /// Time and count, about a second apart, the newest last.
    marks: VecDeque<(Duration, u64)>,
    span_start: (Duration, u64),
    /// What the last whole span measured, over the rate agreed on.
    ratio: Option<f64>,
    is_off_told: bool,
}

impl PaceWatch {
    pub(super) fn new(rate: SampleRate) -> Self {
        let mut marks = VecDeque::with_capacity(N_MARKS + 1);
        marks.push_back((Duration::ZERO, 0));
        Self { rate, marks, span_start: (Duration::ZERO, 0), ratio: None, is_off_told: false }
    }

    /// The measured rate over the one agreed on, as of the last whole span.
    pub(super) fn ratio(&self) -> Option<f64> {
        self.ratio
    }

    /// To be called now and then. Until `now`, counted from the first sample, so many had come. A rate that is off is told once until it is
    /// right again.
    pub(super) fn look(&mut self, now: Duration, n_samples: u64) -> Option<PaceFault> {
        let &(last, n_last) = self.marks.back().expect("there is always a mark");
        let second = now.checked_sub(last).filter(|passed| *passed >= Duration::from_secs(1))?;
        let &(oldest, n_oldest) = self.marks.front().expect("there is always a mark");
        let audio_s = |n_since: u64| self.rate.seconds(n_samples - n_since);
        let (window, window_audio_s) = ((now - oldest).as_secs_f64(), audio_s(n_oldest));
        let is_fast_now = audio_s(n_last) > TOO_FAST * second.as_secs_f64();
        self.marks.push_back((now, n_samples));
        if self.marks.len() > N_MARKS {
            self.marks.pop_front();
        }
        if is_fast_now && window_audio_s - window > AHEAD_MAX_S {
            return Some(PaceFault::TooFast { times: window_audio_s / window });
        }
        self.measure_rate(now, n_samples)
    }

    fn measure_rate(&mut self, now: Duration, n_samples: u64) -> Option<PaceFault> {
        let (start, n_start) = self.span_start;
        let span = now.checked_sub(start).filter(|span| *span >= RATE_SPAN)?;
        self.span_start = (now, n_samples);
        let ratio = self.rate.seconds(n_samples - n_start) / span.as_secs_f64();
        let before = self.ratio.replace(ratio);
        // The nearer to 1 of the two, if both err to the same side.
        let sure = before
            .filter(|before| (*before > 1.0) == (ratio > 1.0))
            .map_or(1.0, |before| if (before - 1.0).abs() < (ratio - 1.0).abs() { before } else { ratio });
        if !(1.0 / RATE_FACTOR_MAX..=RATE_FACTOR_MAX).contains(&sure) {
            return Some(PaceFault::WrongRate { ratio: sure });
        }
        let was_told = self.is_off_told;
        self.is_off_told = (sure - 1.0).abs() > RATE_TOLERANCE;
        (self.is_off_told && !was_told).then_some(PaceFault::RateOff { ratio: sure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every tenth of a second for `seconds`, while `audio_s` tells how much had come until then; gives each fault with its time.
    fn watch(seconds: f64, audio_s: impl Fn(f64) -> f64) -> Vec<(f64, PaceFault)> {
        let mut watch = PaceWatch::new(SampleRate::MODEL);
        let mut faults = Vec::new();
        for tenth in 1..(seconds * 10.0) as u32 {
            let now_s = f64::from(tenth) / 10.0;
            let n_samples = SampleRate::MODEL.samples(audio_s(now_s));
            if let Some(fault) = watch.look(Duration::from_secs_f64(now_s), n_samples) {
                faults.push((now_s, fault));
            }
        }
        faults
    }

    #[test]
    fn sound_in_real_time_is_fine_whatever_the_blocks() {
        assert_eq!(watch(600.0, |t| t), []);
        let block_s = 0.128;
        assert_eq!(watch(600.0, |t| (t / block_s).floor() * block_s), []);
        // A crystal that is wrong by a thousandth.
        assert_eq!(watch(600.0, |t| 1.001 * t), []);
    }

    #[test]
    fn a_source_without_a_clock_is_seen_within_seconds() {
        let faults = watch(3.0, |t| 440.0 * t);
        let (at, PaceFault::TooFast { times }) = faults[0] else { panic!("{faults:?}") };
        assert!(at < 1.2 && (times - 440.0).abs() < 1.0, "{faults:?}");
        // Also after hours, and if it is only just too fast.
        let faults = watch(7210.0, |t| if t < 7200.0 { t } else { 7200.0 + 5.0 * (t - 7200.0) });
        assert!(matches!(faults[0], (at, PaceFault::TooFast { .. }) if at < 7203.5), "{faults:?}");
    }

    #[test]
    fn catching_up_is_not_too_fast() {
        // The server stood still from 20 to 25 s and then delivered all of it in a tenth of a second; or lost half of it.
        for kept in [1.0, 0.5] {
            let faults = watch(60.0, |t| {
                if (20.0..25.0).contains(&t) {
                    20.0
                } else if t < 20.0 {
                    t
                } else {
                    t - 5.0 * (1.0 - kept)
                }
            });
            assert_eq!(faults, [], "{kept}");
        }
    }

    #[test]
    fn a_wrong_rate_is_told_once_and_a_useless_one_again_and_again() {
        let faults = watch(100.0, |t| t * 44.1 / 48.0);
        let [(at, PaceFault::RateOff { ratio })] = faults[..] else { panic!("{faults:?}") };
        assert!(at < 12.0 && (ratio - 0.919).abs() < 0.01, "{at} {ratio}");
        let faults = watch(100.0, |t| t * 3.0);
        assert!(matches!(faults[0], (at, PaceFault::WrongRate { ratio }) if at < 12.0 && ratio > 2.9), "{faults:?}");
        let faults = watch(100.0, |t| t / 3.0);
        assert!(matches!(faults[0], (at, PaceFault::WrongRate { ratio }) if at < 12.0 && ratio < 0.4), "{faults:?}");
    }
}
