//! How mixtures are made: every number of the recipe, with its unit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BankConfig, DatasetError};
use crate::units::Milliseconds;

/// What one mixture may hold and how likely it does. Ranges are drawn from evenly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixConfig {
    /// Length of a mixture.
    pub duration_ms: Milliseconds,
    /// Weights of 0, 1, 2... wake words in a mixture.
    pub n_words_weights: Vec<f32>,
    /// Weights of 0, 1, 2... stretches of other speech.
    pub n_negatives_weights: Vec<f32>,
    /// Concentration of the Dirichlet distribution that shares out free time among the gaps; below 1, many gaps are nearly 0.
    pub gap_concentration: f32,
    /// Probability that there is neither a word nor other speech.
    pub noise_only_probability: f32,
    /// Probability that the last word of a mixture is cut off by its end.
    pub cut_word_probability: f32,
    /// What is kept of a recording before and after the word, in seconds, as far as the bank has it. Drawn anew each time: a cut
    /// at a fixed time after the word would be a sign of the word.
    pub word_margin_s: [f32; 2],
    /// Probability that a stretch of other speech is a rearranged piece of a wake word.
    pub partial_word_probability: f32,
    /// Probability that it surrounds a place where the network was wrong, if such are known.
    pub hard_negative_probability: f32,
    /// Length of such a stretch, in seconds.
    pub hard_negative_s: [f32; 2],
    /// Ranges of the length of other stretches, in seconds; each is as likely.
    pub negative_s: Vec<[f32; 2]>,
    /// Probability that a stretch ends with its file and does not run on into the next one.
    pub stop_at_file_end_probability: f32,
    /// Sources are drawn by the root of their hours, times this factor if they are named here.
    pub source_weights: BTreeMap<String, f32>,
    /// Probability that an item is stretched in time.
    pub stretch_probability: f32,
    /// Factor of its length.
    pub stretch: [f32; 2],
    /// Probability that an item's mel axis is warped, as by a longer or shorter vocal tract.
    pub warp_probability: f32,
    /// Factor of the mel axis.
    pub warp: [f32; 2],
    /// Gain of an item, in decibels.
    pub item_gain_db: [f32; 2],
    /// Strength of an item's colouring, in decibels.
    pub item_equalizer_db: f32,
    /// Probability of other speech under everything.
    pub babble_probability: f32,
    /// How far below the words it lies, in decibels.
    pub babble_below_db: [f32; 2],
    /// Probability that all that is said in a mixture is followed by a room's tail.
    pub room_probability: f32,
    /// Time in which that tail falls by 60 dB, in seconds.
    pub room_decay_s: [f32; 2],
    /// Sound that arrives at once over the tail's sum, in decibels.
    pub room_direct_db: [f32; 2],
    /// Probability of noise.
    pub noise_probability: f32,
    /// Level of a word without gain over the noise, in decibels.
    pub snr_db: [f32; 2],
    /// Strength of the noise's colouring, in decibels.
    pub noise_equalizer_db: f32,
    /// Strength of the microphone's colouring of everything, in decibels.
    pub mix_equalizer_db: f32,
    /// Level of a word without gain, in dBFS.
    pub level_dbfs: [f32; 2],
    /// Level of the recorder's own white noise, in dBFS.
    pub floor_dbfs: [f32; 2],
    /// Strength of that noise's colouring, in decibels.
    pub floor_equalizer_db: f32,
    /// The colourings' filters.
    pub equalizer: EqualizerConfig,
    /// Which outputs are to hear the word.
    pub labels: LabelConfig,
    /// The variants that are made of every recording beforehand.
    pub bank: BankConfig,
}

/// Filters that a colouring may have beside its curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqualizerConfig {
    /// Probability of a low-pass.
    pub low_pass_probability: f32,
    /// Its corner, in hertz.
    pub low_pass_hz: [f32; 2],
    /// Its slope, in decibels an octave.
    pub low_pass_db_per_octave: [f32; 2],
    /// Probability of a high-pass.
    pub high_pass_probability: f32,
    /// Its corner, in hertz.
    pub high_pass_hz: [f32; 2],
    /// Its slope, in decibels an octave.
    pub high_pass_db_per_octave: [f32; 2],
}

