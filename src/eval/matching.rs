//! Events against truth.

use super::Truth;
use crate::units::{Milliseconds, SampleRate};

/// A hit is decided at most so long after the word's end.
const HIT_AFTER_END: Milliseconds = Milliseconds(1000);
/// So long after a hit, further events of the word count as nothing.
const IGNORED_AFTER_HIT: Milliseconds = Milliseconds(2000);

/// What became of the words of one kind in one or more streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Words spoken.
    pub n_spoken: usize,
    /// Words without an event.
    pub n_missed: usize,
    /// Events where the word was not said.
    pub n_false: usize,
    /// From the true end of each word that was hit to the decision, in milliseconds; negative if decided before the end.
    pub latencies_ms: Vec<i64>,
}

impl Outcome {
    /// Missed / spoken; 0 when nothing was spoken.
    pub fn miss_rate(&self) -> f64 {
        self.n_missed as f64 / self.n_spoken.max(1) as f64
    }

    /// The median latency, where there is one.
    pub fn median_latency_ms(&self) -> Option<i64> {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.n_spoken += other.n_spoken;
        self.n_missed += other.n_missed;
        self.n_false += other.n_false;
        self.latencies_ms.extend(other.latencies_ms);
    }
}

/// Compares the decisions of one word, in samples and in the order of time, with the truths of that word.
pub fn match_events(decisions: &[u64], truths: &[Truth], rate: SampleRate) -> Outcome {
    let mut outcome = Outcome { n_spoken: truths.len(), n_missed: truths.len(), ..Outcome::default() };
    let mut is_hit = vec![false; truths.len()];
    let mut last_hit = None;
    for &decision in decisions {
        let hit = (0..truths.len()).find(|&i| {
            !is_hit[i]
                && truths[i].start_sample <= decision
                && decision <= truths[i].end_sample + HIT_AFTER_END.samples(rate)
        });
        if let Some(i) = hit {
            is_hit[i] = true;
            last_hit = Some(decision);
            outcome.n_missed -= 1;
            let after_end = decision as i64 - truths[i].end_sample as i64;
            outcome.latencies_ms.push(after_end * 1000 / i64::from(rate.hz()));
        } else if last_hit.is_none_or(|hit| decision > hit + IGNORED_AFTER_HIT.samples(rate)) {
            outcome.n_false += 1;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 16_000;

    fn truth(start_s: u64, end_s: u64) -> Truth {
        Truth { word_idx: 0, start_sample: start_s * SECOND, end_sample: end_s * SECOND }
    }

    #[test]
    fn hits_misses_repeats_and_false_accepts_are_told_apart() {
        let truths = [truth(10, 11), truth(20, 21), truth(30, 31)];
        // False; hit; repeat, ignored; hit before the word's end; too late for the third word, so false.
        let decisions = [5, 11, 13, 20, 33].map(|second| second * SECOND);
        let outcome = match_events(&decisions, &truths, SampleRate::MODEL);
        assert_eq!((outcome.n_spoken, outcome.n_missed, outcome.n_false), (3, 1, 2));
        assert_eq!(outcome.latencies_ms, [0, -1000]);
    }

    #[test]
    fn one_event_hits_one_word_only() {
        let truths = [truth(10, 11), truth(11, 12)];
        assert_eq!(match_events(&[11 * SECOND + 1], &truths, SampleRate::MODEL).n_missed, 1);
    }
}
