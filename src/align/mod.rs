//! Where a trained network hears the words of recordings, to correct their times.
//!
//! `clip → features → probabilities → rise → end of the word`
//!
//! Times from an energy detector end at the last sound: a door, a breath, a second word. A network that knows the word rises a nearly
//! constant time after the word's end, so the few clips where it rises elsewhere have wrong times, and it tells the right ones.

mod manifest;

pub use manifest::manifest_text;

use std::ops::Range;

use crate::bundle::Bundle;
use crate::dataset::{Inventory, PositiveFile, SkippedFile, load_positive};
use crate::features::FeatureExtractor;
use crate::names::same_word;
use crate::parallel;
use crate::units::SampleRate;

/// Times that differ by less, in milliseconds, are left: a step of the network and the detector's own doubt.
const TOLERANCE_MS: u32 = 140;
/// A peak below this tells nothing of where the word is.
const LOWEST_PEAK: f32 = 0.5;
/// Durations between these parts of the median are believed.
const BELIEVABLE: Range<f64> = 0.6..1.5;
/// Silence after a clip, so that a word at its very end is heard, in seconds.
const SILENCE_AFTER_S: f64 = 0.5;

/// What came of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Network and times agree.
    Kept,
    /// The word ends elsewhere.
    EndMoved,
    /// The end was right, the start was not.
    StartMoved,
    /// The network does not hear the word: it may be missing, or very unlike the others. Its times are as they were.
    NotHeard,
}

/// A clip and its times.
#[derive(Debug, Clone, PartialEq)]
pub struct AlignedClip {
    /// Into [`Inventory::positives`].
    pub file_idx: usize,
    /// Start and end as they were, in samples.
    pub given: Range<usize>,
    /// Start and end by the network, in samples.
    pub aligned: Range<usize>,
    /// The network's highest probability.
    pub peak: f32,
    /// What came of it.
    pub verdict: Verdict,
}

/// What the network makes of a clip.
struct Heard {
    file_idx: usize,
    given: Range<usize>,
    peak: f32,
    /// End of the step at which the probability passes half its peak on the way there, in samples.
    rise: i64,
}

/// Listens to the words of `inventory` that the model of `bundle` knows. Clips that cannot be read are named apart. `progress` is
/// called with the number of clips done and of all.
pub fn align(
    inventory: &Inventory,
    bundle: &Bundle,
    progress: &dyn Fn(usize, usize),
) -> (Vec<AlignedClip>, Vec<SkippedFile>) {
    let outputs: Vec<Option<usize>> = (inventory.words.iter())
        .map(|word| bundle.manifest.words.iter().position(|entry| same_word(&entry.name, word)))
        .collect();
    let known: Vec<(usize, usize)> = (inventory.positives.iter().enumerate())
        .filter_map(|(file_idx, file)| Some((file_idx, outputs[file.word_idx]?)))
        .collect();
    let work = |_: &mut (), &(file_idx, output): &(usize, usize)| {
        hear(bundle, file_idx, &inventory.positives[file_idx], output)
    };
    let heard = parallel::map("tw-align", &known, parallel::n_cores(), || (), work, progress);
    let (mut clips, mut skipped) = (Vec::new(), Vec::new());
    let mut by_word: Vec<Vec<Heard>> = inventory.words.iter().map(|_| Vec::new()).collect();
    for result in heard {
        match result {
            Ok(heard) => by_word[inventory.positives[heard.file_idx].word_idx].push(heard),
            Err(file) => skipped.push(file),
        }
    }
    by_word.into_iter().for_each(|heard| clips.extend(align_word(heard)));
    clips.sort_by_key(|clip| clip.file_idx);
    (clips, skipped)
}

fn hear(bundle: &Bundle, file_idx: usize, file: &PositiveFile, output: usize) -> Result<Heard, SkippedFile> {
    let clip = load_positive(file)?;
    let features = &bundle.manifest.features;
    let (mut extractor, mut frames) = (FeatureExtractor::new(features), Vec::new());
    extractor.push(&clip.samples, &mut frames);
    extractor.push(&vec![0.0; SampleRate::MODEL.samples(SILENCE_AFTER_S) as usize], &mut frames);
    let frames_per_step = bundle.network.frames_per_step();
    let step_values = frames_per_step * features.n_mels;
    frames.truncate(frames.len() / step_values * step_values);
    let probabilities = bundle.network.recording(&frames);
    let word: Vec<f32> = probabilities.into_iter().skip(output).step_by(bundle.network.n_words()).collect();
    let (peak, step) = rise(&word);
    let samples_per_step = frames_per_step * features.hop_length_samples;
    Ok(Heard { file_idx, given: clip.span, peak, rise: ((step + 1) * samples_per_step) as i64 })
}

