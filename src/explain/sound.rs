//! How good the sound is near the moment.

use std::ops::Range;

use serde::Serialize;

use crate::audio::file::FileSource;
use crate::audio::history::AudioHistory;
use crate::audio::level::{WordLevel, word_level};
use crate::audio::{AudioError, AudioSource, Read};
use crate::label::{HeardTrack, LabelError, Observer};
use crate::units::{Milliseconds, SampleRate};

/// Sound before the window that is kept, too: a word may begin there, and the quiet before it is needed.
const BEFORE: Milliseconds = Milliseconds(8000);
/// Samples at least this near to full scale are clipped.
const CLIPPED: f32 = 0.9995;
/// A microphone has noise: so much of exactly one value is a hole.
const DROP_OUT: Milliseconds = Milliseconds(5);

/// The samples of a window at the file's own rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundFacts {
    /// Of the file.
    pub sample_rate_hz: u32,
    /// Looked at.
    pub n_samples: u64,
    /// Root mean square, to a full-scale square wave; -100 for silence.
    pub rms_dbfs: f64,
    /// The largest sample.
    pub peak_dbfs: f64,
    /// The mean of all samples, full scale being 1.
    pub dc_offset: f64,
    /// Samples at full scale.
    pub n_clipped_samples: u64,
    /// Samples that are NaN or infinite.
    pub n_unusable_samples: u64,
    /// Stretches of one value of at least 5 ms, in the order of time.
    pub drop_outs: Vec<DropOut>,
}

/// A stretch of one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DropOut {
    /// Where it begins, in seconds of the recording.
    pub start_s: f64,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
}

impl SoundFacts {
    /// All drop-outs together, in seconds.
    pub fn hole_s(&self) -> f64 {
        self.drop_outs.iter().fold(0.0, |sum, hole| sum + hole.duration_s)
    }

    /// Reads `source` from its beginning to the end of `window`, samples at its own rate.
    ///
    /// # Errors
    /// When the file cannot be read so far.
    pub(super) fn of(source: &mut FileSource, window: Range<u64>) -> Result<Self, AudioError> {
        let mut chunk = vec![0.0; 16_384];
        let mut sums = Sums::new(source.sample_rate());
        let mut position = 0u64;
        while position < window.end {
            let Read::Samples(n) = source.read(&mut chunk)? else { break };
            let of_chunk = |sample: u64| (sample.clamp(position, position + n as u64) - position) as usize;
            let (start, end) = (of_chunk(window.start), of_chunk(window.end));
            sums.push(position + start as u64, &chunk[start..end]);
            position += n as u64;
        }
        Ok(sums.facts())
    }
}

struct Sums {
    rate: SampleRate,
    n_samples: u64,
    n_clipped: u64,
    n_unusable: u64,
    sum: f64,
    sum_of_squares: f64,
    peak: f32,
    /// The value of the last samples, where they began to be the same, and how many they are.
    run: (f32, u64, u64),
    drop_outs: Vec<DropOut>,
}

impl Sums {
    fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            n_samples: 0,
            n_clipped: 0,
            n_unusable: 0,
            sum: 0.0,
            sum_of_squares: 0.0,
            peak: 0.0,
            run: (f32::NAN, 0, 0),
            drop_outs: Vec::new(),
        }
    }

    /// Samples from `start` on.
    fn push(&mut self, start: u64, samples: &[f32]) {
        self.n_samples += samples.len() as u64;
        for (position, &sample) in (start..).zip(samples) {
            if !sample.is_finite() {
                self.n_unusable += 1;
                continue;
            }
            self.n_clipped += u64::from(sample.abs() >= CLIPPED);
            self.sum += f64::from(sample);
            self.sum_of_squares += f64::from(sample) * f64::from(sample);
            self.peak = self.peak.max(sample.abs());
            if sample == self.run.0 {
                self.run.2 += 1;
            } else {
                self.end_run();
                self.run = (sample, position, 1);
            }
        }
    }

    fn end_run(&mut self) {
        let (value, start, n_samples) = self.run;
        // Clipped sound stays at one value, too, and is counted as that.
        if n_samples >= DROP_OUT.samples(self.rate) && value.abs() < CLIPPED {
            let (start_s, duration_s) = (self.rate.seconds(start), self.rate.seconds(n_samples));
            self.drop_outs.push(DropOut { start_s, duration_s });
        }
    }

    fn facts(mut self) -> SoundFacts {
        self.end_run();
        let n_usable = (self.n_samples - self.n_unusable).max(1) as f64;
        let decibels = |power: f64| 10.0 * power.max(1e-10).log10();
        SoundFacts {
            sample_rate_hz: self.rate.hz(),
            n_samples: self.n_samples,
            rms_dbfs: decibels(self.sum_of_squares / n_usable),
            peak_dbfs: decibels(f64::from(self.peak).powi(2)),
            dc_offset: self.sum / n_usable,
            n_clipped_samples: self.n_clipped,
            n_unusable_samples: self.n_unusable,
            drop_outs: self.drop_outs,
        }
    }
}

