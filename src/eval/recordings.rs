//! Streams from the recordings of a data folder.

use super::assemble::{Condition, EvalClip, EvalSet, assemble};
use crate::dataset::{Inventory, SkippedFile, load_clip, load_positive};
use crate::features::FeatureConfig;

/// Longest noise that is kept, in samples: ten minutes of it repeat unnoticed.
const MAX_NOISE_SAMPLES: usize = 600 * 16_000;

/// Lays all positives and all negatives of `inventory` into streams of `condition`; the noise is that of the inventory.
/// Recordings that cannot be used are named in the result.
pub fn streams(
    inventory: &Inventory,
    condition: Condition,
    features: &FeatureConfig,
    frames_per_step: usize,
    seed: u64,
) -> EvalSet {
    let mut skipped: Vec<SkippedFile> = Vec::new();
    let mut noise = Vec::new();
    if condition != Condition::Clean {
        for file in &inventory.noises {
            match load_clip(&file.path) {
                Ok(samples) => noise.extend(level(samples)),
                Err(reason) => skipped.push(SkippedFile::new(&file.path, reason)),
            }
            if noise.len() > MAX_NOISE_SAMPLES {
                break;
            }
        }
    }
    let mut lay = |clips: &mut dyn Iterator<Item = Result<EvalClip, SkippedFile>>, seed| {
        let usable = clips.filter_map(|clip| clip.map_err(|file| skipped.push(file)).ok());
        assemble(usable, condition, &noise, features, frames_per_step, seed)
    };
    let positives = lay(
        &mut inventory.positives.iter().map(|file| {
            let clip = load_positive(file)?;
            Ok(EvalClip { samples: clip.samples, word: Some((file.word_idx, clip.span)) })
        }),
        seed,
    );
    let negatives = lay(
        &mut inventory.negatives.iter().map(|file| match load_clip(&file.path) {
            Ok(samples) => Ok(EvalClip { samples, word: None }),
            Err(reason) => Err(SkippedFile::new(&file.path, reason)),
        }),
        seed.wrapping_add(1),
    );
    EvalSet { positives, negatives, skipped }
}

/// Noises of one loudness, so that none of them is missing where another was loud.
fn level(mut samples: Vec<f32>) -> Vec<f32> {
    let rms = super::assemble::root_mean_square(&samples).max(1e-6);
    samples.iter_mut().for_each(|sample| *sample *= 0.05 / rms);
    samples
}
