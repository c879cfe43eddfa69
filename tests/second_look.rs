//! When further networks are asked, and what comes of it.

mod common;

use common::{random_sound, random_weights, small_model};
use tripword::features::{FeatureConfig, FeatureExtractor};
use tripword::model::{SecondLookConfig, StreamingNetwork, Weights};
use tripword::units::Milliseconds;

const N_MELS: usize = 40;
const N_WORDS: usize = 2;
const STEP_S: f64 = 0.08;

fn features(seed: u64) -> Vec<f32> {
    let mut frames = Vec::new();
    FeatureExtractor::new(&FeatureConfig::default()).push(&random_sound(seed, 16_000 * 20), &mut frames);
    frames.truncate(frames.len() / (8 * N_MELS) * 8 * N_MELS);
    frames
}

fn weights(seed: u64) -> Weights {
    random_weights(&small_model(), N_MELS, N_WORDS, seed)
}

fn all() -> Weights {
    Weights::joined(&[weights(1), weights(2), weights(3)])
}

fn probabilities(weights: &Weights, look: Option<SecondLookConfig>, frames: &[f32]) -> Vec<f32> {
    let network = StreamingNetwork::new(&small_model(), N_MELS, N_WORDS, weights).unwrap();
    let network = network.with_second_look(look.as_ref(), STEP_S);
    let mut out = Vec::new();
    network.seq(&mut network.zero_state(), frames, &mut out);
    out
}

fn look(proposal_probability: f32, history_ms: u32, hold_ms: u32) -> Option<SecondLookConfig> {
    Some(SecondLookConfig {
        proposal_probability,
        history_ms: Milliseconds(history_ms),
        hold_ms: Milliseconds(hold_ms),
    })
}

#[test]
fn whatever_is_always_proposed_is_decided_by_the_mean_of_all() {
    let frames = features(1);
    let (always, looked) =
        (probabilities(&all(), None, &frames), probabilities(&all(), look(1e-30, 2400, 960), &frames));
    assert_eq!(always.len(), looked.len());
    for (always, looked) in always.iter().zip(&looked) {
        assert!((always - looked).abs() < 1e-5, "{always} {looked}");
    }
}

#[test]
fn what_is_never_proposed_is_left_to_the_first() {
    let frames = features(2);
    let nearly_one = 1.0 - f32::EPSILON;
    assert_eq!(probabilities(&weights(1), None, &frames), probabilities(&all(), look(nearly_one, 2400, 960), &frames));
}

#[test]
fn the_others_hear_the_last_seconds_again_and_stay_for_the_hold() {
    let frames = features(3);
    let first = probabilities(&weights(1), None, &frames);
    let (n_history, n_hold) = (5, 3);
    // One step in ten proposes.
    let mut highest: Vec<f32> = first.chunks(N_WORDS).map(|row| row.iter().copied().fold(0.0, f32::max)).collect();
    highest.sort_by(f32::total_cmp);
    let proposal = highest[highest.len() * 9 / 10] - 1e-4;
    let looked = probabilities(&all(), look(proposal, 400, 240), &frames);
    let step_len = 8 * N_MELS;
    let logit = |p: f32| (p / (1.0 - p)).ln();
    let mut awake_since: Option<usize> = None;
    let mut n_left = 0;
    let (mut n_looks, mut n_asleep) = (0, 0);
    for step in 0..first.len() / N_WORDS {
        let row = step * N_WORDS..(step + 1) * N_WORDS;
        let is_proposed = first[row.clone()].iter().any(|&p| p >= proposal);
        if is_proposed && awake_since.is_none() {
            awake_since = Some((step + 1).saturating_sub(n_history));
            n_looks += 1;
        }
        match awake_since {
            None => {
                assert_eq!(first[row.clone()], looked[row]);
                n_asleep += 1;
            }
            // From the zero state, over the history and all that came after.
            Some(since) => {
                let heard = &frames[since * step_len..(step + 1) * step_len];
                let others = [2, 3].map(|seed| probabilities(&weights(seed), None, heard));
                for word in 0..N_WORDS {
                    let sum: f32 = others.iter().map(|other| logit(other[other.len() - N_WORDS + word])).sum();
                    let mean = (logit(first[step * N_WORDS + word]) + sum) / 3.0;
                    let (expected, found) = (1.0 / (1.0 + (-mean).exp()), looked[step * N_WORDS + word]);
                    assert!((expected - found).abs() < 1e-3, "step {step}: {expected} {found}");
                }
                n_left = if is_proposed { n_hold } else { n_left - 1 };
                if n_left == 0 {
                    awake_since = None;
                }
            }
        }
    }
    assert!(n_looks > 3 && n_asleep > 10, "{n_looks} {n_asleep}");
}
