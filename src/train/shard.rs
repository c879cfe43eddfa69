//! The gradient of one update, computed by data-parallel threads.
//!
//! Each shard runs its rows through a graph of its own, so there is no barrier inside an update; the gradients are summed in the
//! order of the shards, so the same number of shards gives the same sums.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};

use super::TrainConfig;
use super::carried::{CarriedState, Segment};
use super::dropout::SeededDropout;
use super::loss::{BatchLoss, Part};
use super::optimizer::{Gradients, Optimizer};
use super::teacher::{Teacher, mean_logits};
use crate::dataset::Batch;
use crate::model::{Network, NetworkState};

/// What one update of all shards brought.
pub(super) struct UpdateResult {
    pub(super) loss: f64,
    pub(super) gradients: Gradients,
    /// The state after it, one entry a shard.
    pub(super) states: Vec<ShardState>,
}

/// What the rows of a shard carry from update to update.
#[derive(Debug, Clone)]
pub(super) struct ShardState {
    /// In the network that learns.
    pub(super) learner: CarriedState,
    /// In each of its teachers.
    pub(super) teachers: Vec<NetworkState>,
}

/// What an update learns from: some steps of all rows of a batch.
pub(super) struct UpdatePart {
    pub(super) steps: Range<usize>,
    /// Rows of the batch that forget everything before; none: no row does.
    pub(super) is_reset: Option<Vec<bool>>,
    /// Steps that are to be kept for the gradient of the next update.
    pub(super) n_kept_steps: usize,
    /// The loss is multiplied by it.
    pub(super) scale: f64,
    pub(super) dropout_seed: u64,
}

/// The rows of shard `shard`, of `n_rows` in all.
pub(super) fn shard_rows(shard: usize, n_shards: usize, n_rows: usize) -> Range<usize> {
    n_rows * shard / n_shards..n_rows * (shard + 1) / n_shards
}

/// Runs `part` of the batch of `batch_loss` forward and backward from `states`.
///
/// # Errors
/// When a shape does not fit.
pub(super) fn run_update(
    config: &TrainConfig,
    optimizer: &Optimizer,
    (batch, batch_loss): (&Batch, &BatchLoss),
    teachers: &[Teacher],
    states: &[ShardState],
    update: &UpdatePart,
) -> Result<UpdateResult> {
    let (n_mels, frames_per_step) = (config.features.n_mels, config.network.frames_per_step());
    let run_shard = |shard: usize| -> Result<(f64, Gradients, ShardState)> {
        let part = Part { rows: shard_rows(shard, config.n_shards, batch.n_rows), steps: update.steps.clone() };
        let network =
            Network::new(&config.network, n_mels, &optimizer.variables()).map_err(candle_core::Error::wrap)?;
        let features = part.of(&batch.features, frames_per_step * n_mels, batch);
        let shape = (part.rows.len(), part.steps.len() * frames_per_step, n_mels);
        let segment = Segment {
            features: Tensor::from_vec(features, shape, &Device::Cpu)?,
            is_reset: update.is_reset.as_ref().map(|is_reset| is_reset[part.rows.clone()].to_vec()),
        };
        let mut state = ShardState { learner: states[shard].learner.clone(), teachers: Vec::new() };
        let taught = if teachers.is_empty() {
            None
        } else {
            let begun: Vec<NetworkState> =
                states[shard].teachers.iter().map(|state| segment.begin(state)).collect::<Result<_>>()?;
            let (taught, teacher_states) = mean_logits(teachers, &segment.features, &begun)?;
            state.teachers = teacher_states;
            Some(taught)
        };
        let mut dropout = SeededDropout::new(update.dropout_seed.wrapping_add(shard as u64), config.dropout);
        let n_kept_frames = update.n_kept_steps * frames_per_step;
        let (logits, learner) = state.learner.hear(&network, segment, n_kept_frames, &mut dropout)?;
        state.learner = learner;
        let loss = (batch_loss.of(&part, &logits, taught.as_ref())? * update.scale)?;
        let store = loss.backward()?;
        let mut gradients = Gradients::new();
        for (name, var) in optimizer.vars() {
            if let Some(gradient) = store.get(var) {
                gradients.insert(name.clone(), gradient.flatten_all()?.to_vec1()?);
            }
        }
        Ok((f64::from(loss.to_scalar::<f32>()?), gradients, state))
    };
    let results: Vec<Result<_>> = std::thread::scope(|scope| {
        let run_shard = &run_shard;
        let threads: Vec<_> = (0..config.n_shards)
            .map(|shard| {
                std::thread::Builder::new()
                    .name(format!("tw-train-{shard}"))
                    .spawn_scoped(scope, move || run_shard(shard))
                    .expect("the system can start a thread")
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut total = UpdateResult { loss: 0.0, gradients: Gradients::new(), states: Vec::new() };
    for result in results {
        let (loss, gradients, state) = result?;
        total.loss += loss;
        total.states.push(state);
        for (name, gradient) in gradients {
            match total.gradients.entry(name) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(gradient);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().iter_mut().zip(&gradient).for_each(|(sum, value)| *sum += value);
                }
            }
        }
    }
    Ok(total)
}
