//! How loud a word was, and how far above the sound around it: by these several rooms choose the one that was spoken in.

use std::ops::Range;

use super::history::AudioHistory;
use crate::units::{Milliseconds, SampleRate};

/// The background is looked for in so much sound before the word.
const BACKGROUND: Milliseconds = Milliseconds(3000);
/// In pieces of this length...
const PIECE: Milliseconds = Milliseconds(80);
/// ...of which this share is quieter than what counts as the background: talk has pauses.
const QUIETER_SHARE: f64 = 0.2;
/// Below this nothing can be told from digital silence, -100 dBFS.
const LEAST_POWER: f64 = 1e-10;

/// Levels in decibels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WordLevel {
    /// Of the word, to a full-scale square wave.
    pub level_dbfs: f64,
    /// The word's power, the background's taken off, to that of the background; at most 100 and at least 0.
    pub snr_db: f64,
}

/// The level of a word at `word`; none if the ring does not hold it any more.
pub fn word_level(history: &AudioHistory, word: Range<u64>) -> Option<WordLevel> {
    let power = history.mean_square(word.clone())?.max(LEAST_POWER);
    let rate = SampleRate::MODEL;
    let (length, piece) = (BACKGROUND.samples(rate), PIECE.samples(rate));
    let from = word.start.saturating_sub(length);
    let starts = (from..word.start).step_by(piece as usize);
    let mut pieces = Vec::with_capacity(length.div_ceil(piece) as usize);
    pieces.extend(starts.filter_map(|start| history.mean_square(start..(start + piece).min(word.start))));
    pieces.sort_unstable_by(f64::total_cmp);
    let place = (pieces.len() as f64 * QUIETER_SHARE) as usize;
    let background = pieces.get(place).copied().unwrap_or(LEAST_POWER).max(LEAST_POWER);
    let decibels = |ratio: f64| 10.0 * ratio.log10();
    Some(WordLevel {
        level_dbfs: decibels(power),
        snr_db: decibels(((power - background) / background).max(1.0)).min(100.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alternating samples of this level.
    fn tone(level: f32, n_samples: usize) -> Vec<f32> {
        (0..n_samples).map(|i| if i % 2 == 0 { level } else { -level }).collect()
    }

    #[test]
    fn level_and_ratio_are_those_of_the_word_and_the_quiet_before_it() {
        let history = AudioHistory::new(Milliseconds(5000));
        // Somebody talks at half of the time before.
        for _ in 0..20 {
            history.push(&tone(0.01, 1600));
            history.push(&tone(0.3, 1600));
        }
        let start = history.end();
        history.push(&tone(0.1, 8000));
        let level = word_level(&history, start..start + 8000).unwrap();
        assert!((level.level_dbfs + 20.0).abs() < 0.1, "{level:?}");
        assert!((level.snr_db - 20.0).abs() < 0.1, "{level:?}");
    }

    #[test]
    fn silence_has_finite_levels_and_what_is_gone_has_none() {
        let history = AudioHistory::new(Milliseconds(1000));
        history.push(&[0.0; 16_000]);
        let level = word_level(&history, 8000..16_000).unwrap();
        assert_eq!((level.level_dbfs.round(), level.snr_db), (-100.0, 0.0));
        history.push(&[0.0; 16_000]);
        assert_eq!(word_level(&history, 8000..16_000), None);
    }
}
