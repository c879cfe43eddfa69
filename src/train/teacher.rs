//! Trained networks that a new one learns from: what they make of every step says more than its label does, and the mean of several
//! is right more often than any of them (Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network").

use anyhow::{Result, bail, ensure};
use candle_core::{Device, Tensor};

use super::{LossKind, TrainConfig};
use crate::bundle::Bundle;
use crate::model::{Network, NetworkState};
use crate::names::same_word;

/// A network that teaches. It hears what the learner hears, with a state of its own that goes on from batch to batch.
pub struct Teacher {
    network: Network,
    /// What tells it from others: the hash of its model's weights, and which network of the model it is.
    pub(super) hash: String,
    /// Its outputs for the learner's words, in their order.
    columns: Tensor,
}

impl Teacher {
    /// The networks of the model that `name` named, for a learner of `words`.
    ///
    /// # Errors
    /// When the model lacks a word, sees other features or has steps of another length than `config`, or the loss has no use for it.
    pub fn all(name: &str, bundle: &Bundle, words: &[String], config: &TrainConfig) -> Result<Vec<Self>> {
        // It would tell the very times that the loss leaves open.
        ensure!(
            config.loss.kind != LossKind::Ctc,
            "the teacher {name} says what every step is to be, which train.loss.kind = \"ctc\" leaves to the network; choose \
             \"cross_entropy\" or \"max_pooling\", or leave out --teacher"
        );
        let manifest = &bundle.manifest;
        ensure!(
            manifest.features == config.features,
            "the teacher {name} sees other features than train.features asks for; choose one that was trained on the same"
        );
        let (found, expected) = (manifest.model.frames_per_step(), config.network.frames_per_step());
        ensure!(
            found == expected,
            "the teacher {name} takes {found} feature frames a step, train.network {expected}; choose one with the same strides"
        );
        let columns: Vec<u32> = (words.iter())
            .map(|word| {
                let Some(place) = manifest.words.iter().position(|entry| same_word(&entry.name, word)) else {
                    let known: Vec<&str> = manifest.words.iter().map(|entry| entry.name.as_str()).collect();
                    bail!("the teacher {name} does not know '{word}'; its words are {}", known.join(", "));
                };
                Ok(place as u32)
            })
            .collect::<Result<_>>()?;
        let columns = Tensor::new(columns, &Device::Cpu)?;
        (bundle.weights.networks().enumerate())
            .map(|(idx, network)| {
                Ok(Self {
                    network: Network::new(&manifest.model, manifest.features.n_mels, &network?.weights()?)?,
                    hash: format!("{}/{idx}", manifest.weights.sha256),
                    columns: columns.clone(),
                })
            })
            .collect()
    }

    /// Its state where `n_rows` streams begin.
    ///
    /// # Errors
    /// When the tensors cannot be allocated.
    pub(super) fn zero_state(&self, n_rows: usize) -> candle_core::Result<NetworkState> {
        self.network.zero_state(n_rows)
    }
}

/// The mean of the teachers' logits `(batch, steps, n_words)` over `features` `(batch, time, n_mels)`, and their states after it.
///
/// # Errors
/// When shapes do not fit.
pub(super) fn mean_logits(
    teachers: &[Teacher],
    features: &Tensor,
    states: &[NetworkState],
) -> candle_core::Result<(Tensor, Vec<NetworkState>)> {
    let mut next = Vec::with_capacity(teachers.len());
    let mut sum: Option<Tensor> = None;
    for (teacher, state) in teachers.iter().zip(states) {
        let (logits, state) = teacher.network.seq(features, state, &mut ())?;
        let logits = logits.index_select(&teacher.columns, 2)?;
        next.push(state.detached());
        sum = Some(match sum {
            Some(sum) => (sum + logits)?,
            None => logits,
        });
    }
    let Some(sum) = sum else { candle_core::bail!("there are no teachers") };
    Ok(((sum / teachers.len() as f64)?, next))
}
