//! Recordings laid into continuous streams.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

use super::{EvalStream, Truth};
use crate::dataset::SkippedFile;
use crate::features::{FeatureConfig, FeatureExtractor};
use crate::units::{SampleRate, decibels_to_amplitude};

/// What is laid over the recordings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// Only room tone.
    Clean,
    /// Recorded noise at this signal-to-noise ratio over the word or, for negatives, over the whole recording.
    Noisy {
        /// In decibels.
        snr_db: f32,
    },
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clean => write!(f, "clean"),
            Self::Noisy { snr_db } => write!(f, "noisy, {snr_db} dB"),
        }
    }
}

/// A recording at the model's rate, and the word in it if there is one.
pub struct EvalClip {
    /// Mono.
    pub samples: Vec<f32>,
    /// The word and where it lies, in samples.
    pub word: Option<(usize, std::ops::Range<usize>)>,
}

/// Streams of one condition, and the recordings that could not be part of them.
pub struct EvalSet {
    /// With words and truths.
    pub positives: Vec<EvalStream>,
    /// Without.
    pub negatives: Vec<EvalStream>,
    /// Recordings left out, with the reasons.
    pub skipped: Vec<SkippedFile>,
}

/// Length at which a stream is closed and the next begun: long enough for the state to be carried far, short enough that
/// several threads have work.
const STREAM_S: f64 = 600.0;
/// Peak of a recording in the stream, full scale 1.
const PEAK_DBFS: std::ops::Range<f32> = -30.0..-3.0;
/// Level of the white room tone under everything.
const ROOM_TONE_DBFS: std::ops::Range<f32> = -80.0..-60.0;
/// Room tone between recordings.
const GAP_S: std::ops::Range<f64> = 0.5..1.5;
/// Recordings fade in and out over this long, so that no join is heard.
const FADE_S: f64 = 0.01;

/// Lays `clips`, in their order, into streams: random level, gaps of room tone, and the noise of `condition` cut at random
/// from `noise` (one long recording; may be empty for clean streams). Deterministic by `seed`. Clips are taken one at a
/// time, so that hours of them need no more memory than their features.
pub fn assemble(
    clips: impl Iterator<Item = EvalClip>,
    condition: Condition,
    noise: &[f32],
    features: &FeatureConfig,
    frames_per_step: usize,
    seed: u64,
) -> Vec<EvalStream> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let rate = SampleRate::MODEL;
    let mut streams = Vec::new();
    let mut builder = StreamBuilder::new(features, frames_per_step);
    let mut item = Vec::new();
    for clip in clips {
        let n_gap = rate.samples(rng.random_range(GAP_S)) as usize;
        item.clear();
        item.resize(n_gap, 0.0);
        item.extend_from_slice(&clip.samples);
        fade(&mut item[n_gap..], rate.samples(FADE_S) as usize);
        let peak = clip.samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let gain = decibels_to_amplitude(rng.random_range(PEAK_DBFS)) / peak.max(1e-6);
        item.iter_mut().for_each(|sample| *sample *= gain);

        if let (Condition::Noisy { snr_db }, false) = (condition, noise.is_empty()) {
            let signal = clip.word.as_ref().map_or(0..clip.samples.len(), |(_, span)| span.clone());
            let speech_rms = root_mean_square(&item[n_gap..][signal]);
            let start = rng.random_range(0..noise.len());
            let mut stretch: Vec<f32> = noise.iter().cycle().skip(start).take(item.len()).copied().collect();
            fade(&mut stretch, rate.samples(FADE_S) as usize);
            let gain = speech_rms / decibels_to_amplitude(snr_db) / root_mean_square(&stretch).max(1e-6);
            item.iter_mut().zip(&stretch).for_each(|(sample, noise)| *sample += gain * noise);
        }
        let tone = decibels_to_amplitude(rng.random_range(ROOM_TONE_DBFS));
        for sample in &mut item {
            let normal: f32 = StandardNormal.sample(&mut rng);
            *sample += tone * normal;
        }
        builder.push(&item, clip.word.map(|(word_idx, span)| (word_idx, span.start + n_gap..span.end + n_gap)));
        if rate.seconds(builder.n_samples) >= STREAM_S {
            streams.push(builder.finish());
        }
    }
    if builder.n_samples > 0 {
        streams.push(builder.finish());
    }
    streams
}

