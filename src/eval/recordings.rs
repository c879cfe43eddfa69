//! The recordings of a data folder, by what they are to an evaluation.

use super::level::root_mean_square;
use super::{Content, Recording};
use crate::dataset::{NegativeFile, SkippedFile, load_clip, seed_of};

/// Longest noise that is kept, in samples: ten minutes of it repeat unnoticed.
const MAX_NOISE_SAMPLES: usize = 600 * 16_000;

/// Kinds of recordings: the second part of a stage's seed, so that no two kinds meet the same levels and noises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Wake words.
    Positive,
    /// Other speech.
    Negative,
    /// Noise alone.
    Noise,
    /// Pieces of wake words.
    Piece,
}

impl Role {
    /// The seed of the stage that recordings of this kind are heard on.
    pub fn seed(self, seed: u64) -> u64 {
        seed_of(&[seed, self as u64])
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Positive => "words",
            Self::Negative => "other speech",
            Self::Noise => "noise",
            Self::Piece => "pieces of words",
        })
    }
}

/// Recordings without a wake word.
pub fn others(files: &[NegativeFile]) -> Vec<Recording> {
    let other = |file: &NegativeFile| Recording {
        path: file.path.clone(),
        speaker: file.speaker.clone(),
        content: Content::Other,
    };
    files.iter().map(other).collect()
}

/// One long recording of noises of one loudness, so that none of them is missing where another was loud.
pub fn noise_pool(files: &[NegativeFile], skipped: &mut Vec<SkippedFile>) -> Vec<f32> {
    let mut noise = Vec::new();
    for file in files {
        match load_clip(&file.path) {
            Ok(samples) => {
                let gain = 0.05 / root_mean_square(samples.iter()).max(1e-6);
                noise.extend(samples.iter().map(|sample| gain * sample));
            }
            Err(reason) => skipped.push(SkippedFile::new(&file.path, reason)),
        }
        if noise.len() > MAX_NOISE_SAMPLES {
            break;
        }
    }
    noise
}
