//! How recordings become variants.

use serde::{Deserialize, Serialize};

use super::{DatasetError, RoomConfig};
use crate::units::Milliseconds;

/// The variants that are made of every recording, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BankConfig {
    /// Root mean square that words, the louder half of other speech, and noise are scaled to; full scale is 1.
    pub rms: f32,
    /// What is kept of a recording before and after the word at most; the mixer cuts it further, each time elsewhere.
    pub margin_ms: Milliseconds,
    /// What is kept of a room's tail after that.
    pub tail_ms: Milliseconds,
    /// Edges are faded in and out over this time, so that a cut is no click.
    pub fade_ms: Milliseconds,
    /// Variants of a word at another speed, beside the recording as it is.
    pub n_speed_variants: usize,
    /// Variants of a word at another speed and in a room.
    pub n_room_variants: usize,
    /// Lowest and highest speed, and with it pitch, of words.
    pub word_speed: [f64; 2],
    /// Variants of other speech at another speed and in a room, beside the recording as it is.
    pub n_negative_variants: usize,
    /// Lowest and highest speed, and with it pitch, of other speech.
    pub negative_speed: [f64; 2],
    /// How many clips of white noise are made.
    pub n_white_noises: usize,
    /// Length of each, in seconds.
    pub white_noise_s: f64,
    /// The rooms.
    pub rooms: RoomConfig,
}

impl Default for BankConfig {
    fn default() -> Self {
        Self {
            rms: 0.05,
            margin_ms: Milliseconds(800),
            tail_ms: Milliseconds(250),
            fade_ms: Milliseconds(10),
            n_speed_variants: 3,
            n_room_variants: 6,
            word_speed: [0.9, 1.1],
            n_negative_variants: 1,
            negative_speed: [0.88, 1.12],
            n_white_noises: 6,
            white_noise_s: 30.0,
            rooms: RoomConfig::default(),
        }
    }
}

impl BankConfig {
    /// Checks every key against its range.
    ///
    /// # Errors
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), DatasetError> {
        let check = |ok: bool, key, found: &dyn std::fmt::Debug, expected| {
            if ok { Ok(()) } else { Err(DatasetError::Config { key, found: format!("{found:?}"), expected }) }
        };
        let ordered =
            |range: &[f64; 2], low: f64, high: f64| low <= range[0] && range[0] <= range[1] && range[1] <= high;
        let rooms = &self.rooms;
        check(self.rms > 0.0 && self.rms <= 1.0, "mix.bank.rms", &self.rms, "above 0 and at most 1")?;
        check(
            ordered(&self.word_speed, 0.5, 2.0),
            "mix.bank.word_speed",
            &self.word_speed,
            "two numbers from 0.5 to 2, in order",
        )?;
        check(
            ordered(&self.negative_speed, 0.5, 2.0),
            "mix.bank.negative_speed",
            &self.negative_speed,
            "two numbers from 0.5 to 2, in order",
        )?;
        check(self.n_white_noises > 0, "mix.bank.n_white_noises", &self.n_white_noises, "at least 1")?;
        check(
            (1.0..=3600.0).contains(&self.white_noise_s),
            "mix.bank.white_noise_s",
            &self.white_noise_s,
            "1 to 3600 seconds",
        )?;
        check(
            rooms.n_rooms > 0 || self.n_room_variants + self.n_negative_variants == 0,
            "mix.bank.rooms.n_rooms",
            &rooms.n_rooms,
            "at least 1, or no variants in rooms",
        )?;
        for (key, range) in [
            ("mix.bank.rooms.length_m", &rooms.length_m),
            ("mix.bank.rooms.width_m", &rooms.width_m),
            ("mix.bank.rooms.height_m", &rooms.height_m),
        ] {
            check(ordered(range, 1.5, 100.0), key, range, "two numbers from 1.5 to 100, in order")?;
        }
        check(
            ordered(&rooms.reverberation_s, 0.05, 5.0),
            "mix.bank.rooms.reverberation_s",
            &rooms.reverberation_s,
            "two numbers from 0.05 to 5, in order",
        )?;
        check(
            rooms.absorption_max > 0.0 && rooms.absorption_max < 1.0,
            "mix.bank.rooms.absorption_max",
            &rooms.absorption_max,
            "between 0 and 1",
        )?;
        // Nearer than the smallest room is wide, or no place is ever found.
        check(
            ordered(&rooms.distance_m, 0.05, 50.0) && rooms.distance_m[0] <= 1.0,
            "mix.bank.rooms.distance_m",
            &rooms.distance_m,
            "two numbers from 0.05 to 50, in order, the first at most 1",
        )?;
        check(
            (0.01..=2.0).contains(&rooms.response_s),
            "mix.bank.rooms.response_s",
            &rooms.response_s,
            "0.01 to 2 seconds",
        )?;
        check(
            (0.0..=1.0).contains(&rooms.flip_probability),
            "mix.bank.rooms.flip_probability",
            &rooms.flip_probability,
            "0 to 1",
        )
    }
}
