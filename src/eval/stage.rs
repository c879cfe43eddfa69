//! What a recording sounds like in a stream: level, room, noise, room tone.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

use super::level::{fade, root_mean_square};
use super::{Condition, EvalClip, Room};
use crate::dataset::{Reverberator, RoomConfig, RoomSet, seed_of};
use crate::units::{SampleRate, decibels_to_amplitude};

/// Peak of a recording in the stream, full scale 1.
const PEAK_DBFS: Range<f32> = -30.0..-3.0;
/// Level of the white room tone under everything.
const ROOM_TONE_DBFS: Range<f32> = -80.0..-60.0;
/// Room tone between recordings.
const GAP_S: Range<f64> = 0.5..1.5;
/// Recordings fade in and out over this long, so that no join is heard.
const FADE_S: f64 = 0.01;
/// A room is heard for this long after a recording's end.
const TAIL_S: f64 = 0.3;
/// The second part of the rooms' seed: those of a training with the same seed are others.
const ROOM_PURPOSE: u64 = 0x6576_616c;

/// How many rooms are computed, and which.
fn room_config() -> RoomConfig {
    RoomConfig {
        n_rooms: 64,
        reverberation_s: [0.2, 0.8],
        distance_m: [0.5, 4.0],
        // The longest reverberation has fallen by 45 dB then.
        response_s: 0.6,
        ..RoomConfig::default()
    }
}

/// The rooms that recordings are heard in: those of `recorded`, or if there are none, random ones decided by `seed`.
pub fn draw_rooms(
    recorded: &[crate::dataset::RoomFile],
    seed: u64,
    skipped: &mut Vec<crate::dataset::SkippedFile>,
) -> RoomSet {
    let mut rooms = RoomSet::draw(&RoomConfig { n_rooms: 0, ..room_config() }, &[], 1);
    rooms.add_recorded(recorded, skipped);
    if rooms.is_empty() {
        rooms = RoomSet::draw(&room_config(), &[seed, ROOM_PURPOSE], crate::parallel::n_cores());
    }
    rooms
}

/// Everything that decides, with the recordings, what streams sound like.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// Room and noise.
    pub condition: Condition,
    /// One long recording that noises are cut from; may be empty, then there is none.
    pub noise: &'a [f32],
    /// Where reverberant recordings are heard; none in dry conditions.
    pub rooms: Option<&'a RoomSet>,
    /// Seed of levels, gaps, noises and rooms. A recording meets the same ones in every condition, so that conditions differ in
    /// nothing else.
    pub seed: u64,
}

/// A recording as it is heard, with the gap before it.
pub(super) struct Staged {
    /// Gap, recording, tail of the room.
    pub(super) samples: Vec<f32>,
    /// Length of the gap.
    pub(super) n_gap: usize,
    /// The words, in samples from the gap's start.
    pub(super) words: Vec<(usize, Range<usize>)>,
}

impl Stage<'_> {
    /// The work space of one thread.
    pub(super) fn reverberator(&self) -> Option<Reverberator> {
        self.rooms.filter(|_| self.condition.room == Room::Reverberant).map(Reverberator::new)
    }

    /// What is heard of the recording that stands at `recording_idx` of the list: the same whenever it is asked for.
    pub(super) fn hear(&self, recording_idx: usize, clip: EvalClip, reverberator: Option<&mut Reverberator>) -> Staged {
        let mut rng = Pcg64Mcg::seed_from_u64(seed_of(&[self.seed, recording_idx as u64]));
        let rate = SampleRate::MODEL;
        // All are drawn in every condition, used or not.
        let n_gap = rate.samples(rng.random_range(GAP_S)) as usize;
        let level_dbfs = rng.random_range(PEAK_DBFS);
        let tone = decibels_to_amplitude(rng.random_range(ROOM_TONE_DBFS));
        let (room, noise_start): (f64, f64) = (rng.random(), rng.random());

        let mut sound = clip.samples;
        fade(&mut sound, rate.samples(FADE_S) as usize);
        if let (Some(reverberator), Some(rooms)) = (reverberator, self.rooms) {
            let n_out = sound.len() + rate.samples(TAIL_S) as usize;
            sound = reverberator.apply(&sound, rooms, place(room, rooms.len()), n_out);
            fade(&mut sound, rate.samples(FADE_S) as usize);
        }
        let peak = sound.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let gain = decibels_to_amplitude(level_dbfs) / peak.max(1e-6);
        let mut samples = vec![0.0; n_gap];
        samples.extend(sound.iter().map(|sample| gain * sample));
        let words: Vec<(usize, Range<usize>)> =
            clip.words.into_iter().map(|(word_idx, span)| (word_idx, span.start + n_gap..span.end + n_gap)).collect();

        if let (Some(snr_db), false) = (self.condition.snr_db, self.noise.is_empty()) {
            let signal = if words.is_empty() {
                root_mean_square(samples[n_gap..].iter())
            } else {
                root_mean_square(words.iter().flat_map(|(_, span)| &samples[span.clone()]))
            };
            let start = place(noise_start, self.noise.len());
            let mut noise: Vec<f32> = self.noise.iter().cycle().skip(start).take(samples.len()).copied().collect();
            fade(&mut noise, rate.samples(FADE_S) as usize);
            let gain = signal / decibels_to_amplitude(snr_db) / root_mean_square(noise.iter()).max(1e-6);
            samples.iter_mut().zip(&noise).for_each(|(sample, noise)| *sample += gain * noise);
        }
        for sample in &mut samples {
            let normal: f32 = StandardNormal.sample(&mut rng);
            *sample += tone * normal;
        }
        Staged { samples, n_gap, words }
    }
}

