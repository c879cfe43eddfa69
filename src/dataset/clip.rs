//! One recording, read and checked.

use std::ops::Range;
use std::path::Path;

use super::endpoint::{SILENCE_DBFS, find_endpoints};
use super::{PositiveFile, SkipReason, SkippedFile};
use crate::audio::file::FileSource;
use crate::audio::resample::at_model_rate;
use crate::audio::{AudioError, ChannelChoice, read_to_end};
use crate::units::{SampleRate, decibels_to_amplitude};

/// Less sound than this is no word, in milliseconds.
const SHORTEST_SOUND_MS: u32 = 100;
/// The same where a person has drawn the borders: a clap, a click.
const SHORTEST_LABEL_MS: u32 = 20;

/// Reads a file as mono samples at the model's rate.
fn read_clip(path: &Path) -> Result<Vec<f32>, AudioError> {
    let source = FileSource::open(path, ChannelChoice::Mix)?;
    read_to_end(&mut *at_model_rate(Box::new(source))?)
}

/// A recording of a wake word.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedPositive {
    /// Mono, at the model's rate.
    pub samples: Vec<f32>,
    /// Where the word lies, in samples.
    pub span: Range<usize>,
}

/// How long a file is by its header, in seconds; 0 where that cannot be told.
pub fn duration_s(path: &Path) -> f64 {
    FileSource::open(path, ChannelChoice::Mix).ok().and_then(|source| source.duration_s()).unwrap_or(0.0)
}

/// The samples of a file with sound in it.
///
/// # Errors
/// Why the file cannot be used.
pub fn load_clip(path: &Path) -> Result<Vec<f32>, SkipReason> {
    let samples = read_clip(path).map_err(unreadable)?;
    let n_not_finite = samples.iter().filter(|sample| !sample.is_finite()).count();
    if n_not_finite > 0 {
        return Err(SkipReason::NotFinite { n_samples: n_not_finite });
    }
    check_length(samples.len(), SHORTEST_SOUND_MS)?;
    let peak = samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    if peak < decibels_to_amplitude(SILENCE_DBFS) {
        return Err(SkipReason::Silent { threshold_dbfs: SILENCE_DBFS });
    }
    Ok(samples)
}

/// The samples of a recorded room response, which may be as short and as quiet as it likes.
///
/// # Errors
/// Why the file cannot be used.
pub(super) fn load_response(path: &Path) -> Result<Vec<f32>, SkipReason> {
    let samples = read_clip(path).map_err(unreadable)?;
    match samples.iter().filter(|sample| !sample.is_finite()).count() {
        0 => Ok(samples),
        n_samples => Err(SkipReason::NotFinite { n_samples }),
    }
}

/// The samples of a wake word's recording and where the word lies in them: by the manifest's word, else by energy.
///
/// # Errors
/// The file with why it cannot be used.
pub fn load_positive(file: &PositiveFile) -> Result<LoadedPositive, SkippedFile> {
    load_with_span(file).map_err(|reason| SkippedFile::new(&file.path, reason))
}

fn load_with_span(file: &PositiveFile) -> Result<LoadedPositive, SkipReason> {
    let samples = load_clip(&file.path)?;
    let silent = || SkipReason::Silent { threshold_dbfs: SILENCE_DBFS };
    let span = match file.span_s {
        Some(span_s) => checked_span(span_s, samples.len())?,
        None => find_endpoints(&samples).map(|found| found.start..found.end).ok_or_else(silent)?,
    };
    check_length(span.len(), if file.is_labelled { SHORTEST_LABEL_MS } else { SHORTEST_SOUND_MS })?;
    if rms(&samples[span.clone()]) < decibels_to_amplitude(SILENCE_DBFS) {
        return Err(silent());
    }
    Ok(LoadedPositive { samples, span })
}

fn checked_span((start_s, end_s): (f64, f64), n_samples: usize) -> Result<Range<usize>, SkipReason> {
    // A manifest rounds, and its detector may look a little past the end; beyond that, it speaks of another file.
    const ROUNDING_SAMPLES: usize = 320;
    let sample = |time_s| SampleRate::MODEL.samples(time_s) as usize;
    let (start, end) = (sample(start_s), sample(end_s));
    if end > n_samples + ROUNDING_SAMPLES || start >= n_samples {
        let duration_s = SampleRate::MODEL.seconds(n_samples as u64);
        return Err(SkipReason::SpanOutside { start_s, end_s, duration_s });
    }
    Ok(start..end.min(n_samples))
}

/// The error with its causes in one line.
fn unreadable(error: AudioError) -> SkipReason {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    SkipReason::Unreadable(message)
}

fn check_length(n_samples: usize, expected_ms: u32) -> Result<(), SkipReason> {
    let found_ms = (n_samples as u64 * 1000 / u64::from(SampleRate::MODEL.hz())) as u32;
    if found_ms < expected_ms {
        return Err(SkipReason::TooShort { found_ms, expected_ms });
    }
    Ok(())
}

/// Root of the mean square; 0 for no samples.
pub(super) fn rms(samples: &[f32]) -> f32 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    (energy / samples.len().max(1) as f64).sqrt() as f32
}
