//! What an optimiser step of each configuration takes, measured in turn so that the load of the machine hits all alike.
//!
//! The time is that of the wall, with the wait for the mixes: what a user waits for. A configuration that learns from variants of its
//! own has a bank of its own, and all of them are in memory meanwhile; so they are made of a part of the recordings. What a mix
//! costs does not depend on how many recordings there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::configuration::MATERIAL_SEED;
use super::material::BankKey;
use super::run::CompareObserver;
use crate::dataset::{Bank, BatchStream, DatasetError, Inventory, Mixer};
use crate::train::{Learner, TrainConfig};

/// How often each configuration has its turn; the median turn counts.
const N_ROUNDS: usize = 5;
/// What is timed in a turn, at least...
const TURN: Duration = Duration::from_millis(750);
/// ...and so many steps.
const LEAST_STEPS: u32 = 3;
/// Steps before that, beside those whose mixes were made ahead: each thread that makes mixes is two batches ahead.
const N_WARM_UP: usize = 3;
const N_AHEAD: usize = 3;
/// Recordings of a word, and others, that are mixed meanwhile.
const N_CLIPS: usize = 40;
const N_OTHERS: usize = 80;
/// Nothing is to be learned, and nothing can diverge.
const LEARNING_RATE: f64 = 1e-12;

/// A configuration in turn.
struct Timed {
    config: TrainConfig,
    learner: Learner,
    mixer: Arc<Mixer>,
    n_steps: u64,
    /// Seconds a step, turn by turn.
    turns: Vec<f64>,
}

/// Seconds that a step takes of each of `configs`; `None` if the user wants to stop.
///
/// # Errors
/// When the recordings cannot be used, or a network cannot be made.
pub(super) fn step_times(
    configs: &[&TrainConfig],
    training: &Inventory,
    observer: &dyn CompareObserver,
) -> Result<Option<Vec<f64>>> {
    let part = part_of(training);
    let mut banks: Vec<(BankKey, Arc<Bank>)> = Vec::new();
    let mut timed: Vec<Timed> = Vec::new();
    for config in configs {
        let key = BankKey::of(config);
        let bank = match banks.iter().find(|(known, _)| *known == key) {
            Some((_, bank)) => bank.clone(),
            None => {
                let on_progress =
                    |done: usize, total: usize| observer.on_preparing("reading recordings to time steps", done, total);
                let build =
                    |inventory| Bank::build(inventory, &config.features, &config.mix, MATERIAL_SEED, &on_progress);
                let (bank, _) = match build(&part) {
                    // It may be the unusable ones that were taken.
                    Err(DatasetError::TooFewPositives { .. } | DatasetError::NoNegatives { .. }) => build(training)?,
                    built => built?,
                };
                banks.push((key, Arc::new(bank)));
                banks.last().expect("just pushed").1.clone()
            }
        };
        timed.push(Timed::new(config, bank)?);
    }
    for round in 0..N_ROUNDS {
        for idx in 0..timed.len() {
            if observer.is_cancelled() {
                return Ok(None);
            }
            observer.on_preparing("timing steps", round * timed.len() + idx, N_ROUNDS * timed.len());
            timed[idx].take_turn()?;
        }
    }
    Ok(Some(timed.into_iter().map(|timed| median(timed.turns)).collect()))
}

impl Timed {
    fn new(config: &TrainConfig, bank: Arc<Bank>) -> Result<Self> {
        let config = TrainConfig { learning_rate: LEARNING_RATE, ..config.clone() };
        let n_words = bank.words.len();
        let mixer = Mixer::new(bank, config.mix.clone(), config.network.frames_per_step(), n_words);
        let learner = Learner::new(&config, n_words, [].into())?;
        Ok(Self { config, learner, mixer: Arc::new(mixer), n_steps: 0, turns: Vec::new() })
    }

    /// The mean over all of a turn: where the network waits for mixes, single steps take now nothing, now long.
    fn take_turn(&mut self) -> Result<()> {
        let mut batches = BatchStream::start(self.mixer.clone(), &self.config, self.n_steps)?;
        for _ in 0..N_WARM_UP + N_AHEAD * self.config.n_mixers {
            self.step(&mut batches)?;
        }
        let (start, mut n_steps) = (Instant::now(), 0);
        while n_steps < LEAST_STEPS || start.elapsed() < TURN {
            self.step(&mut batches)?;
            n_steps += 1;
        }
        self.turns.push(start.elapsed().as_secs_f64() / f64::from(n_steps));
        Ok(())
    }

    fn step(&mut self, batches: &mut BatchStream) -> Result<()> {
        self.learner.step(&self.config, &batches.next_batch()?)?;
        self.n_steps += 1;
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Some of the recordings, evenly from all of them.
fn part_of(inventory: &Inventory) -> Inventory {
    let mut part = inventory.clone();
    part.positives = (0..inventory.words.len())
        .flat_map(|word_idx| {
            let of_word: Vec<_> = inventory.positives.iter().filter(|file| file.word_idx == word_idx).collect();
            evenly(&of_word, N_CLIPS).into_iter().cloned()
        })
        .collect();
    part.negatives = evenly(&inventory.negatives, N_OTHERS);
    part.noises = evenly(&inventory.noises, N_OTHERS);
    part
}

/// At most `n` of `all`, evenly spaced.
fn evenly<T: Clone>(all: &[T], n: usize) -> Vec<T> {
    let n = n.min(all.len());
    (0..n).map(|i| all[i * all.len() / n].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_spread_over_all() {
        assert_eq!(evenly(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [0, 2, 5, 7]);
        assert_eq!(evenly(&[1, 2], 4), [1, 2]);
        assert!(evenly::<u8>(&[], 4).is_empty());
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    }
}