struct StreamBuilder {
    extractor: FeatureExtractor,
    step_values: usize,
    frames: Vec<f32>,
    truths: Vec<Truth>,
    n_samples: u64,
}

impl StreamBuilder {
    fn new(features: &FeatureConfig, frames_per_step: usize) -> Self {
        Self {
            extractor: FeatureExtractor::new(features),
            step_values: frames_per_step * features.n_mels,
            frames: Vec::new(),
            truths: Vec::new(),
            n_samples: 0,
        }
    }

    fn push(&mut self, samples: &[f32], word: Option<(usize, std::ops::Range<usize>)>) {
        self.truths.extend(word.map(|(word_idx, span)| Truth {
            word_idx,
            start_sample: self.n_samples + span.start as u64,
            end_sample: self.n_samples + span.end as u64,
        }));
        self.extractor.push(samples, &mut self.frames);
        self.n_samples += samples.len() as u64;
    }

    fn finish(&mut self) -> EvalStream {
        // The last word of a stream has its second in which to be decided.
        self.push(&vec![0.0; SampleRate::MODEL.hz() as usize], None);
        let whole = self.frames.len() / self.step_values * self.step_values;
        self.frames.truncate(whole);
        self.extractor.reset();
        EvalStream {
            frames: std::mem::take(&mut self.frames),
            truths: std::mem::take(&mut self.truths),
            n_samples: std::mem::take(&mut self.n_samples),
        }
    }
}

pub(super) fn root_mean_square(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// A linear fade over the first and last `n_fade` samples.
fn fade(samples: &mut [f32], n_fade: usize) {
    let n_fade = n_fade.min(samples.len() / 2);
    let n = samples.len();
    for i in 0..n_fade {
        let gain = i as f32 / n_fade as f32;
        samples[i] *= gain;
        samples[n - 1 - i] *= gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(n_samples: usize, word: Option<(usize, std::ops::Range<usize>)>) -> EvalClip {
        let samples = (0..n_samples).map(|i| (i as f32 * 0.3).sin() * 0.1).collect();
        EvalClip { samples, word }
    }

    fn run(condition: Condition, seed: u64) -> Vec<EvalStream> {
        let clips = (0..3).map(|i| clip(16_000, Some((i, 4_000..12_000))));
        let noise: Vec<f32> = (0..50_000).map(|i| ((i * 7919) % 201) as f32 / 100.0 - 1.0).collect();
        assemble(clips, condition, &noise, &FeatureConfig::default(), 8, seed)
    }

    #[test]
    fn truths_lie_where_the_words_were_put() {
        let streams = run(Condition::Clean, 1);
        assert_eq!(streams.len(), 1);
        let truths = &streams[0].truths;
        assert_eq!(truths.iter().map(|truth| truth.word_idx).collect::<Vec<_>>(), [0, 1, 2]);
        for pair in truths.windows(2) {
            assert_eq!(pair[0].end_sample - pair[0].start_sample, 8_000);
            assert!(pair[1].start_sample > pair[0].end_sample + 4_000 + 4_000 + 8_000 - 1);
        }
        assert_eq!(streams[0].frames.len() % (8 * 40), 0);
    }

    #[test]
    fn the_seed_decides_and_noise_is_heard() {
        assert_eq!(run(Condition::Clean, 1), run(Condition::Clean, 1));
        assert_ne!(run(Condition::Clean, 1), run(Condition::Clean, 2));
        let mean = |streams: Vec<EvalStream>| streams[0].frames.iter().sum::<f32>() / streams[0].frames.len() as f32;
        assert_ne!(mean(run(Condition::Noisy { snr_db: 0.0 }, 1)), mean(run(Condition::Clean, 1)));
    }
}
