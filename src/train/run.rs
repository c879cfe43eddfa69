//! The training loop.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::TrainConfig;
use super::adapt::fit;
use super::checkpoint::{self, Checkpoint, Progress};
use super::curve::learning_curve;
use super::expectation::Expectation;
use super::finish::{ModelText, finish};
use super::learner::{Learner, LearnerStep};
use super::mining::mine;
use super::request::{Adaptation, TrainRequest};
use super::validation::{Validation, ValidationTraces};
use crate::bundle::Manifest;
use crate::dataset::{BatchStream, HardNegative, Mixer};
use crate::model::{StreamingNetwork, Weights};

/// One optimiser step.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Steps done.
    pub n_steps: u64,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The step's learning rate.
    pub learning_rate: f64,
    /// Seconds the network waited for the batch.
    pub waited_s: f64,
}

/// One validation.
#[derive(Debug, Clone)]
pub struct ValidationReport {
    /// Steps done.
    pub n_steps: u64,
    /// Mean miss rate over the words at the target rate of false accepts.
    pub miss_rate: f64,
    /// Each word with its miss rate and threshold.
    pub words: Vec<(String, f64, f32)>,
    /// Whether it is the best so far.
    pub is_best: bool,
}

/// Is told how the training goes.
pub trait TrainObserver {
    /// After each step.
    fn on_step(&mut self, report: StepReport);
    /// After each validation.
    fn on_validation(&mut self, report: &ValidationReport);
    /// What else is worth a line.
    fn on_note(&mut self, note: &str);
    /// Whether the user wants to stop; asked after each step.
    fn is_cancelled(&self) -> bool;
    /// After each step of the trainings that measure the learning curve: steps done, and steps in all of them.
    fn on_curve_step(&mut self, n_done: u64, n_steps: u64) {
        let _ = (n_done, n_steps);
    }
}

/// What a training has made.
#[derive(Debug, Clone)]
pub struct Trained {
    /// As it was written.
    pub manifest: Manifest,
    /// What to expect of the model.
    pub expectation: Expectation,
}

/// Trains, and writes the model folder.
///
/// # Errors
/// When the loss is not finite, a checkpoint or the model cannot be written or read, or the user cancels; the last
/// checkpoint stays.
pub fn train(request: &TrainRequest, observer: &mut dyn TrainObserver) -> Result<Trained> {
    let config = &request.config;
    config.validate().map_err(|(_, reason)| anyhow!(reason))?;
    let mut run = Run::start(request, observer)?;
    while run.progress.n_steps < config.n_steps && run.progress.n_validations_without_better < config.patience {
        run.until_next_mining(observer)?;
    }
    if run.progress.n_steps < config.n_steps {
        observer.on_note(&format!("stopped early: {} validations brought nothing better", config.patience));
    }
    if run.progress.best.is_none() {
        run.validate(observer)?;
    }
    let (best_step, _) = run.progress.best.context("no validation took place")?;
    let best = run.with_other_networks(observer)?;
    let curve = match &request.adaptation {
        Some(Adaptation { base, with_curve: true }) => {
            let curve = learning_curve(config, base, &request.bank, &request.validation, observer)?;
            Some(curve.with_context(|| stopped(request, "while the learning curve was measured"))?)
        }
        _ => None,
    };
    let n_words = request.words.len();
    let network = match &request.adaptation {
        Some(Adaptation { base, .. }) => base.adapted(config, n_words, &best)?,
        None => StreamingNetwork::new(&config.network, config.features.n_mels, n_words, &best)?,
    };
    let trained = finish(
        request,
        ModelText { n_steps: run.progress.n_steps, best_step },
        &best,
        &ValidationTraces::new(config, &network, &request.validation),
        curve,
    )?;
    // The model is safe; the checkpoint has done its work.
    let checkpoint_path = checkpoint::path(&request.destination);
    std::fs::remove_file(&checkpoint_path)
        .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .with_context(|| format!("cannot remove {}", checkpoint_path.display()))?;
    Ok(trained)
}

fn stopped(request: &TrainRequest, when: &str) -> String {
    format!("stopped {when}; go on with --resume (checkpoint {})", checkpoint::path(&request.destination).display())
}

struct Run<'a> {
    request: &'a TrainRequest,
    learner: Learner,
    best_weights: Weights,
    progress: Progress,
}

impl<'a> Run<'a> {
    fn start(request: &'a TrainRequest, observer: &mut dyn TrainObserver) -> Result<Self> {
        let config = &request.config;
        let (n_words, teachers) = (request.words.len(), request.teachers.clone());
        let mut learner = match &request.adaptation {
            Some(adaptation) => Learner::adapting(config, n_words, &adaptation.base.weights, teachers)?,
            None => Learner::new(config, n_words, teachers)?,
        };
        let mut progress = Progress::default();
        let mut best_weights = learner.optimizer.averaged(config)?;
        let checkpoint_path = checkpoint::path(&request.destination);
        if request.resume
            && let Some(saved) = checkpoint::load(&checkpoint_path, request)?
        {
            learner.optimizer.restore(&saved.optimizer, saved.progress.n_steps * config.updates_per_batch())?;
            learner.states = saved.states;
            progress = saved.progress;
            best_weights = Weights::new(saved.best_weights);
            observer.on_note(&format!("resumed at step {} from {}", progress.n_steps, checkpoint_path.display()));
        }
        Ok(Self { request, learner, best_weights, progress })
    }

