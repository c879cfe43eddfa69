//! One optimiser step's gradient, computed by data-parallel threads.
//!
//! Each shard runs its rows through a graph of its own, so there is no barrier inside a step; the gradients are summed in the
//! order of the shards, so the same number of shards gives the same sums.

use candle_core::{Device, Result, Tensor};

use super::TrainConfig;
use super::dropout::SeededDropout;
use super::loss::BatchLoss;
use super::optimizer::{Gradients, Optimizer};
use super::teacher::{Teacher, mean_logits};
use crate::dataset::Batch;
use crate::model::{Network, NetworkState};

/// What one step of all shards brought.
pub(super) struct StepResult {
    pub(super) loss: f64,
    pub(super) gradients: Gradients,
    /// The state after the batch, one entry a shard.
    pub(super) states: Vec<ShardState>,
}

/// What the rows of a shard carry from batch to batch.
#[derive(Debug, Clone)]
pub(super) struct ShardState {
    /// In the network that learns.
    pub(super) learner: NetworkState,
    /// In each of its teachers.
    pub(super) teachers: Vec<NetworkState>,
}

/// The rows of shard `shard`, of `n_rows` in all.
pub(super) fn shard_rows(shard: usize, n_shards: usize, n_rows: usize) -> std::ops::Range<usize> {
    n_rows * shard / n_shards..n_rows * (shard + 1) / n_shards
}

/// Runs `batch` forward and backward from `states`.
///
/// # Errors
/// When a shape does not fit.
pub(super) fn run_step(
    config: &TrainConfig,
    optimizer: &Optimizer,
    batch: &Batch,
    teachers: &[Teacher],
    states: &[ShardState],
    dropout_seed: u64,
) -> Result<StepResult> {
    let batch_loss = BatchLoss::new(config, batch, !teachers.is_empty());
    let run_shard = |shard: usize| -> Result<(f64, Gradients, ShardState)> {
        let rows = shard_rows(shard, config.n_shards, batch.n_rows);
        let network = Network::new(&config.network, config.features.n_mels, &optimizer.variables())
            .map_err(candle_core::Error::wrap)?;
        let (n_frames, n_mels) = (batch.n_frames, config.features.n_mels);
        let features = &batch.features[rows.start * n_frames * n_mels..rows.end * n_frames * n_mels];
        let features = Tensor::from_slice(features, (rows.len(), n_frames, n_mels), &Device::Cpu)?;
        let mut dropout = SeededDropout::new(dropout_seed.wrapping_add(shard as u64), config.dropout);
        let (logits, learner) = network.seq(&features, &states[shard].learner, &mut dropout)?;
        let mut state = ShardState { learner: learner.detached(), teachers: Vec::new() };
        let taught = if teachers.is_empty() {
            None
        } else {
            let (taught, teacher_states) = mean_logits(teachers, &features, &states[shard].teachers)?;
            state.teachers = teacher_states;
            Some(taught)
        };
        let loss = batch_loss.of_rows(rows, &logits, taught.as_ref())?;
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
    let mut total = StepResult { loss: 0.0, gradients: Gradients::new(), states: Vec::new() };
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

/// Resets the rows of `states` for which `is_reset` (over all rows of the batch) says so.
///
/// # Errors
/// When a tensor cannot be made.
pub(super) fn reset_rows(states: &mut [ShardState], is_reset: &[bool]) -> Result<()> {
    let n_shards = states.len();
    for (shard, state) in states.iter_mut().enumerate() {
        let rows = shard_rows(shard, n_shards, is_reset.len());
        for state in std::iter::once(&mut state.learner).chain(&mut state.teachers) {
            *state = state.reset_rows(&is_reset[rows.clone()])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, RecurrentCell};

    #[test]
    fn rows_are_reset_with_all_that_they_carry() {
        let ones = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        for cell in RecurrentCell::ALL {
            let n_carried = cell.state_size(ModelConfig::default().hidden_size);
            let state = || NetworkState {
                convolution_tails: vec![ones(&[2, 3, 4])],
                recurrent: vec![ones(&[2, n_carried]), ones(&[2, n_carried])],
                is_new: None,
            };
            let shard = || ShardState { learner: state(), teachers: vec![state()] };
            let mut states = [shard(), shard()];
            reset_rows(&mut states, &[false, true, true, false]).unwrap();
            for (shard, kept) in states.iter().zip([[1.0, 0.0], [0.0, 1.0]]) {
                for state in [&shard.learner, &shard.teachers[0]] {
                    for tensor in state.convolution_tails.iter().chain(&state.recurrent) {
                        let rows = tensor.flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
                        assert!(rows.iter().zip(kept).all(|(row, kept)| row.iter().all(|&value| value == kept)));
                    }
                    let is_new = state.is_new.as_ref().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    assert!(is_new.iter().zip(kept).all(|(is_new, kept)| *is_new == 1.0 - kept));
                }
            }
        }
    }
}
