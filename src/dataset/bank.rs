//! Every recording in every variant, as linear mel power in memory; made once, read by the mixer ever after.

use std::ops::Range;
use std::path::Path;

use super::frames::Frames;
use super::inventory::MIN_CLIPS_PER_WORD;
use super::material::{NegativeClip, Source, WordClip};
use super::reverberation::RoomSet;
use super::seed::generator;
use super::variants::VariantMaker;
use super::{BankConfig, DatasetError, Inventory, MixConfig, RoomConfig, SkipReason, SkippedFile};
use crate::features::{FeatureConfig, MelFilterbank};
use crate::parallel;
use crate::units::Milliseconds;

/// A word that lasts longer than the median of its recordings by this factor is not trusted. Slow speech is about 1.4 times
/// as long as the usual.
const OVERLONG: f64 = 1.75;

/// Everything the mixer draws from.
#[derive(Debug, Clone, PartialEq)]
pub struct Bank {
    /// The wake words.
    pub words: Vec<String>,
    /// Recordings of them, sorted by word.
    pub positives: Vec<WordClip>,
    /// For each word, its recordings in `positives`.
    pub clips_of_word: Vec<Range<usize>>,
    /// Other recordings, sorted by source.
    pub negatives: Vec<NegativeClip>,
    /// Their sources.
    pub sources: Vec<Source>,
    /// Noises, white noise last.
    pub noises: Vec<Frames>,
    /// The white ones among the noises.
    pub white_noises: Range<usize>,
    /// Root mean square that everything was scaled to.
    pub rms: f32,
    /// The features that the frames can become.
    pub features: FeatureConfig,
    /// Centre of gravity of each mel band, in hertz.
    pub band_centres_hz: Vec<f32>,
}

impl Bank {
    /// Reads every recording and makes its variants, on all cores; also names the files that cannot be used, those of the
    /// inventory included. The result does not depend on the number of cores. `progress(done, total)` is called on this
    /// thread after every file.
    ///
    /// # Errors
    /// When a word has fewer than [`MIN_CLIPS_PER_WORD`] usable recordings, no negative can be used, or `config` is out of range.
    pub fn build(
        inventory: &Inventory,
        features: &FeatureConfig,
        config: &MixConfig,
        seed: u64,
        progress: &dyn Fn(usize, usize),
    ) -> Result<(Self, Vec<SkippedFile>), DatasetError> {
        Self::build_on(parallel::n_cores(), inventory, features, config, seed, progress)
    }

