//! When to open which device: the decisions of the supervisor, without a clock or a device of their own.
//!
//! There are two devices at most, the one that is preferred and the system's default, and each is tried in its own time. Times are
//! spans since any moment that stays the same.

use std::time::Duration;

/// How patient the supervisor is.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryConfig {
    /// The pause after the first attempt that failed; it doubles with each further one.
    pub pause_min: Duration,
    /// The longest pause. A device that comes back is heard again after no more than this and the time that opening takes.
    pub pause_max: Duration,
    /// The default device is taken when the preferred one has been away for so long; `None`: never.
    pub fallback_after: Option<Duration>,
    /// While the default device is heard, the preferred one is tried in this rhythm.
    pub look_for_preferred_every: Duration,
    /// A device that was opened and delivered nonsense rests for so long; it doubles each time.
    pub rest_min: Duration,
    /// The longest such rest.
    pub rest_max: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            pause_min: Duration::from_millis(250),
            pause_max: Duration::from_millis(1000),
            fallback_after: Some(Duration::from_secs(3)),
            look_for_preferred_every: Duration::from_secs(5),
            rest_min: Duration::from_secs(1),
            rest_max: Duration::from_secs(30),
        }
    }
}

/// A device that was heard for less than this has not proved anything: its next failure counts with those before.
const PROOF: Duration = Duration::from_secs(2);
/// A device that delivered nonsense has to be good for so long to be trusted again.
const TRUST: Duration = Duration::from_secs(60);

/// Which of the two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Preferred,
    Default,
}

/// Why a device is heard no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// It failed, or fell silent.
    Gone,
    /// It delivered what cannot be sound.
    Misbehaved,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open(Which),
    /// Nothing before this time.
    WaitUntil(Duration),
    /// Nothing until something happens.
    Wait,
}

/// The attempts at one device.
#[derive(Debug, Default)]
struct Attempts {
    /// Since it was last heard for long enough.
    n_failed: u32,
    n_rests: u32,
    next_at: Duration,
}

impl Attempts {
    fn pause(&mut self, now: Duration, config: &RetryConfig) {
        self.next_at = now + doubled(config.pause_min, self.n_failed, config.pause_max);
        self.n_failed += 1;
    }

    fn rest(&mut self, now: Duration, config: &RetryConfig) {
        self.next_at = now + doubled(config.rest_min, self.n_rests, config.rest_max);
        self.n_rests += 1;
    }
}

fn doubled(first: Duration, n_times: u32, most: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(n_times)).min(most)
}

/// What has happened so far, as far as it matters for what to do next.
#[derive(Debug)]
pub(super) struct Policy {
    config: RetryConfig,
    preferred: Attempts,
    default: Attempts,
    /// From when on the default device may be tried; none if there is nothing to fall back to.
    fallback_at: Option<Duration>,
    has_fallback: bool,
    /// What is heard, and since when.
    heard: Option<(Which, Duration)>,
}

impl Policy {
    /// Nothing is heard yet. `has_fallback`: the preferred device is not the default one.
    pub(super) fn new(config: RetryConfig, has_fallback: bool, now: Duration) -> Self {
        let mut policy = Self {
            config,
            preferred: Attempts::default(),
            default: Attempts::default(),
            fallback_at: None,
            has_fallback,
            heard: None,
        };
        policy.set_fallback(now);
        policy
    }

    fn set_fallback(&mut self, now: Duration) {
        self.fallback_at = self.config.fallback_after.filter(|_| self.has_fallback).map(|after| now + after);
    }

