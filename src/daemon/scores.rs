//! What the network makes of each word: its score now, the highest of late, how scores are distributed, how often it was told.
//!
//! The inference thread publishes, whoever wants reads; neither waits for the other, and nothing is allocated but when the model
//! changes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::bundle::Bundle;
use crate::metrics::Histogram;
use crate::units::SampleRate;

/// How far back "of late" reaches, in seconds of sound, the begun one included.
pub const RECENT_S: u64 = 10;
/// Thresholds lie in the upper half.
const SCORE_BOUNDS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0];

/// A handle on the scores of all words of the model that listens; clones share it.
#[derive(Debug, Clone)]
pub struct Scores {
    words: Arc<Mutex<Words>>,
}

type Words = Arc<[Arc<WordScores>]>;

/// The scores of one word.
#[derive(Debug)]
pub struct WordScores {
    name: String,
    /// The bits of the last score.
    last: AtomicU32,
    /// The second of the last score.
    second: AtomicU64,
    /// For each of the last seconds: the second in the upper half, the bits of its highest score in the lower.
    highest: [AtomicU64; RECENT_S as usize],
    distribution: Histogram,
    n_events: AtomicU64,
}

impl Scores {
    pub(super) fn new(bundle: &Bundle) -> Self {
        let words = bundle.manifest.words.iter().map(|word| Arc::new(WordScores::new(&word.name))).collect();
        Self { words: Arc::new(Mutex::new(words)) }
    }

    /// Each word of the model, in its order.
    pub fn words(&self) -> Arc<[Arc<WordScores>]> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From here on they are those of `bundle`; words of the same name go on counting.
    pub(super) fn replace_words(&self, bundle: &Bundle) -> Arc<[Arc<WordScores>]> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let after: Words = bundle
            .manifest
            .words
            .iter()
            .map(|word| {
                let before = words.iter().find(|before| before.name == word.name);
                before.cloned().unwrap_or_else(|| Arc::new(WordScores::new(&word.name)))
            })
            .collect();
        *words = after.clone();
        after
    }
}

impl WordScores {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            last: AtomicU32::new(0),
            second: AtomicU64::new(0),
            highest: Default::default(),
            distribution: Histogram::new(SCORE_BOUNDS),
            n_events: AtomicU64::new(0),
        }
    }

    /// By the inference thread alone.
    pub(super) fn publish(&self, end_sample: u64, score: f32) {
        let second = end_sample / u64::from(SampleRate::MODEL.hz());
        let slot = &self.highest[(second % RECENT_S) as usize];
        let known = slot.load(Relaxed);
        // Scores are not negative: their bits are ordered as they are.
        let score_bits = u64::from(score.max(0.0).to_bits());
        let is_of_this_second = known >> 32 == second & u64::from(u32::MAX);
        let highest = if is_of_this_second { (known & u64::from(u32::MAX)).max(score_bits) } else { score_bits };
        slot.store(second << 32 | highest, Relaxed);
        self.last.store(score.to_bits(), Relaxed);
        self.second.store(second, Relaxed);
        self.distribution.observe(f64::from(score));
    }

    pub(super) fn count_event(&self) {
        self.n_events.fetch_add(1, Relaxed);
    }

    /// The word, as the model names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of the last step, 0 to 1.
    pub fn last(&self) -> f32 {
        f32::from_bits(self.last.load(Relaxed))
    }

    /// The highest of the last [`RECENT_S`] seconds of sound, 0 to 1.
    pub fn highest(&self) -> f32 {
        let now = self.second.load(Relaxed);
        let slots = self.highest.iter().map(|slot| slot.load(Relaxed));
        let of_late = slots.filter(|slot| (slot >> 32) + RECENT_S > now & u64::from(u32::MAX));
        of_late.map(|slot| f32::from_bits(slot as u32)).fold(0.0, f32::max)
    }

    /// How often which score was reached.
    pub fn distribution(&self) -> &Histogram {
        &self.distribution
    }

    /// How often it was told.
    pub fn n_events(&self) -> u64 {
        self.n_events.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_score_is_that_of_the_last_ten_seconds() {
        let word = WordScores::new("alexa");
        assert_eq!((word.last(), word.highest()), (0.0, 0.0));
        let second = u64::from(SampleRate::MODEL.hz());
        for (at, score) in [(0, 0.9), (1, 0.2), (5, 0.7), (5, 0.3)] {
            word.publish(at * second + 1280, score);
        }
        assert_eq!((word.last(), word.highest()), (0.3, 0.9));
        word.publish(9 * second, 0.1);
        assert_eq!(word.highest(), 0.9);
        word.publish(10 * second, 0.1);
        assert_eq!(word.highest(), 0.7);
        word.publish(14 * second, 0.1);
        assert_eq!(word.highest(), 0.7);
        // A gap moves the clock.
        word.publish(1_000 * second, 0.05);
        assert_eq!(word.highest(), 0.05);
        assert_eq!(word.distribution().counts().n_values(), 8);
    }
}