/// The place that `share`, from 0 to 1, falls on among `n`.
fn place(share: f64, n: usize) -> usize {
    ((share * n as f64) as usize).min(n - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Range<usize> = 4_000..12_000;

    fn clip() -> EvalClip {
        // A word in near silence, as recorded by headset.
        let samples = (0..16_000).map(|i| if SPAN.contains(&i) { (i as f32 * 0.3).sin() * 0.1 } else { 0.0 }).collect();
        EvalClip { samples, words: vec![(0, SPAN)] }
    }

    fn noise() -> Vec<f32> {
        (0..50_000).map(|i| ((i * 7919) % 201) as f32 / 100.0 - 1.0).collect()
    }

    fn hear(condition: Condition, rooms: &RoomSet) -> Staged {
        let noise = noise();
        let stage = Stage { condition, noise: &noise, rooms: Some(rooms), seed: 5 };
        stage.hear(3, clip(), stage.reverberator().as_mut())
    }

    fn rooms() -> RoomSet {
        draw_rooms(&[], 1, &mut Vec::new())
    }

    #[test]
    fn the_word_stays_in_its_place_in_a_room_and_its_tail_is_heard_after_it() {
        let rooms = rooms();
        let dry = hear(Condition::CLEAN, &rooms);
        let wet = hear(Condition { room: Room::Reverberant, snr_db: None }, &rooms);
        assert_eq!(dry.words, wet.words);
        assert_eq!(wet.samples.len(), dry.samples.len() + 4_800);
        let span = dry.words[0].1.clone();
        let level = |staged: &Staged, range: Range<usize>| root_mean_square(staged.samples[range].iter());
        // The room tone is 1 % of the word at most in this draw.
        let before = span.start - 1_000..span.start - 10;
        let onset = span.start..span.start + 800;
        assert!(level(&wet, before) < 0.1 * level(&wet, onset), "nothing is heard before the direct sound");
        let after = span.end + 400..span.end + 1_200;
        assert!(level(&wet, after.clone()) > 3.0 * level(&dry, after));
    }

    #[test]
    fn the_signal_to_noise_ratio_is_that_over_the_reverberant_word() {
        let rooms = rooms();
        for room in [Room::Dry, Room::Reverberant] {
            let quiet = hear(Condition { room, snr_db: None }, &rooms);
            let noisy = hear(Condition { room, snr_db: Some(5.0) }, &rooms);
            let noise: Vec<f32> = noisy.samples.iter().zip(&quiet.samples).map(|(a, b)| a - b).collect();
            let word = root_mean_square(quiet.samples[quiet.words[0].1.clone()].iter());
            let snr_db = 20.0 * (word / root_mean_square(noise.iter())).log10();
            assert!((snr_db - 5.0).abs() < 0.2, "{room:?}: {snr_db} dB");
        }
    }

    #[test]
    fn the_seed_decides() {
        let stage = |seed| Stage { condition: Condition::CLEAN, noise: &[], rooms: None, seed };
        let hear = |seed, idx| stage(seed).hear(idx, clip(), None).samples;
        assert_eq!(hear(1, 0), hear(1, 0));
        assert_ne!(hear(1, 0), hear(2, 0));
        assert_ne!(hear(1, 0), hear(1, 1));
    }
}