    /// What to do now.
    pub(super) fn step(&self, now: Duration) -> Step {
        let preferred_at = self.preferred.next_at;
        let default_at = self.fallback_at.map(|at| at.max(self.default.next_at));
        match self.heard {
            Some((Which::Preferred, _)) => Step::Wait,
            _ if preferred_at <= now => Step::Open(Which::Preferred),
            Some((Which::Default, _)) => Step::WaitUntil(preferred_at),
            None => match default_at {
                Some(at) if at <= now => Step::Open(Which::Default),
                Some(at) => Step::WaitUntil(at.min(preferred_at)),
                None => Step::WaitUntil(preferred_at),
            },
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, which: Which, now: Duration) {
        match which {
            Which::Preferred if self.heard.is_some() => {
                self.preferred.next_at = now + self.config.look_for_preferred_every;
            }
            Which::Preferred => self.preferred.pause(now, &self.config),
            Which::Default => self.default.pause(now, &self.config),
        }
    }

    /// A device is heard from now on.
    pub(super) fn opened(&mut self, which: Which, now: Duration) {
        self.heard = Some((which, now));
        if which == Which::Default {
            let look_at = now + self.config.look_for_preferred_every;
            self.preferred.next_at = self.preferred.next_at.max(look_at);
        }
    }

    /// What was heard is lost.
    pub(super) fn lost(&mut self, loss: Loss, now: Duration) {
        let Some((which, since)) = self.heard.take() else { return };
        let heard_for = now.saturating_sub(since);
        let attempts = match which {
            Which::Preferred => &mut self.preferred,
            Which::Default => &mut self.default,
        };
        if heard_for >= PROOF {
            attempts.n_failed = 0;
        }
        if heard_for >= TRUST {
            attempts.n_rests = 0;
        }
        match loss {
            Loss::Misbehaved => attempts.rest(now, &self.config),
            Loss::Gone if heard_for >= PROOF => attempts.next_at = now,
            Loss::Gone => attempts.pause(now, &self.config),
        }
        match which {
            Which::Preferred => self.set_fallback(now),
            // The preferred one is away already: it is tried first, and then either at once.
            Which::Default => {
                self.preferred.n_failed = 0;
                self.preferred.next_at = self.preferred.next_at.min(now);
                self.fallback_at = Some(now);
            }
        }
    }

    /// Another device is preferred from now on, and is heard.
    pub(super) fn preferred_opened(&mut self, has_fallback: bool, now: Duration) {
        self.has_fallback = has_fallback;
        self.preferred = Attempts::default();
        self.opened(Which::Preferred, now);
    }

    /// What is heard.
    pub(super) fn heard(&self) -> Option<Which> {
        self.heard.map(|(which, _)| which)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Which::{Default as Fallback, Preferred};

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn policy(has_fallback: bool) -> Policy {
        Policy::new(RetryConfig::default(), has_fallback, ms(0))
    }

    /// Lets time pass until `end`, with devices that can be opened or not; gives what was tried when, to the first success.
    fn attempts(
        policy: &mut Policy,
        from: Duration,
        end: Duration,
        is_there: impl Fn(Which) -> bool,
    ) -> Vec<(u64, Which)> {
        let (mut now, mut tried) = (from, Vec::new());
        while now < end {
            match policy.step(now) {
                Step::Open(which) => {
                    tried.push((now.as_millis() as u64, which));
                    if is_there(which) {
                        policy.opened(which, now);
                        break;
                    }
                    policy.failed(which, now);
                }
                Step::WaitUntil(at) => {
                    assert!(at > now, "waits for the past");
                    now = at;
                }
                Step::Wait => break,
            }
        }
        tried
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let tried = attempts(&mut policy(false), ms(0), ms(5000), |_| false);
        let times: Vec<u64> = tried.iter().map(|&(at, _)| at).collect();
        assert_eq!(times, [0, 250, 750, 1750, 2750, 3750, 4750]);
        assert!(tried.iter().all(|&(_, which)| which == Preferred));
    }

    #[test]
    fn a_device_that_was_heard_and_lost_is_tried_at_once() {
        let mut policy = policy(false);
        policy.opened(Preferred, ms(0));
        assert_eq!(policy.step(ms(5000)), Step::Wait);
        policy.lost(Loss::Gone, ms(5000));
        assert_eq!(policy.step(ms(5000)), Step::Open(Preferred));
    }

    #[test]
    fn a_device_that_opens_and_fails_at_once_is_not_tried_without_pause() {
        let mut policy = policy(false);
        let mut now = ms(0);
        let mut pauses = Vec::new();
        for _ in 0..5 {
            assert_eq!(policy.step(now), Step::Open(Preferred));
            policy.opened(Preferred, now);
            policy.lost(Loss::Gone, now);
            let Step::WaitUntil(at) = policy.step(now) else { panic!("{policy:?}") };
            pauses.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(pauses, [250, 500, 1000, 1000, 1000]);
    }

    #[test]
    fn the_default_device_is_taken_when_the_preferred_one_stays_away() {
        let mut policy = policy(true);
        policy.opened(Preferred, ms(0));
        policy.lost(Loss::Gone, ms(10_000));
        let tried = attempts(&mut policy, ms(10_000), ms(60_000), |which| which == Fallback);
        assert_eq!(tried.last(), Some(&(13_000, Fallback)));
        assert!(tried[..tried.len() - 1].iter().all(|&(_, which)| which == Preferred) && tried.len() > 4);
        assert_eq!(policy.heard(), Some(Fallback));
        // From then on the preferred one is looked for now and then, and taken when it is there.
        let tried = attempts(&mut policy, ms(13_000), ms(30_000), |_| false);
        let times: Vec<u64> = tried.iter().map(|&(at, _)| at).collect();
        assert_eq!(times, [18_000, 23_000, 28_000]);
        assert!(tried.iter().all(|&(_, which)| which == Preferred));
        let tried = attempts(&mut policy, ms(30_000), ms(60_000), |_| true);
        assert_eq!(tried, [(33_000, Preferred)]);
        assert_eq!(policy.step(ms(90_000)), Step::Wait);
    }

    #[test]
    fn a_fallback_that_is_lost_is_replaced_by_whatever_is_there() {
        let mut policy = policy(true);
        let tried = attempts(&mut policy, ms(0), ms(60_000), |which| which == Fallback);
        let since = ms(tried.last().unwrap().0);
        policy.lost(Loss::Gone, since + ms(4000));
        let tried = attempts(&mut policy, since + ms(4000), ms(60_000), |which| which == Fallback);
        assert_eq!(tried, [(7000, Preferred), (7000, Fallback)]);
    }

    #[test]
    fn who_wants_no_fallback_gets_none() {
        let config = RetryConfig { fallback_after: None, ..RetryConfig::default() };
        let mut policy = Policy::new(config, true, ms(0));
        let tried = attempts(&mut policy, ms(0), ms(60_000), |which| which == Fallback);
        assert!(tried.len() > 50 && tried.iter().all(|&(_, which)| which == Preferred));
    }

    #[test]
    fn a_device_that_delivers_nonsense_rests_longer_each_time() {
        let mut policy = policy(true);
        let mut now = ms(0);
        let mut rests = Vec::new();
        for _ in 0..7 {
            now = now.max(policy.preferred.next_at);
            policy.opened(Preferred, now);
            now += ms(1000);
            policy.lost(Loss::Misbehaved, now);
            rests.push((policy.preferred.next_at - now).as_millis());
        }
        assert_eq!(rests, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        // Meanwhile the default device is heard.
        let tried = attempts(&mut policy, now, now + ms(60_000), |which| which == Fallback);
        assert_eq!(tried, [((now + ms(3000)).as_millis() as u64, Fallback)]);
        // Time heals.
        policy.preferred_opened(true, now);
        policy.lost(Loss::Gone, now + TRUST);
        assert_eq!(policy.step(now + TRUST), Step::Open(Preferred));
    }
}
