//! What a bank holds: recordings in their variants, as frames.

use std::ops::Range;
use std::path::PathBuf;

use super::frames::Frames;

/// A recording of a word.
#[derive(Debug, Clone, PartialEq)]
pub struct WordClip {
    /// The recording.
    pub path: PathBuf,
    /// Into [`super::Bank::words`].
    pub word_idx: usize,
    /// Whether its span is a label, which is trusted whatever its length.
    pub is_labelled: bool,
    /// The first one is the recording as it is.
    pub variants: Vec<WordVariant>,
}

/// One variant of a recording of a word.
#[derive(Debug, Clone, PartialEq)]
pub struct WordVariant {
    /// The word with its margins and the room's tail.
    pub frames: Frames,
    /// Where the word lies, in frames.
    pub word: Range<usize>,
}

/// A recording without a wake word.
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeClip {
    /// The recording.
    pub path: PathBuf,
    /// The first one is the recording as it is.
    pub variants: Vec<Frames>,
}

/// A collection of recordings without a wake word.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Into [`super::Bank::negatives`].
    pub clips: Range<usize>,
    /// Frames of its recordings as they are.
    pub n_frames: usize,
}
