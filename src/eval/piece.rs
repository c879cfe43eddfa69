//! Pieces of a wake word, which nobody would take for the word.
//!
//! No piece holds more than half of the word in its order: one that lacks only a little sounds like the word, and an event in it
//! is no fault.

use super::level::fade;
use crate::units::SampleRate;

/// Cuts fade over this long, in seconds, so that no click is heard.
const FADE_S: f64 = 0.005;

/// What is done to the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// The second half is dropped.
    FirstHalf,
    /// The first half is dropped.
    LastHalf,
    /// The second half is heard first.
    HalvesSwapped,
    /// The last third is heard first, the first one last.
    ThirdsReversed,
}

impl Piece {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::FirstHalf, Self::LastHalf, Self::HalvesSwapped, Self::ThirdsReversed];

    /// The piece of `word`.
    pub fn cut(self, word: &[f32]) -> Vec<f32> {
        let n_parts = if self == Self::ThirdsReversed { 3 } else { 2 };
        let mut parts: Vec<Vec<f32>> = word.chunks(word.len().div_ceil(n_parts).max(1)).map(<[f32]>::to_vec).collect();
        parts.iter_mut().for_each(|part| fade(part, SampleRate::MODEL.samples(FADE_S) as usize));
        match self {
            Self::FirstHalf => parts.truncate(1),
            Self::LastHalf => parts.drain(..1).for_each(drop),
            Self::HalvesSwapped | Self::ThirdsReversed => parts.reverse(),
        }
        parts.concat()
    }
}

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FirstHalf => "first half",
            Self::LastHalf => "last half",
            Self::HalvesSwapped => "halves swapped",
            Self::ThirdsReversed => "thirds reversed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_parts_of_the_word_in_another_order() {
        let word: Vec<f32> = [1.0, 2.0, 3.0].into_iter().flat_map(|value| [value; 4000]).collect();
        let middles = |piece: Piece, n_parts: usize| -> Vec<f32> {
            let cut = piece.cut(&word);
            cut.chunks(cut.len() / n_parts).map(|part| part[part.len() / 2]).collect()
        };
        assert_eq!(Piece::FirstHalf.cut(&word).len(), 6000);
        assert_eq!(middles(Piece::FirstHalf, 3), [1.0, 1.0, 2.0]);
        assert_eq!(middles(Piece::LastHalf, 3), [2.0, 3.0, 3.0]);
        assert_eq!(middles(Piece::HalvesSwapped, 6), [2.0, 3.0, 3.0, 1.0, 1.0, 2.0]);
        assert_eq!(middles(Piece::ThirdsReversed, 3), [3.0, 2.0, 1.0]);
        assert_eq!(Piece::LastHalf.cut(&word)[0], 0.0, "cuts are faded");
    }
}
