//! A recording that is to be laid into a stream, and what is known to be said in it.

use std::ops::Range;
use std::path::PathBuf;

use super::piece::Piece;
use crate::dataset::{PositiveFile, SkippedFile, load_clip, load_positive};
use crate::units::SampleRate;

/// A word said in a long recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpokenWord {
    /// Which word of the model.
    pub word_idx: usize,
    /// Where it begins, in seconds of the recording.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
}

/// What is said in a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One wake word.
    Word(PositiveFile),
    /// No wake word: speech, or noise.
    Other,
    /// What the labels say; anywhere else, no wake word.
    Labelled(Vec<SpokenWord>),
    /// A piece of a wake word, which is not the word.
    Piece(PositiveFile, Piece),
}

/// A file with what is said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Speaker, if anything tells.
    pub speaker: Option<String>,
    /// What is said.
    pub content: Content,
}

/// A recording at the model's rate, and the words in it.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalClip {
    /// Mono.
    pub samples: Vec<f32>,
    /// Each word and where it lies, in samples; in the order of time.
    pub words: Vec<(usize, Range<usize>)>,
}

impl Recording {
    /// A clip of a wake word.
    pub fn word(file: &PositiveFile) -> Self {
        Self { path: file.path.clone(), speaker: file.speaker.clone(), content: Content::Word(file.clone()) }
    }

    /// A piece of it.
    pub fn piece(file: &PositiveFile, piece: Piece) -> Self {
        Self { content: Content::Piece(file.clone(), piece), ..Self::word(file) }
    }

    /// Whether events in it are false wherever no word is known to be.
    pub(super) fn is_negative(&self) -> bool {
        matches!(self.content, Content::Other | Content::Labelled(_))
    }

    /// Reads it.
    ///
    /// # Errors
    /// The file, with why it cannot be used.
    pub fn load(&self) -> Result<EvalClip, SkippedFile> {
        let load = || load_clip(&self.path).map_err(|reason| SkippedFile::new(&self.path, reason));
        match &self.content {
            Content::Word(file) => {
                let clip = load_positive(file)?;
                Ok(EvalClip { samples: clip.samples, words: vec![(file.word_idx, clip.span)] })
            }
            Content::Other => Ok(EvalClip { samples: load()?, words: Vec::new() }),
            Content::Labelled(words) => {
                let samples = load()?;
                let place = |time_s| (SampleRate::MODEL.samples(time_s) as usize).min(samples.len());
                let mut words: Vec<(usize, Range<usize>)> =
                    words.iter().map(|word| (word.word_idx, place(word.start_s)..place(word.end_s))).collect();
                words.sort_by_key(|(_, span)| span.start);
                Ok(EvalClip { samples, words })
            }
            Content::Piece(file, piece) => {
                let clip = load_positive(file)?;
                Ok(EvalClip { samples: piece.cut(&clip.samples[clip.span]), words: Vec::new() })
            }
        }
    }
}
