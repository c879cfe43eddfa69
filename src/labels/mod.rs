//! Spans of words in recordings, as people and other tools write them down.
//!
//! Each format has a file: how labels become text, and how text that a person or another tool has edited becomes labels again. What is
//! written is read back with the same spans: to the sample, in WebVTT to the millisecond.

mod audacity;
mod csv;
mod diff;
mod error;
mod format;
mod json_lines;
mod rttm;
mod text_grid;
mod text_grid_tokens;
mod web_vtt;

pub use diff::{DiffOptions, LabelDiff, Pair, WordDiff, diff_labels};
pub use error::{LabelsError, LabelsFault};
pub use format::{LabelFormat, read_labels};

/// Somebody says that a word is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Seconds from the beginning of the recording.
    pub start_s: f64,
    /// Not before the start; the same for a mark without length.
    pub end_s: f64,
    /// What is there.
    pub text: String,
    /// How sure a detector was, 0 to 1, where one says so and the format has a place for it.
    pub score: Option<f32>,
}

impl Label {
    /// Whether two labels have a moment in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start_s < other.end_s && other.start_s < self.end_s
    }
}

/// The labels of one recording, in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordingLabels {
    /// The recording as the file of labels names it; `None` where the format has no name: then it is the one of the same name.
    pub recording: Option<String>,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// Sorts by start, then end, then text.
fn sort(labels: &mut [Label]) {
    labels.sort_by(|a, b| {
        a.start_s.total_cmp(&b.start_s).then(a.end_s.total_cmp(&b.end_s)).then_with(|| a.text.cmp(&b.text))
    });
}

/// Puts labels that each name their recording together, recordings in the order of their first label.
fn by_recording(named: Vec<(Option<String>, Label)>) -> Vec<RecordingLabels> {
    let mut found: Vec<RecordingLabels> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (recording, label) in named {
        let place = *places.entry(recording.clone()).or_insert_with(|| {
            found.push(RecordingLabels { recording, labels: Vec::new() });
            found.len() - 1
        });
        found[place].labels.push(label);
    }
    for recording in &mut found {
        sort(&mut recording.labels);
    }
    found
}

/// A label of checked times.
///
/// # Errors
/// What is wrong with them.
fn checked(start_s: f64, end_s: f64, text: String, score: Option<f32>) -> Result<Label, LabelsFault> {
    if !(start_s.is_finite() && end_s.is_finite() && start_s >= 0.0) {
        return Err(LabelsFault::BadTime { found: format!("{start_s} to {end_s}") });
    }
    if end_s < start_s {
        return Err(LabelsFault::EndsBeforeItStarts { start_s, end_s });
    }
    Ok(Label { start_s, end_s, text, score })
}