    /// The same on a given number of threads.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_on(
        n_threads: usize,
        inventory: &Inventory,
        features: &FeatureConfig,
        config: &MixConfig,
        seed: u64,
        progress: &dyn Fn(usize, usize),
    ) -> Result<(Self, Vec<SkippedFile>), DatasetError> {
        config.validate()?;
        let config = &config.bank;
        let mut skipped = inventory.skipped.clone();
        let rooms = if config.n_room_variants + config.n_negative_variants > 0 {
            let mut rooms = RoomSet::draw(&config.rooms, &[seed, purpose::ROOM], n_threads);
            rooms.add_recorded(&inventory.rooms, &mut skipped);
            rooms
        } else {
            RoomSet::draw(&RoomConfig { n_rooms: 0, ..config.rooms.clone() }, &[], 1)
        };
        let jobs = list_jobs(inventory, config);
        let makers = || VariantMaker::new(config, features, &rooms);
        let products = parallel::map("tw-bank", &jobs, n_threads, makers, |maker, job| job.run(maker, seed), progress);

        let mut bank = Self::empty(inventory, features, config);
        for (job, product) in jobs.iter().zip(products) {
            match product {
                Ok(product) => bank.take(job, product),
                Err(reason) => skipped.push(SkippedFile::new(job.path(), reason)),
            }
        }
        bank.index_words();
        bank.drop_overlong(&mut skipped);
        bank.index_words();
        bank.check(inventory, &skipped)?;
        Ok((bank, skipped))
    }

    /// Recordings of a word.
    pub fn n_clips(&self, word_idx: usize) -> usize {
        self.clips_of_word[word_idx].len()
    }

    /// How long each recording of a word lasts from the word's start to its end, in samples, to the nearest hop.
    pub fn word_durations_samples(&self, word_idx: usize) -> Vec<u64> {
        let hop = self.features.hop_length_samples;
        let clips = &self.positives[self.clips_of_word[word_idx].clone()];
        clips.iter().map(|clip| (clip.variants[0].word.len() * hop) as u64).collect()
    }

    /// Memory that the frames hold, in bytes.
    pub fn n_bytes(&self) -> usize {
        let words = self.positives.iter().flat_map(|clip| clip.variants.iter().map(|variant| &variant.frames));
        let negatives = self.negatives.iter().flat_map(|clip| &clip.variants);
        words.chain(negatives).chain(&self.noises).map(Frames::n_bytes).sum()
    }

    /// Hours of recordings without a wake word, each counted once.
    pub fn negative_hours(&self) -> f64 {
        let n_frames: usize = self.sources.iter().map(|source| source.n_frames).sum();
        let n_samples = (n_frames * self.features.hop_length_samples) as u64;
        self.features.sample_rate().seconds(n_samples) / 3600.0
    }

    fn empty(inventory: &Inventory, features: &FeatureConfig, config: &BankConfig) -> Self {
        Self {
            words: inventory.words.clone(),
            positives: Vec::new(),
            clips_of_word: Vec::new(),
            negatives: Vec::new(),
            sources: Vec::new(),
            noises: Vec::new(),
            white_noises: 0..0,
            rms: config.rms,
            features: features.clone(),
            band_centres_hz: band_centres_hz(features),
        }
    }

    /// Products arrive in the order of the jobs: words, negatives by source, noises, white noises.
    fn take(&mut self, job: &Job, product: Product) {
        match product {
            Product::Word(clip) => self.positives.push(clip),
            Product::Negative(variants) => {
                let Job::Negative { path, source, .. } = job else { unreachable!("negatives come of negative jobs") };
                if self.sources.last().is_none_or(|last| last.name != *source) {
                    let clips = self.negatives.len()..self.negatives.len();
                    self.sources.push(Source { name: (*source).to_owned(), clips, n_frames: 0 });
                }
                let last = self.sources.last_mut().expect("one was pushed if there was none");
                last.clips.end += 1;
                last.n_frames += variants[0].len();
                self.negatives.push(NegativeClip { path: path.to_path_buf(), variants });
            }
            Product::Noise(frames) => self.noises.push(frames),
            Product::WhiteNoise(frames) => {
                if self.white_noises.is_empty() {
                    self.white_noises = self.noises.len()..self.noises.len();
                }
                self.white_noises.end += 1;
                self.noises.push(frames);
            }
        }
    }

    /// Drops recordings in which the word seems to last far longer than in the others. There is more in them than the word, and
    /// a label after a wrong end teaches the network to wake late or to anything.
    fn drop_overlong(&mut self, skipped: &mut Vec<SkippedFile>) {
        let rate = self.features.sample_rate();
        let medians: Vec<u64> = (0..self.words.len())
            .map(|word_idx| {
                let mut durations = self.word_durations_samples(word_idx);
                durations.sort_unstable();
                durations.get(durations.len() / 2).copied().unwrap_or(0)
            })
            .collect();
        let hop = self.features.hop_length_samples as u64;
        self.positives.retain(|clip| {
            let found = clip.variants[0].word.len() as u64 * hop;
            let median = medians[clip.word_idx];
            let is_kept = clip.is_labelled || found as f64 <= OVERLONG * median as f64;
            if !is_kept {
                let milliseconds = |samples| Milliseconds::from_samples(samples, rate).0;
                let (found_ms, median_ms) = (milliseconds(found), milliseconds(median));
                skipped.push(SkippedFile::new(&clip.path, SkipReason::TooLong { found_ms, median_ms }));
            }
            is_kept
        });
    }

    fn index_words(&mut self) {
        let first = |word_idx: usize| self.positives.partition_point(|clip| clip.word_idx < word_idx);
        self.clips_of_word = (0..self.words.len()).map(|word_idx| first(word_idx)..first(word_idx + 1)).collect();
    }

    fn check(&self, inventory: &Inventory, skipped: &[SkippedFile]) -> Result<(), DatasetError> {
        for (word_idx, clips) in self.clips_of_word.iter().enumerate() {
            if clips.len() < MIN_CLIPS_PER_WORD {
                return Err(DatasetError::TooFewPositives {
                    word: self.words[word_idx].clone(),
                    folder: inventory.positive_folder(word_idx),
                    found: clips.len(),
                    expected: MIN_CLIPS_PER_WORD,
                    skipped: skipped.to_vec(),
                });
            }
        }
        if self.negatives.is_empty() {
            return Err(DatasetError::NoNegatives { folder: inventory.negative_folder(), skipped: skipped.to_vec() });
        }
        Ok(())
    }
}

