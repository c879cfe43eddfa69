//! Batches of mixtures, made ahead on threads of their own so that the network never waits for the mixer.
//!
//! Worker `w` of `n` makes every `n`-th step and has a short queue of its own; the reader takes from the queues in turn.
//! So batches come in the order of their steps, and every batch depends on the seed and its step alone. Dropping the stream
//! closes the queues, which ends the workers, and waits for them.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::mask::mask_bands;
use super::seed::{generator, seed_of};
use super::{DatasetError, Example, Mixer, WordWindow};
use crate::features::Compressor;

/// Batches that each worker may be ahead.
const N_AHEAD: usize = 2;

/// How batches are made.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Mixtures in a batch.
    pub n_rows: usize,
    /// Threads that make them; does not change the result.
    pub n_workers: usize,
    /// Probability of each of two masks over feature bands.
    pub band_mask_probability: f32,
}

/// Mixtures as features, with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Which one, counted from 0.
    pub step: u64,
    /// Mixtures.
    pub n_rows: usize,
    /// Frames of each.
    pub n_frames: usize,
    /// Outputs of each.
    pub n_steps: usize,
    /// Words of an output.
    pub n_words: usize,
    /// Features `(n_rows, n_frames, n_mels)`.
    pub features: Vec<f32>,
    /// What the outputs are to be, 0 or 1, `(n_rows, n_steps, n_words)`.
    pub targets: Vec<f32>,
    /// Whether they matter, 0 or 1, `(n_rows, n_steps, n_words)`.
    pub weights: Vec<f32>,
    /// The words of each mixture, in the order of their ends.
    pub words: Vec<Vec<WordWindow>>,
}

/// Batches in the order of their steps.
#[derive(Debug)]
pub struct BatchStream {
    workers: Vec<Worker>,
    n_taken: usize,
}

/// The queue comes before the handle: closing it ends the thread.
#[derive(Debug)]
struct Worker {
    batches: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<()>>,
    name: String,
}

impl BatchStream {
    /// Starts the workers; the first batch will be that of `first_step`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(mixer: Arc<Mixer>, config: impl Into<BatchConfig>, first_step: u64) -> Result<Self, DatasetError> {
        let config = config.into();
        let n_workers = config.n_workers.max(1);
        let mut stream = Self { workers: Vec::with_capacity(n_workers), n_taken: 0 };
        for worker_idx in 0..n_workers {
            let (sender, receiver) = bounded(N_AHEAD);
            let (mixer, config) = (mixer.clone(), config.clone());
            let steps = (first_step + worker_idx as u64..).step_by(n_workers);
            let name = format!("tw-mix-{worker_idx}");
            let thread = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || work(&mixer, &config, steps, &sender))
                .map_err(|error| DatasetError::MixThread { name: name.clone(), problem: error.to_string() })?;
            stream.workers.push(Worker { batches: Some(receiver), thread: Some(thread), name });
        }
        Ok(stream)
    }

    /// Waits for the next batch.
    ///
    /// # Errors
    /// When the thread that makes it has died.
    pub fn next_batch(&mut self) -> Result<Batch, DatasetError> {
        let n_workers = self.workers.len();
        let worker = &self.workers[self.n_taken % n_workers];
        let batches = worker.batches.as_ref().expect("queues are closed only when the stream is dropped");
        let batch = batches
            .recv()
            .map_err(|_| DatasetError::MixThread { name: worker.name.clone(), problem: "it panicked".into() })?;
        self.n_taken += 1;
        Ok(batch)
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        self.workers.iter_mut().for_each(|worker| drop(worker.batches.take()));
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // Its panic, if any, was reported when its queue ran dry.
                let _ = thread.join();
            }
        }
    }
}

fn work(mixer: &Mixer, config: &BatchConfig, steps: impl Iterator<Item = u64>, batches: &Sender<Batch>) {
    let mut example = Example::default();
    for step in steps {
        if batches.send(make_batch(mixer, config, step, &mut example)).is_err() {
            return;
        }
    }
}

fn make_batch(mixer: &Mixer, config: &BatchConfig, step: u64, example: &mut Example) -> Batch {
    let features = &mixer.bank().features;
    let (n_rows, n_mels) = (config.n_rows, features.n_mels);
    let n_labels = n_rows * mixer.n_steps() * mixer.n_words();
    let mut batch = Batch {
        step,
        n_rows,
        n_frames: mixer.n_frames(),
        n_steps: mixer.n_steps(),
        n_words: mixer.n_words(),
        features: Vec::with_capacity(n_rows * mixer.n_frames() * n_mels),
        targets: Vec::with_capacity(n_labels),
        weights: Vec::with_capacity(n_labels),
        words: Vec::with_capacity(n_rows),
    };
    // Statistics that a compression carries start anew with each mixture.
    let mut compressor = Compressor::new(&features.compression, n_mels);
    for row in 0..n_rows as u64 {
        mixer.example(seed_of(&[config.seed, step, row]), example);
        compressor.reset();
        compressor.apply(&mut example.frames);
        let mut rng = generator(&[config.seed, step, row, purpose::MASK]);
        mask_bands(config.band_mask_probability, n_mels, &mut example.frames, &mut rng);
        batch.features.extend_from_slice(&example.frames);
        batch.targets.extend_from_slice(&example.targets);
        batch.weights.extend_from_slice(&example.weights);
        batch.words.push(example.words.clone());
    }
    batch
}

/// Purposes of random numbers, the last part of a seed; the mixture itself has none.
mod purpose {
    pub(super) const MASK: u64 = 1;
}
