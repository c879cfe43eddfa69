//! Events against truth.

use super::Truth;
use crate::units::{Milliseconds, SampleRate};

/// A hit is decided at most so long after the word's end.
pub(super) const HIT_AFTER_END: Milliseconds = Milliseconds(1000);
/// So long after a hit, further events of the word count as nothing.
const IGNORED_AFTER_HIT: Milliseconds = Milliseconds(2000);

/// What became of each word and each event of one stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matched {
    /// Words that were hit, by their place among the truths, with the latency: from the word's true end to the decision, in
    /// milliseconds; negative if decided before the end.
    pub hits: Vec<(usize, i64)>,
    /// Words without an event, by their place among the truths.
    pub misses: Vec<usize>,
    /// Events where no wake word was said.
    pub false_accepts: Vec<usize>,
    /// Events where another wake word was said, with its place among the truths.
    pub confusions: Vec<(usize, usize)>,
}

/// What became of the words of one kind in one or more streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Words spoken.
    pub n_spoken: usize,
    /// Words without an event.
    pub n_missed: usize,
    /// Events where no wake word was said.
    pub n_false: usize,
    /// Events where another wake word was said.
    pub n_confusions: usize,
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
        self.latency_quantile_ms(0.5)
    }

    /// The latency that this share of the hits, from 0 to 1, does not exceed, where there is one.
    pub fn latency_quantile_ms(&self, share: f64) -> Option<i64> {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_unstable();
        sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied()
    }

    pub(super) fn add(&mut self, matched: &Matched) {
        self.n_spoken += matched.hits.len() + matched.misses.len();
        self.n_missed += matched.misses.len();
        self.n_false += matched.false_accepts.len();
        self.n_confusions += matched.confusions.len();
        self.latencies_ms.extend(matched.hits.iter().map(|(_, latency_ms)| latency_ms));
    }
}

/// Compares the decisions on the word `word_idx`, in samples and in the order of time, with the truths of all words.
pub fn match_events(decisions: &[u64], word_idx: usize, truths: &[Truth], rate: SampleRate) -> Matched {
    let mut matched = Matched::default();
    let mut is_hit = vec![false; truths.len()];
    let covers = |truth: &Truth, decision: u64| {
        truth.start_sample <= decision && decision <= truth.end_sample + HIT_AFTER_END.samples(rate)
    };
    let mut last_hit = None;
    for (event_idx, &decision) in decisions.iter().enumerate() {
        let hit =
            (0..truths.len()).find(|&i| truths[i].word_idx == word_idx && !is_hit[i] && covers(&truths[i], decision));
        if let Some(i) = hit {
            is_hit[i] = true;
            last_hit = Some(decision);
            let after_end = decision as i64 - truths[i].end_sample as i64;
            matched.hits.push((i, after_end * 1000 / i64::from(rate.hz())));
        } else if last_hit.is_none_or(|hit| decision > hit + IGNORED_AFTER_HIT.samples(rate)) {
            match truths.iter().position(|truth| truth.word_idx != word_idx && covers(truth, decision)) {
                Some(other) => matched.confusions.push((event_idx, other)),
                None => matched.false_accepts.push(event_idx),
            }
        }
    }
    matched.misses = (0..truths.len()).filter(|&i| truths[i].word_idx == word_idx && !is_hit[i]).collect();
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 16_000;

    fn truth(word_idx: usize, start_s: u64, end_s: u64) -> Truth {
        Truth { word_idx, start_sample: start_s * SECOND, end_sample: end_s * SECOND, recording_idx: 0 }
    }

    #[test]
    fn hits_misses_repeats_confusions_and_false_accepts_are_told_apart() {
        let truths = [truth(0, 10, 11), truth(0, 20, 21), truth(0, 30, 31), truth(1, 40, 41)];
        // False; hit; repeat, ignored; hit before the word's end; too late for the third word, so false; in another word.
        let decisions = [5, 11, 13, 20, 33, 42].map(|second| second * SECOND);
        let matched = match_events(&decisions, 0, &truths, SampleRate::MODEL);
        assert_eq!(matched.hits, [(0, 0), (1, -1000)]);
        assert_eq!(matched.misses, [2]);
        assert_eq!(matched.false_accepts, [0, 4]);
        assert_eq!(matched.confusions, [(5, 3)]);
        let mut outcome = Outcome::default();
        outcome.add(&matched);
        assert_eq!((outcome.n_spoken, outcome.n_missed, outcome.n_false, outcome.n_confusions), (3, 1, 2, 1));
    }

    #[test]
    fn the_window_of_a_hit_ends_one_second_after_the_word() {
        let truths = [truth(0, 10, 11)];
        let n_missed = |decision| match_events(&[decision], 0, &truths, SampleRate::MODEL).misses.len();
        assert_eq!((n_missed(12 * SECOND), n_missed(12 * SECOND + 1), n_missed(10 * SECOND - 1)), (0, 1, 1));
    }

    #[test]
    fn one_event_hits_one_word_only() {
        let truths = [truth(0, 10, 11), truth(0, 11, 12)];
        assert_eq!(match_events(&[11 * SECOND + 1], 0, &truths, SampleRate::MODEL).misses.len(), 1);
    }

    #[test]
    fn latencies_have_their_quantiles() {
        let outcome = Outcome { latencies_ms: (1..=100).rev().collect(), ..Outcome::default() };
        assert_eq!((outcome.median_latency_ms(), outcome.latency_quantile_ms(0.95)), (Some(51), Some(96)));
        assert_eq!(Outcome::default().median_latency_ms(), None);
    }
}
