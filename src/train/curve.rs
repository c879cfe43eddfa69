//! The learning curve of an adaptation, measured: the network is adapted to parts of the recordings and tested on the rest.
//!
//! The recordings are dealt into three hands. One training learns from one hand, three learn from two, and if the speakers are
//! known two more learn from half of the voices. Each is tested on what it did not learn from, with a threshold chosen as that of
//! the model itself. What two hands miss is the honest figure of the model, which learns from all three, and rather more than it will
//! miss: the trainings are shorter, and of one network where the model has several.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;

use super::adapt::{Base, fit};
use super::validation::{ValidationSet, ValidationTraces};
use super::{TrainConfig, TrainObserver};
use crate::dataset::{Bank, seed_of};
use crate::model::StreamingNetwork;

const N_HANDS: usize = 3;
/// Halves are few enough to stay within minutes.
const N_GROUPS_OF_SPEAKERS: usize = 2;
/// Keeps the dealing apart from other random numbers of the seed.
const DEAL_PURPOSE: u64 = 0x4445_414c;

/// Words missed of those spoken, where it is quiet and with noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Missed and spoken without noise.
    pub clean: [usize; 2],
    /// Missed and spoken with noise; nothing was spoken where there are no recordings of noise.
    pub noisy: [usize; 2],
}

impl Tally {
    /// Missed / spoken, both conditions together; 0 when nothing was spoken.
    pub fn miss_rate(&self) -> f64 {
        let [missed, spoken] = [0, 1].map(|i| self.clean[i] + self.noisy[i]);
        missed as f64 / spoken.max(1) as f64
    }

    pub(super) fn add(&mut self, other: &Self) {
        for i in 0..2 {
            self.clean[i] += other.clean[i];
            self.noisy[i] += other.noisy[i];
        }
    }
}

/// All trainings of one kind together.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CurvePoint {
    /// Recordings of a word that each learned from, on average.
    pub n_clips: usize,
    /// What they missed of the others, word by word.
    pub words: Vec<Tally>,
}

impl CurvePoint {
    /// All words together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.words.iter().for_each(|word| total.add(word));
        total
    }
}

/// How misses fall with the number of recordings.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LearningCurve {
    /// Of a third and two thirds of the recordings.
    pub points: Vec<CurvePoint>,
    /// Tested on voices that were not learned from; none if fewer than two speakers are known.
    pub strangers: Option<CurvePoint>,
}

/// Which recordings a training learns from, by their place in the bank, and which point of the curve it belongs to.
struct Trial {
    point_idx: usize,
    is_kept: Vec<bool>,
}

/// Where the strangers come, after the points of one and of two hands.
const STRANGERS: usize = 2;

/// Runs all trials. `None` if the user wants to stop.
pub(super) fn learning_curve(
    config: &TrainConfig,
    base: &Base,
    bank: &Arc<Bank>,
    validation: &ValidationSet,
    observer: &mut dyn TrainObserver,
) -> Result<Option<LearningCurve>> {
    let config = &TrainConfig { n_steps: config.adapt.n_curve_steps, ..config.clone() };
    let speakers = speakers_of_clips(bank, validation);
    let trials = plan(&bank.positives.iter().map(|clip| clip.word_idx).collect::<Vec<_>>(), &speakers, config.seed);
    let mut points: Vec<(usize, usize, CurvePoint)> = vec![Default::default(); STRANGERS + 1];
    for (trial_idx, trial) in trials.iter().enumerate() {
        let is_kept = |clip_idx: usize| trial.is_kept[clip_idx];
        let mut on_step = |n_steps: u64, _| {
            let n_done = trial_idx as u64 * config.n_steps + n_steps;
            observer.on_curve_step(n_done, trials.len() as u64 * config.n_steps);
            !observer.is_cancelled()
        };
        let Some(weights) = fit(config, &base.weights, bank, &is_kept, &mut on_step)? else { return Ok(None) };
        let network = StreamingNetwork::new(&config.network, config.features.n_mels, bank.words.len(), &weights)?;
        let learned: BTreeSet<&Path> = (0..bank.positives.len())
            .filter(|&clip_idx| is_kept(clip_idx))
            .map(|clip_idx| bank.positives[clip_idx].path.as_path())
            .collect();
        let found = ValidationTraces::new(config, &network, validation)
            .tallies(config, bank.words.len(), &|path| !learned.contains(path));
        let (n_trials, n_clips, point) = &mut points[trial.point_idx];
        *n_trials += 1;
        *n_clips += learned.len();
        point.words.resize(found.len(), Tally::default());
        point.words.iter_mut().zip(&found).for_each(|(sum, found)| sum.add(found));
    }
    let mut points = points.into_iter().map(|(n_trials, n_clips, point)| {
        let n_shares = (n_trials * bank.words.len()).max(1);
        (n_trials > 0).then(|| CurvePoint { n_clips: (n_clips + n_shares / 2) / n_shares, ..point })
    });
    let hands = points.by_ref().take(STRANGERS).flatten().collect();
    Ok(Some(LearningCurve { points: hands, strangers: points.next().flatten() }))
}