/// The samples in and before the window, at the model's rate.
pub(super) struct WindowSound {
    kept: Range<u64>,
    samples: Vec<f32>,
    position: u64,
}

impl WindowSound {
    pub(super) fn new(window: Range<u64>) -> Self {
        let kept = window.start.saturating_sub(BEFORE.samples(SampleRate::MODEL))..window.end;
        Self { kept, samples: Vec::new(), position: 0 }
    }

    pub(super) fn observer(&mut self) -> Box<dyn Observer + '_> {
        Box::new(Keeping(self))
    }

    /// The level of a word that lies at `word`, and of the quiet before it; none if that is not in what was kept.
    pub(super) fn level(&self, word: Range<u64>) -> Option<WordLevel> {
        let n_kept = Milliseconds::from_samples(self.kept.end - self.kept.start, SampleRate::MODEL);
        let history = AudioHistory::new(Milliseconds(n_kept.0 + 1));
        history.push(&self.samples);
        let of_kept = |sample: u64| sample.checked_sub(self.kept.start);
        let (start, end) = (of_kept(word.start)?, of_kept(word.end)?.min(self.samples.len() as u64));
        (start < end).then(|| word_level(&history, start..end))?
    }
}

struct Keeping<'a>(&'a mut WindowSound);

impl Observer for Keeping<'_> {
    fn samples(&mut self, samples: &[f32]) -> Result<(), LabelError> {
        let WindowSound { kept, samples: all, position } = &mut *self.0;
        let (start, end) = (*position, *position + samples.len() as u64);
        let of_chunk = |sample: u64| (sample.clamp(start, end) - start) as usize;
        all.extend_from_slice(&samples[of_chunk(kept.start)..of_chunk(kept.end)]);
        *position = end;
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut HeardTrack) -> Result<(), LabelError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_offset_and_holes_are_told() {
        let mut sums = Sums::new(SampleRate::MODEL);
        let noise = |i: usize| 0.1 * ((i * 7919 % 1000) as f32 / 500.0 - 1.0) + 0.02;
        let mut samples: Vec<f32> = (0..16_000).map(noise).collect();
        samples[100..103].fill(1.0);
        samples[103] = f32::NAN;
        samples[8000..8160].fill(0.0);
        samples[9000..9079].fill(0.3);
        // Portions do not matter.
        sums.push(16_000, &samples[..8050]);
        sums.push(24_050, &samples[8050..]);
        let facts = sums.facts();
        assert_eq!((facts.n_samples, facts.n_clipped_samples, facts.n_unusable_samples), (16_000, 3, 1));
        assert_eq!(facts.drop_outs, [DropOut { start_s: 1.5, duration_s: 0.01 }]);
        assert!((facts.dc_offset - 0.02).abs() < 0.003 && facts.peak_dbfs == 0.0, "{facts:?}");
        assert!((facts.rms_dbfs + 24.0).abs() < 1.0, "{facts:?}");
    }

    #[test]
    fn silence_is_one_hole() {
        let mut sums = Sums::new(SampleRate::MODEL);
        sums.push(0, &[0.0; 1600]);
        let facts = sums.facts();
        assert_eq!(facts.drop_outs, [DropOut { start_s: 0.0, duration_s: 0.1 }]);
        assert_eq!((facts.rms_dbfs, facts.peak_dbfs), (-100.0, -100.0));
    }
}
