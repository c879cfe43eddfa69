//! A track as people look at it: its waveform, its mel spectrogram, and the score of each word, in memory that does not grow with it.
//!
//! `samples, feature blocks, scores → PictureBuilder → Picture → drawing (PNG, SVG), or a page`

mod bitmap;
mod builder;
mod canvas;
mod drawing;
mod folding;
mod font;
mod score_scale;
mod svg;
mod theme;

pub use builder::{Detail, PictureBuilder};
pub use drawing::{Drawing, Mark, WordLine};
pub use folding::Series;
pub use score_scale::{SCORE_TICKS, score_place};
pub use theme::Theme;

/// What is kept of a stretch of a track. All series begin at `start_s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Where it begins in the recording.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
    /// `(columns, 2)`: the square root of how far the samples reach below and above zero, so that quiet ones are told apart, too;
    /// 255 is full scale.
    pub waveform: Series,
    /// `(columns, n_mels)`: features of the model from the lowest band on, from 0 to 255 over all that can be.
    pub mel: Series,
    /// `(columns, n_words)`: the highest score as [`score_place`] has it; 255 is the top. A score stands at the end of its step.
    pub scores: Series,
}
