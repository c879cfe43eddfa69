//! Endless mixtures out of a bank, in the domain of linear mel power.

use std::ops::Range;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::bank::Bank;
use super::draw::{between, chance, shares, weighted};
use super::equalizer::colour;
use super::hard_negative::HardNegative;
use super::labels::{LabelWriter, PlacedWord, WordWindow};
use super::late_reverberation::LateReverberation;
use super::mix_config::MixConfig;
use super::plan::{Item, Picker};
use super::render::{Shape, add, gather, stretched_len};
use crate::units::{SampleRate, decibels_to_amplitude, decibels_to_power};

/// Other speech shorter than this is no use, in seconds; what would be cut shorter is left out.
const SHORTEST_SPEECH_S: f32 = 0.3;

/// A mixture and its labels; reused from one to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    /// Linear mel power `(n_frames, n_mels)`.
    pub frames: Vec<f32>,
    /// What the outputs are to be, 0 or 1, `(n_steps, n_words)`.
    pub targets: Vec<f32>,
    /// Whether they matter, 0 or 1, `(n_steps, n_words)`.
    pub weights: Vec<f32>,
    /// The words, in the order of their ends.
    pub words: Vec<WordWindow>,
    scratch: Scratch,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Scratch {
    source: Vec<f32>,
    gains: Vec<f32>,
}

/// Makes mixtures; shared by any number of threads.
#[derive(Debug, Clone)]
pub struct Mixer {
    bank: Arc<Bank>,
    config: MixConfig,
    n_frames: usize,
    n_steps: usize,
    n_words: usize,
    source_weights: Vec<f32>,
    hard_negatives: Vec<HardNegative>,
    /// For each word of the bank, the recordings it is drawn from.
    clips_of_word: Vec<Vec<usize>>,
    labeller: LabelWriter,
}

/// An item with its place and changes.
struct PlacedItem<'a> {
    item: Item<'a>,
    stretch: f32,
    start: usize,
}

impl PlacedItem<'_> {
    fn n_frames(&self) -> usize {
        stretched_len(self.item.n_frames(), self.stretch)
    }

    /// From the word's end to the item's, where it is a word.
    fn n_frames_after_word(&self) -> Option<usize> {
        let (_, word) = self.item.word.as_ref()?;
        Some(((self.item.n_frames() - word.end) as f32 * self.stretch) as usize)
    }
}

impl Mixer {
    /// A mixer for a network with an output every `frames_per_step` frames and `n_words` outputs, the first of which are the
    /// bank's words.
    ///
    /// # Panics
    /// When `config` is not valid, or `n_words` is less than the bank has.
    pub fn new(bank: Arc<Bank>, config: MixConfig, frames_per_step: usize, n_words: usize) -> Self {
        config.validate().expect("the bank was made with a valid configuration");
        assert!(n_words >= bank.words.len(), "{n_words} outputs for {} words", bank.words.len());
        let hop = bank.features.hop_length_samples;
        let n_frames = config.duration_ms.samples(SampleRate::MODEL) as usize / hop;
        let n_steps = n_frames / frames_per_step;
        let weight = |name: &str| config.source_weights.get(name).copied().unwrap_or(1.0);
        let mut source_weights: Vec<f32> =
            bank.sources.iter().map(|source| (source.n_frames as f32).sqrt() * weight(&source.name)).collect();
        if source_weights.iter().sum::<f32>() <= 0.0 {
            source_weights.fill(1.0);
        }
        Self {
            labeller: LabelWriter::new(&config.labels, hop, frames_per_step, n_words),
            n_frames: n_steps * frames_per_step,
            n_steps,
            n_words,
            source_weights,
            hard_negatives: Vec::new(),
            clips_of_word: bank.clips_of_word.iter().map(|clips| clips.clone().collect()).collect(),
            bank,
            config,
        }
    }

    /// Where the network was wrong; from now on such places are among the negatives. Places that the bank does not have are
    /// left out.
    pub fn set_hard_negatives(&mut self, mut hard_negatives: Vec<HardNegative>) {
        hard_negatives.retain(|place| {
            let clip = self.bank.negatives.get(place.clip_idx);
            clip.and_then(|clip| clip.variants.get(place.variant))
                .is_some_and(|frames| place.centre_frame < frames.len())
        });
        self.hard_negatives = hard_negatives;
    }

    /// From now on, words are drawn from these recordings of the bank's positives only, as in a training that is to be tested on
    /// the others.
    ///
    /// # Panics
    /// When a word is left without any.
    pub fn keep_clips(&mut self, is_kept: impl Fn(usize) -> bool) {
        for (word, clips) in self.bank.words.iter().zip(&mut self.clips_of_word) {
            clips.retain(|&clip_idx| is_kept(clip_idx));
            assert!(!clips.is_empty(), "no recording of \"{word}\" is kept");
        }
    }

