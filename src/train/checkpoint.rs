//! Checkpoints: all that a run needs to go on as if it had never stopped.
//!
//! One safetensors file: optimiser state, carried network states, best weights; the header holds the configuration and the
//! progress as JSON. It is written beside and renamed, so an interruption leaves the last whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::carried::{CarriedState, Segment};
use super::shard::ShardState;
use super::{TrainConfig, TrainRequest};
use crate::difference::first_difference;
use crate::files::write_whole;
use crate::model::NetworkState;

const METADATA_KEY: &str = "tripword-checkpoint";

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) n_steps: u64,
    /// Step, and what validation made of it; lower is better.
    pub(super) best: Option<(u64, f64)>,
    pub(super) n_validations_without_better: u64,
    /// Hard negatives as (clip, variant, centre frame).
    pub(super) hard_negatives: Vec<(usize, usize, usize)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    config: TrainConfig,
    words: Vec<String>,
    /// SHA-256 of the weights that an adaptation began with.
    #[serde(default)]
    base: Option<String>,
    /// Hashes of the teachers' weights.
    #[serde(default)]
    teachers: Vec<String>,
    progress: Progress,
}

/// The content of a checkpoint.
pub(super) struct Checkpoint {
    pub(super) progress: Progress,
    pub(super) optimizer: HashMap<String, Tensor>,
    pub(super) best_weights: HashMap<String, Tensor>,
    pub(super) states: Vec<ShardState>,
}

/// The file of the run that will make the model folder `destination`.
pub fn path(destination: &Path) -> PathBuf {
    let mut name = destination.file_name().unwrap_or_default().to_os_string();
    name.push(".checkpoint");
    destination.with_file_name(name)
}

/// Writes `checkpoint` to `path`, whole or not at all.
///
/// # Errors
/// When the disk refuses.
pub(super) fn save(path: &Path, request: &TrainRequest, checkpoint: &Checkpoint) -> Result<()> {
    let mut tensors: HashMap<String, &Tensor> = HashMap::new();
    tensors.extend(checkpoint.optimizer.iter().map(|(name, tensor)| (format!("optimizer/{name}"), tensor)));
    tensors.extend(checkpoint.best_weights.iter().map(|(name, tensor)| (format!("best/{name}"), tensor)));
    // Masks of rows, as numbers.
    let mut resets: Vec<(String, Tensor)> = Vec::new();
    for (shard, state) in checkpoint.states.iter().enumerate() {
        for (network, state) in std::iter::once(&state.learner.state).chain(&state.teachers).enumerate() {
            let new = state.is_new.as_slice();
            for (part, list) in [("tail", &state.convolution_tails[..]), ("hidden", &state.recurrent), ("new", new)] {
                let list = list.iter().enumerate();
                tensors.extend(list.map(|(i, tensor)| (format!("state/{shard}/{network}/{part}/{i}"), tensor)));
            }
        }
        for (i, segment) in state.learner.segments.iter().enumerate() {
            tensors.insert(format!("segment/{shard}/{i}/features"), &segment.features);
            if let Some(is_reset) = &segment.is_reset {
                let numbers: Vec<u8> = is_reset.iter().map(|&reset| reset.into()).collect();
                resets.push((format!("segment/{shard}/{i}/reset"), Tensor::new(numbers, &Device::Cpu)?));
            }
        }
    }
    tensors.extend(resets.iter().map(|(name, tensor)| (name.clone(), tensor)));
    let header = Header {
        config: request.config.clone(),
        words: request.words.clone(),
        base: base_of(request).map(str::to_owned),
        teachers: request.teacher_hashes(),
        progress: checkpoint.progress.clone(),
    };
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), serde_json::to_string(&header)?)]);
    let bytes = safetensors::serialize(tensors, Some(metadata))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    write_whole(path, &bytes).with_context(|| format!("cannot write the checkpoint {}", path.display()))?;
    Ok(())
}

/// The fingerprint of the weights that the run begins with.
fn base_of(request: &TrainRequest) -> Option<&str> {
    request.adaptation.as_ref().map(|adaptation| adaptation.base.sha256.as_str())
}