/// Which outputs are to hear the word, in audio time around its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelConfig {
    /// From the word's end on, so long the output is to be 1.
    pub positive_ms: Milliseconds,
    /// So long before that, the output does not matter.
    pub ignore_before_ms: Milliseconds,
    /// So long after it, the output does not matter.
    pub ignore_after_ms: Milliseconds,
}

impl Default for MixConfig {
    fn default() -> Self {
        Self {
            duration_ms: Milliseconds(6000),
            n_words_weights: vec![0.12, 0.33, 0.35, 0.15, 0.05],
            n_negatives_weights: vec![0.2, 0.5, 0.2, 0.1],
            gap_concentration: 0.6,
            noise_only_probability: 0.05,
            cut_word_probability: 0.0,
            word_margin_s: [0.05, 0.8],
            partial_word_probability: 0.15,
            hard_negative_probability: 0.3,
            hard_negative_s: [1.5, 3.5],
            negative_s: vec![[0.6, 2.0], [2.0, 5.0], [5.0, 10.0]],
            stop_at_file_end_probability: 0.3,
            source_weights: BTreeMap::new(),
            stretch_probability: 0.5,
            stretch: [0.85, 1.18],
            warp_probability: 0.5,
            warp: [0.9, 1.1],
            item_gain_db: [-5.0, 5.0],
            item_equalizer_db: 3.0,
            babble_probability: 0.15,
            babble_below_db: [6.0, 20.0],
            room_probability: 0.0,
            room_decay_s: [0.15, 0.9],
            room_direct_db: [-3.0, 15.0],
            noise_probability: 0.85,
            snr_db: [-5.0, 25.0],
            noise_equalizer_db: 4.0,
            mix_equalizer_db: 6.0,
            level_dbfs: [-50.0, -14.0],
            floor_dbfs: [-90.0, -55.0],
            floor_equalizer_db: 6.0,
            equalizer: EqualizerConfig::default(),
            labels: LabelConfig::default(),
            bank: BankConfig::default(),
        }
    }
}

impl Default for EqualizerConfig {
    fn default() -> Self {
        Self {
            low_pass_probability: 0.12,
            low_pass_hz: [2800.0, 5500.0],
            low_pass_db_per_octave: [30.0, 90.0],
            high_pass_probability: 0.2,
            high_pass_hz: [100.0, 350.0],
            high_pass_db_per_octave: [6.0, 24.0],
        }
    }
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self { positive_ms: Milliseconds(320), ignore_before_ms: Milliseconds(160), ignore_after_ms: Milliseconds(400) }
    }
}

impl MixConfig {
    /// Length of a mixture in seconds.
    pub fn duration_s(&self) -> f64 {
        self.duration_ms.seconds()
    }