/// The peak, and the step at which the probability passes half of it on the way there.
fn rise(probabilities: &[f32]) -> (f32, usize) {
    let by_value = |a: &(usize, &f32), b: &(usize, &f32)| a.1.total_cmp(b.1);
    let Some((top, &peak)) = probabilities.iter().enumerate().max_by(by_value) else { return (0.0, 0) };
    let step = probabilities[..top].iter().rposition(|&p| p < 0.5 * peak).map_or(0, |below| below + 1);
    (peak, step)
}

fn align_word(heard: Vec<Heard>) -> Vec<AlignedClip> {
    let sure = || heard.iter().filter(|heard| heard.peak >= LOWEST_PEAK);
    let delay = median(sure().map(|heard| heard.rise - heard.given.end as i64).collect()).unwrap_or(0);
    let duration = median(heard.iter().map(|heard| heard.given.len() as i64).collect()).unwrap_or(0);
    let tolerance = i64::from(TOLERANCE_MS) * i64::from(SampleRate::MODEL.hz()) / 1000;
    let is_believable = |length: i64| BELIEVABLE.contains(&(length as f64 / duration.max(1) as f64));
    (heard.iter())
        .map(|Heard { file_idx, given, peak, rise }| {
            let end = (rise - delay).max(1);
            let (start, end, verdict) = if *peak < LOWEST_PEAK {
                (given.start as i64, given.end as i64, Verdict::NotHeard)
            } else if (end - given.end as i64).abs() > tolerance {
                let start = given.start as i64;
                let start = if is_believable(end - start) { start } else { (end - duration).max(0) };
                (start, end, Verdict::EndMoved)
            } else if !is_believable(given.len() as i64) {
                ((given.end as i64 - duration).max(0), given.end as i64, Verdict::StartMoved)
            } else {
                (given.start as i64, given.end as i64, Verdict::Kept)
            };
            let aligned = start as usize..end as usize;
            AlignedClip { file_idx: *file_idx, given: given.clone(), aligned, peak: *peak, verdict }
        })
        .collect()
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of 0.7 s that end at 1 s, heard 50 ms later.
    fn heard(given_s: [f64; 2], rise_s: f64, peak: f32) -> Heard {
        let sample = |s: f64| SampleRate::MODEL.samples(s) as usize;
        Heard { file_idx: 0, given: sample(given_s[0])..sample(given_s[1]), peak, rise: sample(rise_s) as i64 }
    }

    #[test]
    fn only_what_disagrees_with_the_others_is_moved() {
        let mut clips: Vec<Heard> = (0..9).map(|_| heard([0.3, 1.0], 1.05, 0.99)).collect();
        clips.push(heard([0.0, 3.0], 1.05, 0.99));
        clips.push(heard([0.3, 1.0], 1.15, 0.99));
        clips.push(heard([0.0, 1.5], 1.55, 0.99));
        clips.push(heard([0.3, 1.0], 2.00, 0.2));
        let clips = align_word(clips);
        let found: Vec<(Verdict, Range<usize>)> =
            clips[8..].iter().map(|clip| (clip.verdict, clip.aligned.clone())).collect();
        assert_eq!(found[0], (Verdict::Kept, 4800..16_000));
        assert_eq!(found[1], (Verdict::EndMoved, 0..16_000), "a second word after it");
        assert_eq!(found[2], (Verdict::Kept, 4800..16_000), "within the tolerance");
        assert_eq!(found[3], (Verdict::StartMoved, 12_800..24_000), "a noise before it");
        assert_eq!(found[4], (Verdict::NotHeard, 4800..16_000));
    }

    #[test]
    fn the_rise_is_that_of_the_highest_peak() {
        assert_eq!(rise(&[0.0, 0.9, 0.1, 0.3, 0.6, 0.95, 0.2]), (0.95, 4));
        assert_eq!(rise(&[0.9, 0.1]), (0.9, 0));
        assert_eq!(rise(&[]), (0.0, 0));
    }
}
