//! What goes into a mixture: words, other speech, pieces of words, places where the network was wrong.

use std::ops::Range;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::bank::Bank;
use super::draw::{between, chance, weighted};
use super::frames::Frames;
use super::hard_negative::HardNegative;
use super::material::WordVariant;
use super::mix_config::MixConfig;
use super::render::Piece;

/// One thing in a mixture, before it is stretched.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// The wake word in it and its frames.
    pub(super) word: Option<(usize, Range<usize>)>,
}

impl Item<'_> {
    pub(super) fn n_frames(&self) -> usize {
        self.pieces.iter().map(|piece| piece.range.len()).sum()
    }

    /// Drops what lies beyond `n_frames`.
    pub(super) fn truncate(&mut self, n_frames: usize) {
        let mut n_left = n_frames;
        for piece in &mut self.pieces {
            let n_kept = piece.range.len().min(n_left);
            piece.range.end = piece.range.start + n_kept;
            n_left -= n_kept;
        }
        self.pieces.retain(|piece| !piece.range.is_empty());
    }
}

/// Draws items from a bank.
pub(super) struct Picker<'a> {
    pub(super) bank: &'a Bank,
    pub(super) config: &'a MixConfig,
    pub(super) source_weights: &'a [f32],
    pub(super) hard_negatives: &'a [HardNegative],
    pub(super) clips_of_word: &'a [Vec<usize>],
    pub(super) frames_per_s: f32,
}

impl<'a> Picker<'a> {
    /// A recording of a wake word, any word as likely as any other.
    pub(super) fn word(&self, rng: &mut Pcg64Mcg) -> Item<'a> {
        let (word_idx, WordVariant { frames, word }) = self.word_variant(rng);
        let range = self.with_margins(frames, word, rng);
        let word = word.start - range.start..word.end - range.start;
        Item { pieces: vec![Piece { frames, range }], word: Some((word_idx, word)) }
    }

    /// Something that is no wake word.
    pub(super) fn negative(&self, rng: &mut Pcg64Mcg) -> Item<'a> {
        if !self.hard_negatives.is_empty() && chance(self.config.hard_negative_probability, rng) {
            return self.hard_negative(rng);
        }
        if chance(self.config.partial_word_probability, rng) {
            return self.partial_word(rng);
        }
        let range = self.config.negative_s[rng.random_range(0..self.config.negative_s.len())];
        let n_frames = (between(range, rng) * self.frames_per_s) as usize;
        let stops_at_file_end = chance(self.config.stop_at_file_end_probability, rng);
        self.speech(n_frames.max(1), stops_at_file_end, rng)
    }

    /// Other speech from a random place on, through as many files of its source as it takes.
    pub(super) fn speech(&self, n_frames: usize, stops_at_file_end: bool, rng: &mut Pcg64Mcg) -> Item<'a> {
        let source = &self.bank.sources[weighted(self.source_weights, rng)];
        let mut clip_idx = rng.random_range(source.clips.clone());
        let variant_idx = rng.random_range(0..self.bank.negatives[clip_idx].variants.len());
        let frames = &self.bank.negatives[clip_idx].variants[variant_idx];
        let mut pieces = Vec::new();
        let mut start = rng.random_range(0..frames.len());
        let mut n_left = n_frames;
        loop {
            let frames = &self.bank.negatives[clip_idx].variants[variant_idx];
            let end = frames.len().min(start + n_left);
            pieces.push(Piece { frames, range: start..end });
            n_left -= end - start;
            if n_left == 0 || stops_at_file_end {
                return Item { pieces, word: None };
            }
            start = 0;
            clip_idx = if clip_idx + 1 < source.clips.end { clip_idx + 1 } else { source.clips.start };
        }
    }

    /// Part of a wake word, or its halves in another order: to be told from the whole.
    fn partial_word(&self, rng: &mut Pcg64Mcg) -> Item<'a> {
        let (_, WordVariant { frames, word }) = self.word_variant(rng);
        let whole = self.with_margins(frames, word, rng);
        let share = between([0.25, 0.6], rng);
        let n_kept = ((word.len() as f32 * share) as usize).max(1);
        let middle = (word.start + word.end) / 2;
        let piece = |range: Range<usize>| Piece { frames, range };
        let mut pieces = match rng.random_range(0..5) {
            0 => vec![piece(whole.start..word.start + n_kept)],
            1 => vec![piece(word.end - n_kept..whole.end)],
            2 => vec![piece(middle..whole.end), piece(whole.start..middle)],
            3 => vec![piece(whole.start..middle), piece(word.start..middle)],
            _ => vec![piece(middle..word.end), piece(middle..whole.end)],
        };
        pieces.retain(|piece| !piece.range.is_empty());
        Item { pieces, word: None }
    }

    fn hard_negative(&self, rng: &mut Pcg64Mcg) -> Item<'a> {
        let place = self.hard_negatives[rng.random_range(0..self.hard_negatives.len())];
        let frames = &self.bank.negatives[place.clip_idx].variants[place.variant];
        let n_frames = (between(self.config.hard_negative_s, rng) * self.frames_per_s) as usize;
        // The peak comes after the sound that caused it, so it lies anywhere in the second half.
        let n_before = (n_frames as f32 * between([0.5, 0.95], rng)) as usize;
        let start = place.centre_frame.saturating_sub(n_before).min(frames.len() - 1);
        let end = (start + n_frames).clamp(start + 1, frames.len());
        Item { pieces: vec![Piece { frames, range: start..end }], word: None }
    }

    /// Noise of `n_frames`, any moment of the bank's noises as likely as any other.
    pub(super) fn noise(&self, clips: Range<usize>, n_frames: usize, rng: &mut Pcg64Mcg) -> Item<'a> {
        let noises = &self.bank.noises[clips];
        let n_total: usize = noises.iter().map(Frames::len).sum();
        let mut start = rng.random_range(0..n_total);
        let mut clip_idx = 0;
        while start >= noises[clip_idx].len() {
            start -= noises[clip_idx].len();
            clip_idx += 1;
        }
        let mut pieces = Vec::new();
        let mut n_left = n_frames;
        while n_left > 0 {
            let frames = &noises[clip_idx];
            let end = frames.len().min(start + n_left);
            pieces.push(Piece { frames, range: start..end });
            n_left -= end - start;
            start = 0;
            clip_idx = (clip_idx + 1) % noises.len();
        }
        Item { pieces, word: None }
    }

    /// The word with some of what lies around it in its recording.
    fn with_margins(&self, frames: &Frames, word: &Range<usize>, rng: &mut Pcg64Mcg) -> Range<usize> {
        let mut margin = || (between(self.config.word_margin_s, rng) * self.frames_per_s) as usize;
        word.start.saturating_sub(margin())..(word.end + margin()).min(frames.len())
    }

    fn word_variant(&self, rng: &mut Pcg64Mcg) -> (usize, &'a WordVariant) {
        let word_idx = rng.random_range(0..self.bank.words.len());
        let clips = &self.clips_of_word[word_idx];
        let clip = &self.bank.positives[clips[rng.random_range(0..clips.len())]];
        (word_idx, &clip.variants[rng.random_range(0..clip.variants.len())])
    }
}