/// Who speaks in each recording of the bank, as far as anything tells.
fn speakers_of_clips<'a>(bank: &Bank, validation: &'a ValidationSet) -> Vec<Option<&'a str>> {
    let of_path: HashMap<&Path, &str> = validation
        .recordings
        .iter()
        .filter_map(|recording| Some((recording.path.as_path(), recording.speaker.as_deref()?)))
        .collect();
    bank.positives.iter().map(|clip| of_path.get(clip.path.as_path()).copied()).collect()
}

/// Deals the recordings, whose words and speakers these are.
fn plan(words: &[usize], speakers: &[Option<&str>], seed: u64) -> Vec<Trial> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed_of(&[seed, DEAL_PURPOSE]));
    let mut clips_of_word: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (clip_idx, &word_idx) in words.iter().enumerate() {
        clips_of_word.entry(word_idx).or_default().push(clip_idx);
    }
    let mut hand_of = vec![0; words.len()];
    for clips in clips_of_word.values_mut() {
        clips.shuffle(&mut rng);
        for (i, &clip_idx) in clips.iter().enumerate() {
            hand_of[clip_idx] = i % N_HANDS;
        }
    }
    let hands: [(usize, &[usize]); 4] = [(0, &[0]), (1, &[1, 2]), (1, &[0, 2]), (1, &[0, 1])];
    let mut trials: Vec<Trial> = hands
        .into_iter()
        .map(|(point_idx, hands)| Trial {
            point_idx,
            is_kept: hand_of.iter().map(|hand| hands.contains(hand)).collect(),
        })
        .collect();

    let mut names: Vec<&str> = speakers.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    names.shuffle(&mut rng);
    let n_groups = names.len().min(N_GROUPS_OF_SPEAKERS);
    for group in 0..n_groups {
        let is_out =
            |speaker: &str| names.iter().position(|name| *name == speaker).map(|i| i % n_groups) == Some(group);
        // Recordings of nobody known take no part: they could be of one who is left out.
        let is_kept: Vec<bool> = speakers.iter().map(|speaker| speaker.is_some_and(|name| !is_out(name))).collect();
        let is_enough = clips_of_word.values().all(|clips| clips.iter().filter(|&&i| is_kept[i]).count() >= 2);
        if is_enough {
            trials.push(Trial { point_idx: STRANGERS, is_kept });
        }
    }
    trials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_is_tested_once_by_two_thirds() {
        for n_clips in [5, 6, 20, 50] {
            let trials = plan(&vec![0; n_clips], &vec![None; n_clips], 1);
            assert_eq!(trials.len(), 4);
            for clip_idx in 0..n_clips {
                let of_point = trials.iter().filter(|trial| trial.point_idx == 1);
                assert_eq!(of_point.filter(|trial| !trial.is_kept[clip_idx]).count(), 1, "{n_clips} {clip_idx}");
            }
            assert!(trials.iter().all(|trial| trial.is_kept.iter().any(|&kept| kept)));
        }
    }

    #[test]
    fn strangers_are_whole_speakers() {
        let names = [Some("anna"), Some("ben"), Some("anna"), Some("ben"), Some("cleo"), Some("cleo"), None];
        let trials = plan(&[0; 7], &names, 1);
        let strangers: Vec<&Trial> = trials.iter().filter(|trial| trial.point_idx == STRANGERS).collect();
        assert_eq!(strangers.len(), 2);
        for trial in strangers {
            assert!(!trial.is_kept[6], "somebody unknown may be the one who is left out");
            for [a, b] in [[0, 2], [1, 3], [4, 5]] {
                assert_eq!(trial.is_kept[a], trial.is_kept[b]);
            }
        }
        assert_eq!(plan(&[0; 3], &[Some("anna"); 3], 1).len(), 4, "one voice leaves nobody to learn from");
    }
}
