//! One recording, read and checked.

use std::path::Path;

use super::endpoint::{Endpoints, find_endpoints, silence_dbfs};
use super::{PositiveFile, SkipReason};
use crate::audio::AudioError;
use crate::units::SampleRate;

/// Less sound than this is no word, in milliseconds.
const SHORTEST_SOUND_MS: u32 = 100;

/// Reads a file as mono samples at the model's rate.
fn read_clip(path: &Path) -> Result<Vec<f32>, AudioError> {
    let failed = |error: hound::Error| AudioError::Read(error.to_string());
    let mut reader = hound::WavReader::open(path).map_err(failed)?;
    let spec = reader.spec();
    if spec.sample_rate != SampleRate::MODEL.hz() {
        return Err(AudioError::Read(format!("{} Hz; expected {}", spec.sample_rate, SampleRate::MODEL)));
    }
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(failed)?,
        hound::SampleFormat::Int => {
            let scale = 1.0 / (1i64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)).collect::<Result<_, _>>().map_err(failed)?
        }
    };
    let n_channels = usize::from(spec.channels);
    Ok(samples.chunks_exact(n_channels).map(|frame| frame.iter().sum::<f32>() / n_channels as f32).collect())
}

/// The samples of a file with sound in it.
///
/// # Errors
/// Why the file cannot be used.
pub(super) fn load(path: &Path) -> Result<Vec<f32>, SkipReason> {
    let samples = read_clip(path).map_err(|error| SkipReason::Unreadable(error.to_string()))?;
    let n_not_finite = samples.iter().filter(|sample| !sample.is_finite()).count();
    if n_not_finite > 0 {
        return Err(SkipReason::NotFinite { n_samples: n_not_finite });
    }
    check_length(samples.len())?;
    let peak = samples.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    if peak < crate::units::decibels_to_amplitude(silence_dbfs()) {
        return Err(SkipReason::Silent { threshold_dbfs: silence_dbfs() });
    }
    Ok(samples)
}

/// The samples of a recorded room response, which may be as short and as quiet as it likes.
///
/// # Errors
/// Why the file cannot be used.
pub(super) fn load_response(path: &Path) -> Result<Vec<f32>, SkipReason> {
    let samples = read_clip(path).map_err(|error| SkipReason::Unreadable(error.to_string()))?;
    match samples.iter().filter(|sample| !sample.is_finite()).count() {
        0 => Ok(samples),
        n_samples => Err(SkipReason::NotFinite { n_samples }),
    }
}

/// The samples of a wake word's recording and where the word lies in them: by the manifest's word, else by energy.
///
/// # Errors
/// Why the file cannot be used.
pub(super) fn load_positive(file: &PositiveFile) -> Result<(Vec<f32>, Endpoints), SkipReason> {
    let samples = load(&file.path)?;
    let word = match file.span_s {
        Some((start_s, end_s)) => {
            let start = SampleRate::MODEL.samples(start_s) as usize;
            let end = SampleRate::MODEL.samples(end_s) as usize;
            // A manifest rounds; beyond that, it speaks of another file.
            const ROUNDING: usize = 320;
            if end > samples.len() + ROUNDING || start >= samples.len() {
                let duration_s = SampleRate::MODEL.seconds(samples.len() as u64);
                return Err(SkipReason::SpanOutside { start_s, end_s, duration_s });
            }
            Endpoints { start, end: end.min(samples.len()) }
        }
        None => find_endpoints(&samples).ok_or(SkipReason::Silent { threshold_dbfs: silence_dbfs() })?,
    };
    check_length(word.end - word.start)?;
    if rms(&samples[word.start..word.end]) < crate::units::decibels_to_amplitude(silence_dbfs()) {
        return Err(SkipReason::Silent { threshold_dbfs: silence_dbfs() });
    }
    Ok((samples, word))
}

fn check_length(n_samples: usize) -> Result<(), SkipReason> {
    let found_ms = (n_samples as u64 * 1000 / u64::from(SampleRate::MODEL.hz())) as u32;
    if found_ms < SHORTEST_SOUND_MS {
        return Err(SkipReason::TooShort { found_ms, expected_ms: SHORTEST_SOUND_MS });
    }
    Ok(())
}

/// Root of the mean square; 0 for no samples.
pub(super) fn rms(samples: &[f32]) -> f32 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    (energy / samples.len().max(1) as f64).sqrt() as f32
}