    /// What it draws from.
    pub fn bank(&self) -> &Arc<Bank> {
        &self.bank
    }

    /// Frames of a mixture: whole outputs only.
    pub fn n_frames(&self) -> usize {
        self.n_frames
    }

    /// Outputs of a mixture.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// Words of an output.
    pub fn n_words(&self) -> usize {
        self.n_words
    }

    /// Makes the mixture of this seed.
    pub fn example(&self, seed: u64, out: &mut Example) {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let n_mels = self.bank.features.n_mels;
        out.frames.clear();
        out.frames.resize(self.n_frames * n_mels, 0.0);

        let is_noise_only = chance(self.config.noise_only_probability, &mut rng);
        let items = if is_noise_only { Vec::new() } else { self.placed_items(&mut rng) };
        let mut words = Vec::new();
        for placed in &items {
            self.add_item(placed, out, &mut rng);
            words.extend(placed_word(placed));
        }
        if !is_noise_only && chance(self.config.babble_probability, &mut rng) {
            self.add_babble(out, &mut rng);
        }
        if chance(self.config.room_probability, &mut rng) {
            self.add_room(out, &mut rng);
        }
        if chance(self.config.noise_probability, &mut rng) {
            self.add_noise(out, &mut rng);
        }
        self.set_level(out, &mut rng);
        self.add_floor(out, &mut rng);
        self.labeller.write(&words, self.n_steps, &mut out.targets, &mut out.weights);
        self.labeller.write_windows(&words, self.n_steps, &mut out.words);
    }