    /// Checks every key against its range.
    ///
    /// # Errors
    /// Names the first key that is out of range, with what was found and what is possible.
    pub fn validate(&self) -> Result<(), DatasetError> {
        let eq = &self.equalizer;
        for (key, probability) in [
            ("mix.noise_only_probability", self.noise_only_probability),
            ("mix.cut_word_probability", self.cut_word_probability),
            ("mix.partial_word_probability", self.partial_word_probability),
            ("mix.hard_negative_probability", self.hard_negative_probability),
            ("mix.stop_at_file_end_probability", self.stop_at_file_end_probability),
            ("mix.stretch_probability", self.stretch_probability),
            ("mix.warp_probability", self.warp_probability),
            ("mix.babble_probability", self.babble_probability),
            ("mix.room_probability", self.room_probability),
            ("mix.noise_probability", self.noise_probability),
            ("mix.equalizer.low_pass_probability", eq.low_pass_probability),
            ("mix.equalizer.high_pass_probability", eq.high_pass_probability),
        ] {
            check((0.0..=1.0).contains(&probability), key, &probability, "0 to 1")?;
        }
        for (key, range) in [("mix.stretch", self.stretch), ("mix.warp", self.warp)] {
            check(ordered(range, 0.25, 4.0), key, &range, "two numbers from 0.25 to 4, in order")?;
        }
        for (key, range) in [
            ("mix.item_gain_db", self.item_gain_db),
            ("mix.babble_below_db", self.babble_below_db),
            ("mix.room_direct_db", self.room_direct_db),
            ("mix.snr_db", self.snr_db),
            ("mix.level_dbfs", self.level_dbfs),
            ("mix.floor_dbfs", self.floor_dbfs),
            ("mix.equalizer.low_pass_db_per_octave", eq.low_pass_db_per_octave),
            ("mix.equalizer.high_pass_db_per_octave", eq.high_pass_db_per_octave),
        ] {
            check(ordered(range, -150.0, 150.0), key, &range, "two numbers of decibels from -150 to 150, in order")?;
        }
        for (key, range) in
            [("mix.equalizer.low_pass_hz", eq.low_pass_hz), ("mix.equalizer.high_pass_hz", eq.high_pass_hz)]
        {
            check(ordered(range, 1.0, 24_000.0), key, &range, "two numbers of hertz from 1 to 24000, in order")?;
        }
        let margin = self.word_margin_s;
        check(ordered(margin, 0.0, 60.0), "mix.word_margin_s", &margin, "two numbers from 0 to 60, in order")?;
        let decay = self.room_decay_s;
        check(ordered(decay, 0.01, 20.0), "mix.room_decay_s", &decay, "two numbers from 0.01 to 20, in order")?;
        for (key, decibels) in [
            ("mix.item_equalizer_db", self.item_equalizer_db),
            ("mix.noise_equalizer_db", self.noise_equalizer_db),
            ("mix.mix_equalizer_db", self.mix_equalizer_db),
            ("mix.floor_equalizer_db", self.floor_equalizer_db),
        ] {
            check((0.0..=40.0).contains(&decibels), key, &decibels, "0 to 40 decibels")?;
        }
        for (key, weights) in
            [("mix.n_words_weights", &self.n_words_weights), ("mix.n_negatives_weights", &self.n_negatives_weights)]
        {
            let is_usable = weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite())
                && weights.iter().sum::<f32>() > 0.0
                && weights.len() <= 20;
            check(is_usable, key, weights, "1 to 20 weights of at least 0, not all 0")?;
        }
        const LENGTHS: &str = "two numbers of seconds from 0.1 to 3600, in order";
        check(!self.negative_s.is_empty(), "mix.negative_s", &self.negative_s, "at least one range")?;
        for range in self.negative_s.iter().chain([&self.hard_negative_s]) {
            check(ordered(*range, 0.1, 3600.0), "mix.negative_s or mix.hard_negative_s", range, LENGTHS)?;
        }
        let are_usable = self.source_weights.values().all(|weight| *weight >= 0.0 && weight.is_finite());
        check(are_usable, "mix.source_weights", &self.source_weights, "factors of at least 0")?;
        let concentration = self.gap_concentration;
        check((0.01..=100.0).contains(&concentration), "mix.gap_concentration", &concentration, "0.01 to 100")?;
        let duration_ms = self.duration_ms.0;
        check((500..=600_000).contains(&duration_ms), "mix.duration_ms", &duration_ms, "500 to 600000")?;
        check(self.labels.positive_ms.0 > 0, "mix.labels.positive_ms", &self.labels.positive_ms.0, "at least 1")?;
        self.bank.validate()
    }
}

fn check(
    is_ok: bool,
    key: &'static str,
    found: &dyn std::fmt::Debug,
    expected: &'static str,
) -> Result<(), DatasetError> {
    if is_ok { Ok(()) } else { Err(DatasetError::Config { key, found: format!("{found:?}"), expected }) }
}

fn ordered(range: [f32; 2], low: f32, high: f32) -> bool {
    low <= range[0] && range[0] <= range[1] && range[1] <= high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        MixConfig::default().validate().unwrap();
    }

    #[test]
    fn a_key_out_of_range_is_named() {
        let config = MixConfig { snr_db: [10.0, -10.0], ..MixConfig::default() };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("mix.snr_db is [10.0, -10.0]") && message.contains("in order"), "{message}");
    }
}