/// What a thread is to make.
enum Job<'a> {
    Word(usize, &'a super::PositiveFile),
    Negative { idx: usize, path: &'a Path, source: &'a str },
    Noise(&'a Path),
    WhiteNoise(usize),
}

/// What it has made.
enum Product {
    Word(WordClip),
    Negative(Vec<Frames>),
    Noise(Frames),
    WhiteNoise(Frames),
}

/// Purposes of random numbers, the second part of every seed.
mod purpose {
    pub(super) const WORD: u64 = 1;
    pub(super) const NEGATIVE: u64 = 2;
    pub(super) const WHITE_NOISE: u64 = 3;
    pub(super) const ROOM: u64 = 4;
}

impl Job<'_> {
    fn run(&self, maker: &mut VariantMaker, seed: u64) -> Result<Product, SkipReason> {
        match *self {
            Job::Word(idx, file) => {
                maker.word(file, &mut generator(&[seed, purpose::WORD, idx as u64])).map(Product::Word)
            }
            Job::Negative { idx, path, .. } => {
                maker.negative(path, &mut generator(&[seed, purpose::NEGATIVE, idx as u64])).map(Product::Negative)
            }
            Job::Noise(path) => maker.noise(path).map(Product::Noise),
            Job::WhiteNoise(idx) => {
                let mut rng = generator(&[seed, purpose::WHITE_NOISE, idx as u64]);
                Ok(Product::WhiteNoise(maker.white_noise(&mut rng)))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Job::Word(_, file) => &file.path,
            Job::Negative { path, .. } | Job::Noise(path) => path,
            Job::WhiteNoise(_) => Path::new("white noise"),
        }
    }
}

fn list_jobs<'a>(inventory: &'a Inventory, config: &BankConfig) -> Vec<Job<'a>> {
    let words = inventory.positives.iter().enumerate().map(|(idx, file)| Job::Word(idx, file));
    let negatives = inventory.negatives.iter().enumerate().map(|(idx, file)| Job::Negative {
        idx,
        path: &file.path,
        source: &file.source,
    });
    let noises = inventory.noises.iter().map(|file| Job::Noise(&file.path));
    let white = (0..config.n_white_noises).map(Job::WhiteNoise);
    words.chain(negatives).chain(noises).chain(white).collect()
}

fn band_centres_hz(features: &FeatureConfig) -> Vec<f32> {
    let filterbank = MelFilterbank::new(features);
    let bin_hz = features.sample_rate_hz as f32 / features.n_fft as f32;
    let (mut weights, mut moments) = (vec![0.0; features.n_mels], vec![0.0; features.n_mels]);
    filterbank.apply(&vec![1.0; filterbank.n_bins()], &mut weights);
    let bin_centres: Vec<f32> = (0..filterbank.n_bins()).map(|bin| bin as f32 * bin_hz).collect();
    filterbank.apply(&bin_centres, &mut moments);
    moments.iter().zip(&weights).map(|(moment, weight)| moment / weight).collect()
}
