//! Hard negatives: the places in the other recordings that the network takes for a word.

use super::TrainConfig;
use crate::dataset::{Bank, HardNegative};
use crate::features::Compressor;
use crate::model::StreamingNetwork;
use crate::parallel;

/// Peaks of one word closer than this are one, in seconds.
const PEAK_DISTANCE_S: f64 = 2.0;
/// Below this probability nothing is hard.
const LEAST_PROBABILITY: f32 = 0.05;

/// A place with the probability that makes it hard.
struct Peak {
    probability: f32,
    negative: HardNegative,
}

/// Runs the network over every variant of every negative and keeps, for each word, the highest peaks. A recording is run from
/// the zero state, on as many threads as the machine has; the result does not depend on how many.
pub(super) fn mine(network: &StreamingNetwork, bank: &Bank, config: &TrainConfig) -> Vec<HardNegative> {
    let clip_idxs: Vec<usize> = (0..bank.negatives.len()).collect();
    let mine_one = |_: &mut (), &clip_idx: &usize| mine_clip(network, bank, config, clip_idx);
    let found = parallel::map("tw-mining", &clip_idxs, parallel::n_cores(), || (), mine_one, &|_, _| {});
    let mut peaks: Vec<Vec<Peak>> = (0..network.n_words()).map(|_| Vec::new()).collect();
    for of_clip in found {
        peaks.iter_mut().zip(of_clip).for_each(|(all, found)| all.extend(found));
    }
    let mut negatives = Vec::new();
    for mut of_word in peaks {
        // Ties are settled by the place.
        of_word.sort_by(|a, b| {
            let place = |peak: &Peak| <(usize, usize, usize)>::from(peak.negative);
            b.probability.total_cmp(&a.probability).then_with(|| place(a).cmp(&place(b)))
        });
        negatives.extend(of_word.into_iter().take(config.n_hard_negatives).map(|peak| peak.negative));
    }
    negatives
}

/// The peaks of one recording, word by word.
fn mine_clip(network: &StreamingNetwork, bank: &Bank, config: &TrainConfig, clip_idx: usize) -> Vec<Vec<Peak>> {
    let mut found: Vec<Vec<Peak>> = (0..network.n_words()).map(|_| Vec::new()).collect();
    let (n_mels, n_words) = (config.features.n_mels, network.n_words());
    let step_s = (network.frames_per_step() * config.features.hop_length_samples) as f64
        / f64::from(config.features.sample_rate_hz);
    let n_apart = (PEAK_DISTANCE_S / step_s) as usize;
    for (variant, clip) in bank.negatives[clip_idx].variants.iter().enumerate() {
        let mut frames = Vec::new();
        clip.append_to(0..clip.len(), &mut frames);
        Compressor::new(&config.features.compression, n_mels).apply(&mut frames);
        let n_steps = clip.len() / network.frames_per_step();
        frames.truncate(n_steps * network.frames_per_step() * n_mels);
        let probabilities = network.recording(&frames);
        for (word_idx, peaks) in found.iter_mut().enumerate() {
            // Greedy: each stretch of two seconds gives at most its highest step.
            let mut best: Option<(usize, f32)> = None;
            let mut keep = |(step, probability): (usize, f32)| {
                peaks.push(Peak {
                    probability,
                    negative: HardNegative { clip_idx, variant, centre_frame: step * network.frames_per_step() },
                });
            };
            for step in 0..n_steps {
                let probability = probabilities[step * n_words + word_idx];
                if let Some((at, _)) = best
                    && step - at > n_apart
                {
                    best.take().into_iter().for_each(&mut keep);
                }
                if probability >= LEAST_PROBABILITY && best.is_none_or(|(_, highest)| probability > highest) {
                    best = Some((step, probability));
                }
            }
            best.into_iter().for_each(&mut keep);
        }
    }
    found
}