    /// Trains up to the next search for hard negatives, or the end. The stream of mixes is made anew after each search, so
    /// that it does not matter how far ahead the mixers were.
    fn until_next_mining(&mut self, observer: &mut dyn TrainObserver) -> Result<()> {
        let config = &self.request.config;
        let end = match config.mine_every {
            0 => config.n_steps,
            every => (self.progress.n_steps / every + 1).saturating_mul(every).min(config.n_steps),
        };
        let mut mixer = Mixer::new(
            self.request.bank.clone(),
            config.mix.clone(),
            config.network.frames_per_step(),
            self.request.words.len(),
        );
        mixer.set_hard_negatives(self.progress.hard_negatives.iter().map(|&h| HardNegative::from(h)).collect());
        let mut batches = BatchStream::start(Arc::new(mixer), config, self.progress.n_steps)?;
        while self.progress.n_steps < end {
            self.step(&mut batches, observer)?;
            let n_steps = self.progress.n_steps;
            if n_steps.is_multiple_of(config.validate_every) || n_steps == config.n_steps {
                self.validate(observer)?;
            }
            let is_last = n_steps == end || self.progress.n_validations_without_better >= config.patience;
            if n_steps == end && config.mine_every > 0 && end < config.n_steps {
                self.mine(observer)?;
            }
            let is_cancelled = observer.is_cancelled();
            if n_steps.is_multiple_of(config.checkpoint_every) || is_last || is_cancelled {
                self.save_checkpoint()?;
            }
            if is_cancelled {
                bail!(stopped(self.request, &format!("after {n_steps} steps")));
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, batches: &mut BatchStream, observer: &mut dyn TrainObserver) -> Result<()> {
        let asked = Instant::now();
        let batch = batches.next_batch()?;
        let waited_s = asked.elapsed().as_secs_f64();
        ensure!(batch.step == self.progress.n_steps, "batch {} came for step {}", batch.step, self.progress.n_steps);
        let LearnerStep { loss, gradient_norm, learning_rate } = self.learner.step(&self.request.config, &batch)?;
        self.progress.n_steps += 1;
        let n_steps = self.progress.n_steps;
        observer.on_step(StepReport { n_steps, loss, gradient_norm, learning_rate, waited_s });
        Ok(())
    }

    fn streaming_network(&self) -> Result<(Weights, StreamingNetwork)> {
        let config = &self.request.config;
        let weights = self.learner.optimizer.averaged(config)?;
        let network =
            StreamingNetwork::new(&config.network, config.features.n_mels, self.request.words.len(), &weights)?;
        Ok((weights, network))
    }

    fn validate(&mut self, observer: &mut dyn TrainObserver) -> Result<()> {
        let config = &self.request.config;
        let (weights, network) = self.streaming_network()?;
        let validation: Validation = ValidationTraces::new(config, &network, &self.request.validation).validate(
            self.request.words.len(),
            config.trigger,
            config.target_false_accepts_per_hour,
        );
        let cost = validation.cost();
        let is_best = self.progress.best.is_none_or(|(_, best)| cost < best);
        if is_best {
            self.progress.best = Some((self.progress.n_steps, cost));
            self.progress.n_validations_without_better = 0;
            self.best_weights = weights;
        } else {
            self.progress.n_validations_without_better += 1;
        }
        let words = self.request.words.iter().zip(&validation.words);
        observer.on_validation(&ValidationReport {
            n_steps: self.progress.n_steps,
            miss_rate: validation.miss_rate(),
            words: words.map(|(name, word)| (name.clone(), word.outcome.miss_rate(), word.point.threshold)).collect(),
            is_best,
        });
        Ok(())
    }

    fn mine(&mut self, observer: &mut dyn TrainObserver) -> Result<()> {
        let (_, network) = self.streaming_network()?;
        let found = mine(&network, &self.request.bank, &self.request.config);
        observer.on_note(&format!("{} hard negatives found", found.len()));
        self.progress.hard_negatives = found.into_iter().map(Into::into).collect();
        Ok(())
    }

    /// The best weights; where an adaptation began with several networks, together with the others, adapted now.
    fn with_other_networks(&self, observer: &mut dyn TrainObserver) -> Result<Weights> {
        let TrainRequest { config, bank, adaptation, .. } = self.request;
        let mut networks = vec![self.best_weights.clone()];
        let others = adaptation.iter().flat_map(|Adaptation { base, .. }| base.weights.networks().enumerate().skip(1));
        for (idx, weights) in others {
            // Each its own mixes, so that they err in different places.
            let config = TrainConfig { seed: config.seed.wrapping_add(idx as u64), ..config.clone() };
            let mut on_step = |n_steps: u64, LearnerStep { loss, gradient_norm, learning_rate }| {
                let n_steps = idx as u64 * config.n_steps + n_steps;
                observer.on_step(StepReport { n_steps, loss, gradient_norm, learning_rate, waited_s: 0.0 });
                !observer.is_cancelled()
            };
            let adapted = fit(&config, &weights, bank, &|_| true, &mut on_step)?;
            networks.push(adapted.with_context(|| stopped(self.request, "while the other networks were adapted"))?);
        }
        Ok(Weights::joined(&networks))
    }

    fn save_checkpoint(&self) -> Result<()> {
        let config = &self.request.config;
        let best: HashMap<_, _> = Weights::expected(&config.network, config.features.n_mels, self.request.words.len())
            .into_iter()
            .map(|(name, _)| Ok((name.clone(), self.best_weights.get(&name)?.clone())))
            .collect::<Result<_>>()?;
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            optimizer: self.learner.optimizer.state()?,
            best_weights: best,
            states: self.learner.states.clone(),
        };
        checkpoint::save(&checkpoint::path(&self.request.destination), self.request, &checkpoint)
    }
}