/// Reads the checkpoint at `path` of a run with this configuration, words, beginning and teachers; `None` when there is none.
///
/// # Errors
/// When the file is damaged or belongs to another run; the first thing that differs is named.
pub(super) fn load(path: &Path, request: &TrainRequest) -> Result<Option<Checkpoint>> {
    let TrainRequest { config, words, .. } = request;
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read the checkpoint {}", path.display())),
    };
    let damaged = || format!("the checkpoint {} is damaged; delete it to start afresh", path.display());
    let (_, file_header) = safetensors::SafeTensors::read_metadata(&bytes).with_context(damaged)?;
    let text = file_header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
    let header: Header = serde_json::from_str(text.map_or("", String::as_str)).with_context(damaged)?;
    if header.base.as_deref() != base_of(request) {
        bail!(
            "the checkpoint {} began with other weights than this run does; give the same --from, or delete it to start afresh",
            path.display()
        );
    }
    if header.words != *words {
        bail!("the checkpoint {} is for the words {:?}, this run is for {words:?}", path.display(), header.words);
    }
    let teachers = request.teacher_hashes();
    if header.teachers != teachers {
        bail!(
            "the checkpoint {} was made with {} teachers, this run has {} or others; resume with the same ones",
            path.display(),
            header.teachers.len(),
            teachers.len()
        );
    }
    if let Some(difference) = setting_that_differs(&header.config, config)? {
        bail!(
            "the checkpoint {} was made with {difference}; resume with the same settings, or delete it to start afresh",
            path.display()
        );
    }
    let mut checkpoint = Checkpoint {
        progress: header.progress,
        optimizer: HashMap::new(),
        best_weights: HashMap::new(),
        states: Vec::new(),
    };
    let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(damaged)?;
    for shard in 0..config.n_shards {
        let mut state = |network: usize| {
            let mut list = |part: &str| {
                let name = |i: usize| format!("state/{shard}/{network}/{part}/{i}");
                (0..).map_while(|i| tensors.remove(&name(i))).collect::<Vec<Tensor>>()
            };
            let (convolution_tails, recurrent) = (list("tail"), list("hidden"));
            NetworkState { convolution_tails, recurrent, is_new: list("new").pop() }
        };
        let mut learner = CarriedState::new(state(0));
        let teachers = (1..=teachers.len()).map(state).collect();
        while let Some(features) = tensors.remove(&format!("segment/{shard}/{}/features", learner.segments.len())) {
            let reset = tensors.remove(&format!("segment/{shard}/{}/reset", learner.segments.len()));
            let is_reset = |numbers: Vec<u8>| numbers.into_iter().map(|number| number != 0).collect();
            let is_reset = reset.map(|reset| reset.to_vec1().map(is_reset)).transpose().with_context(damaged)?;
            learner.segments.push_back(Segment { features, is_reset });
        }
        checkpoint.states.push(ShardState { learner, teachers });
    }
    for (name, tensor) in tensors {
        if let Some(name) = name.strip_prefix("optimizer/") {
            checkpoint.optimizer.insert(name.to_owned(), tensor);
        } else if let Some(name) = name.strip_prefix("best/") {
            checkpoint.best_weights.insert(name.to_owned(), tensor);
        }
    }
    Ok(Some(checkpoint))
}

/// The first setting that differs, in words. The number of steps may change, since a run can be prolonged; and what helps
/// against divergence.
fn setting_that_differs(saved: &TrainConfig, asked: &TrainConfig) -> Result<Option<String>> {
    let asked = TrainConfig {
        n_steps: saved.n_steps,
        n_mixers: saved.n_mixers,
        learning_rate: saved.learning_rate,
        clip_norm: saved.clip_norm,
        patience: saved.patience,
        ..asked.clone()
    };
    let difference = first_difference("train", &serde_json::to_value(saved)?, &serde_json::to_value(&asked)?);
    Ok(difference.map(|(key, saved, asked)| format!("{key} = {saved}, this run has {asked}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_it_was_written_to_the_bit() {
        // A last bit would decide which of two equal validations is the better one.
        for i in 1..2000 {
            let written = Progress { best: Some((1, f64::from(i) / 2000.3)), ..Progress::default() };
            let read: Progress = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
            assert_eq!(read, written);
        }
    }
}
