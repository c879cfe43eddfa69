//! One recording to its variants; the work of one thread while the bank is made.

use std::ops::Range;
use std::path::Path;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::clip::{load_clip, load_positive, rms};
use super::endpoint::SILENCE_DBFS;
use super::frames::{FrameMaker, Frames};
use super::material::{WordClip, WordVariant};
use super::reverberation::{Reverberator, RoomSet};
use super::speed::SpeedChanger;
use super::{BankConfig, LoadedPositive, PositiveFile, SkipReason};
use crate::features::FeatureConfig;
use crate::units::{SampleRate, decibels_to_amplitude};

/// Everything a thread needs to make variants.
pub(super) struct VariantMaker<'a> {
    config: &'a BankConfig,
    rooms: &'a RoomSet,
    reverberator: Reverberator,
    speed: SpeedChanger,
    frame_maker: FrameMaker,
    hop: usize,
}

impl<'a> VariantMaker<'a> {
    pub(super) fn new(config: &'a BankConfig, features: &FeatureConfig, rooms: &'a RoomSet) -> Self {
        Self {
            config,
            rooms,
            reverberator: Reverberator::new(rooms),
            speed: SpeedChanger::default(),
            frame_maker: FrameMaker::new(features),
            hop: features.hop_length_samples,
        }
    }

    /// The word with its margins: as it is, at other speeds, at other speeds in rooms.
    pub(super) fn word(&mut self, file: &PositiveFile, rng: &mut Pcg64Mcg) -> Result<WordClip, SkipReason> {
        let LoadedPositive { samples, span: word } = load_positive(file).map_err(|skipped| skipped.reason)?;
        let margin = self.config.margin_ms.samples(SampleRate::MODEL) as usize;
        let start = word.start.saturating_sub(margin);
        let end = (word.end + margin).min(samples.len());
        let clip = &samples[start..end];
        let word = word.start - start..word.end - start;

        let mut variants = vec![self.word_variant(clip.to_vec(), word.clone())];
        for variant_idx in 0..self.config.n_speed_variants + self.config.n_room_variants {
            let (mut clip, speed) = self.change_speed(clip, self.config.word_speed, rng);
            let scaled = |place: usize| (place as f64 / speed).round() as usize;
            let word = scaled(word.start)..scaled(word.end).min(clip.len());
            if variant_idx >= self.config.n_speed_variants {
                let tail = self.config.tail_ms.samples(SampleRate::MODEL) as usize;
                clip = self.in_a_room(&clip, tail, rng);
            }
            variants.push(self.word_variant(clip, word));
        }
        Ok(WordClip { path: file.path.clone(), word_idx: file.word_idx, is_labelled: file.is_labelled, variants })
    }

    fn word_variant(&mut self, mut clip: Vec<f32>, word: Range<usize>) -> WordVariant {
        let gain = self.config.rms / rms(&clip[word.clone()]).max(f32::MIN_POSITIVE);
        self.fade(&mut clip);
        let frame = |place: usize| (place as f64 / self.hop as f64).round() as usize;
        let (start, end) = (frame(word.start), frame(word.end));
        let frames = self.frame_maker.frames(&clip, gain);
        WordVariant { word: start..end.min(frames.len()), frames }
    }

    /// Other speech: as it is, and at another speed in a room.
    pub(super) fn negative(&mut self, path: &Path, rng: &mut Pcg64Mcg) -> Result<Vec<Frames>, SkipReason> {
        let samples = load_clip(path)?;
        let mut variants = vec![self.loud_half(samples.clone())?];
        for _ in 0..self.config.n_negative_variants {
            let (clip, _) = self.change_speed(&samples, self.config.negative_speed, rng);
            let clip = self.in_a_room(&clip, 0, rng);
            variants.push(self.loud_half(clip)?);
        }
        Ok(variants)
    }

    fn loud_half(&mut self, mut clip: Vec<f32>) -> Result<Frames, SkipReason> {
        let mut levels: Vec<f32> = clip.chunks(self.hop).map(rms).collect();
        let median = levels.len() / 2;
        let (_, _, above) = levels.select_nth_unstable_by(median, f32::total_cmp);
        let gain = self.gain_to_rms(above)?;
        self.fade(&mut clip);
        Ok(self.frame_maker.frames(&clip, gain))
    }

    /// Noise as it is.
    pub(super) fn noise(&mut self, path: &Path) -> Result<Frames, SkipReason> {
        let samples = load_clip(path)?;
        let gain = self.gain_to_rms(&[rms(&samples)])?;
        Ok(self.frame_maker.frames(&samples, gain))
    }

    /// Gaussian noise at the bank's level.
    pub(super) fn white_noise(&mut self, rng: &mut Pcg64Mcg) -> Frames {
        let n_samples = SampleRate::MODEL.samples(self.config.white_noise_s) as usize;
        let samples: Vec<f32> = (0..n_samples).map(|_| rng.sample(rand_distr::StandardNormal)).collect();
        self.frame_maker.frames(&samples, self.config.rms)
    }

    fn gain_to_rms(&self, levels: &[f32]) -> Result<f32, SkipReason> {
        let level = rms(levels);
        // A click in digital silence passes the test of the peak.
        if level < decibels_to_amplitude(SILENCE_DBFS - 20.0) {
            return Err(SkipReason::Silent { threshold_dbfs: SILENCE_DBFS });
        }
        Ok(self.config.rms / level)
    }

    fn change_speed(&mut self, clip: &[f32], range: [f64; 2], rng: &mut Pcg64Mcg) -> (Vec<f32>, f64) {
        let speed = range[0] + (range[1] - range[0]) * rng.random::<f64>();
        self.speed.apply(clip, speed)
    }

    fn in_a_room(&mut self, clip: &[f32], tail: usize, rng: &mut Pcg64Mcg) -> Vec<f32> {
        let room_idx = rng.random_range(0..self.rooms.len());
        self.reverberator.apply(clip, self.rooms, room_idx, clip.len() + tail)
    }

    fn fade(&self, clip: &mut [f32]) {
        let n = (self.config.fade_ms.samples(SampleRate::MODEL) as usize).min(clip.len() / 2);
        let last = clip.len().saturating_sub(1);
        for i in 0..n {
            let gain = 0.5 - 0.5 * (std::f32::consts::PI * i as f32 / n as f32).cos();
            clip[i] *= gain;
            clip[last - i] *= gain;
        }
    }
}