    /// Words first, so that long speech does not push them out; speech is cut to what is left. Then in random order, with
    /// random gaps.
    fn placed_items(&self, rng: &mut Pcg64Mcg) -> Vec<PlacedItem<'_>> {
        let frames_per_s = self.frames_per_s();
        let picker = self.picker();
        let mut items: Vec<PlacedItem> = Vec::new();
        // The network's state goes on into the next mixture, the labels do not: all outputs that belong to a word are in here.
        let n_after_word = self.labeller.n_frames_after_word().min(self.n_frames / 2);
        let mut n_free = self.n_frames - n_after_word;
        for _ in 0..weighted(&self.config.n_words_weights, rng) {
            let item = PlacedItem { item: picker.word(rng), stretch: self.stretch(rng), start: 0 };
            if item.n_frames() <= n_free {
                n_free -= item.n_frames();
                items.push(item);
            }
        }
        for _ in 0..weighted(&self.config.n_negatives_weights, rng) {
            let mut item = PlacedItem { item: picker.negative(rng), stretch: self.stretch(rng), start: 0 };
            if item.n_frames() > n_free {
                item.item.truncate((n_free as f32 / item.stretch) as usize);
            }
            if item.n_frames() <= n_free && item.n_frames() as f32 >= SHORTEST_SPEECH_S * frames_per_s {
                n_free -= item.n_frames();
                items.push(item);
            }
        }
        items.shuffle(rng);
        let n_reserved =
            items.last().and_then(PlacedItem::n_frames_after_word).map_or(0, |n| n_after_word.saturating_sub(n));
        let gaps = shares(n_free + n_after_word - n_reserved, items.len() + 1, self.config.gap_concentration, rng);
        let mut start = 0;
        for (item, gap) in items.iter_mut().zip(gaps) {
            item.start = start + gap;
            start = item.start + item.n_frames();
        }
        if chance(self.config.cut_word_probability, rng) {
            self.cut_last_word(&mut items, rng);
        }
        items
    }

    /// Moves the last item, if it is a word, so far back that the mixture ends inside the word.
    fn cut_last_word(&self, items: &mut [PlacedItem], rng: &mut Pcg64Mcg) {
        let Some(last) = items.last_mut() else { return };
        if let Some((_, word)) = &last.item.word {
            let inside = word.start as f32 + between([0.1, 0.9], rng) * word.len() as f32;
            last.start = self.n_frames.saturating_sub((inside * last.stretch) as usize);
        }
    }

    fn add_item(&self, placed: &PlacedItem, out: &mut Example, rng: &mut Pcg64Mcg) {
        let is_warped = chance(self.config.warp_probability, rng);
        let warp = between(self.config.warp, rng);
        let gain = decibels_to_power(between(self.config.item_gain_db, rng));
        self.colour_into(&mut out.scratch.gains, gain, self.config.item_equalizer_db, rng);
        gather(&placed.item.pieces, &mut out.scratch.source);
        let n_mels = self.bank.features.n_mels;
        let shape =
            Shape { stretch: placed.stretch, warp: if is_warped { warp } else { 1.0 }, gains: &out.scratch.gains };
        let start = placed.start.min(self.n_frames) * n_mels;
        add(&out.scratch.source, shape, n_mels, &mut out.frames[start..]);
    }

    fn add_babble(&self, out: &mut Example, rng: &mut Pcg64Mcg) {
        let item = self.picker().speech(self.n_frames, false, rng);
        let gain = decibels_to_power(-between(self.config.babble_below_db, rng));
        self.colour_into(&mut out.scratch.gains, gain, self.config.item_equalizer_db, rng);
        self.add_throughout(&item, out);
    }

    fn add_room(&self, out: &mut Example, rng: &mut Pcg64Mcg) {
        let room = LateReverberation {
            decay_frames: between(self.config.room_decay_s, rng) * self.frames_per_s(),
            damping: between([0.0, 0.6], rng),
            tail_power: decibels_to_power(-between(self.config.room_direct_db, rng)),
        };
        room.add(&mut out.frames, self.bank.features.n_mels, &mut out.scratch.gains);
    }

    /// The colouring changes the noise's spectrum and not its power, so that the ratio is the one drawn.
    fn add_noise(&self, out: &mut Example, rng: &mut Pcg64Mcg) {
        let item = self.noise(0..self.bank.noises.len(), rng);
        let snr = decibels_to_power(-between(self.config.snr_db, rng));
        let Scratch { source, gains } = &mut out.scratch;
        self.colour_into(gains, 1.0, self.config.noise_equalizer_db, rng);
        gather(&item.pieces, source);
        let (mut before, mut after) = (0.0, 0.0);
        for frame in source.chunks_exact(gains.len()) {
            for (power, gain) in frame.iter().zip(gains.iter()) {
                before += power;
                after += power * gain;
            }
        }
        let scale = snr * if after > 0.0 { before / after } else { 1.0 };
        gains.iter_mut().for_each(|gain| *gain *= scale);
        self.add_throughout(&item, out);
    }

    /// The microphone: colours everything and sets the level.
    fn set_level(&self, out: &mut Example, rng: &mut Pcg64Mcg) {
        let level = decibels_to_amplitude(between(self.config.level_dbfs, rng)) / self.bank.rms;
        let gains = &mut out.scratch.gains;
        self.colour_into(gains, level * level, self.config.mix_equalizer_db, rng);
        for frame in out.frames.chunks_exact_mut(gains.len()) {
            frame.iter_mut().zip(gains.iter()).for_each(|(power, gain)| *power *= gain);
        }
    }

    /// The recorder's own noise.
    fn add_floor(&self, out: &mut Example, rng: &mut Pcg64Mcg) {
        let item = self.noise(self.bank.white_noises.clone(), rng);
        let level = decibels_to_amplitude(between(self.config.floor_dbfs, rng)) / self.bank.rms;
        self.colour_into(&mut out.scratch.gains, level * level, self.config.floor_equalizer_db, rng);
        self.add_throughout(&item, out);
    }

    fn noise(&self, clips: Range<usize>, rng: &mut Pcg64Mcg) -> Item<'_> {
        self.picker().noise(clips, self.n_frames, rng)
    }

    /// Adds an item from the first frame on, with the gains in the scratch.
    fn add_throughout(&self, item: &Item, out: &mut Example) {
        let Scratch { source, gains } = &mut out.scratch;
        gather(&item.pieces, source);
        for (frame, power) in out.frames.chunks_exact_mut(gains.len()).zip(source.chunks_exact(gains.len())) {
            for ((sum, power), gain) in frame.iter_mut().zip(power).zip(gains.iter()) {
                *sum += power * gain;
            }
        }
    }

    fn picker(&self) -> Picker<'_> {
        Picker {
            bank: &self.bank,
            config: &self.config,
            source_weights: &self.source_weights,
            hard_negatives: &self.hard_negatives,
            clips_of_word: &self.clips_of_word,
            frames_per_s: self.frames_per_s(),
        }
    }

    fn colour_into(&self, gains: &mut Vec<f32>, gain: f32, strength_db: f32, rng: &mut Pcg64Mcg) {
        gains.clear();
        gains.resize(self.bank.features.n_mels, gain);
        colour(&self.config.equalizer, strength_db, &self.bank.band_centres_hz, gains, rng);
    }

    fn stretch(&self, rng: &mut Pcg64Mcg) -> f32 {
        let stretch = between(self.config.stretch, rng);
        if chance(self.config.stretch_probability, rng) { stretch } else { 1.0 }
    }

    fn frames_per_s(&self) -> f32 {
        SampleRate::MODEL.hz() as f32 / self.bank.features.hop_length_samples as f32
    }
}

fn placed_word(placed: &PlacedItem) -> Option<PlacedWord> {
    let (word_idx, word) = placed.item.word.as_ref()?;
    let frame = |frame: usize| placed.start as f32 + frame as f32 * placed.stretch;
    Some(PlacedWord { word_idx: *word_idx, frames: frame(word.start)..frame(word.end) })
}
