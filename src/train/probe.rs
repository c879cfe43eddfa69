//! How far back through time the network can be reached: the gradient of what it says at one step, at what each recurrent layer
//! hears some steps earlier (Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks").
//!
//! The mixes that it is measured on are the same all through a training; they are of its own kind and never learned from.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var};

use super::history::bounded;
use super::{LayerReach, TrainRequest};
use crate::dataset::{Batch, BatchConfig, BatchStream, Mixer, seed_of};
use crate::model::{LayerInputs, ModelConfig, Network, Weights};

/// Mixes that are looked at.
const N_ROWS: usize = 16;
/// Keeps their random numbers apart from those that are learned from.
const PROBE_PURPOSE: u64 = 0x5052_4f42;

/// Fixed mixes, and the step of each at which the network is asked.
pub(super) struct Probe {
    batch: Batch,
    n_mels: usize,
    /// For each row the last step at which a word is to be heard; the last of all where there is no word.
    asked_steps: Vec<usize>,
}

impl Probe {
    /// Makes the mixes.
    ///
    /// # Errors
    /// When the thread that makes them cannot be started.
    pub(super) fn new(request: &TrainRequest) -> Result<Self> {
        let TrainRequest { config, bank, words, .. } = request;
        let mixer = Mixer::new(bank.clone(), config.mix.clone(), config.network.frames_per_step(), words.len());
        let batches = BatchConfig {
            seed: seed_of(&[config.seed, PROBE_PURPOSE]),
            n_rows: N_ROWS,
            n_workers: 1,
            band_mask_probability: 0.0,
        };
        let batch = BatchStream::start(Arc::new(mixer), batches, 0)?.next_batch()?;
        Ok(Self::of_batch(batch, config.features.n_mels))
    }

    fn of_batch(batch: Batch, n_mels: usize) -> Self {
        let row_len = batch.n_steps * batch.n_words;
        let asked_step = |targets: &[f32]| {
            let last = targets.iter().rposition(|&target| target > 0.5);
            last.map_or(batch.n_steps.saturating_sub(1), |place| place / batch.n_words)
        };
        let asked_steps = batch.targets.chunks(row_len.max(1)).map(asked_step).collect();
        Self { batch, n_mels, asked_steps }
    }

    /// For each recurrent layer the norm of the gradient of the sum of a step's logits at the layer's input, by how many steps
    /// the input lies from that step: the mean over all mixes that reach so far.
    ///
    /// # Errors
    /// When the weights do not fit.
    pub(super) fn reach(&self, config: &ModelConfig, weights: &Weights) -> Result<Vec<LayerReach>> {
        let Batch { n_rows, n_frames, n_steps, n_words, .. } = self.batch;
        let network = Network::new(config, self.n_mels, weights)?;
        let features = Tensor::from_slice(&self.batch.features, (n_rows, n_frames, self.n_mels), &Device::Cpu)?;
        let mut watch = Watch::default();
        let (logits, _) = network.seq(&features, &network.zero_state(n_rows)?, &mut watch)?;
        let mut is_asked = vec![0.0f32; n_rows * n_steps * n_words];
        for (row, &step) in is_asked.chunks_mut((n_steps * n_words).max(1)).zip(&self.asked_steps) {
            row[step * n_words..][..n_words].fill(1.0);
        }
        let is_asked = Tensor::from_vec(is_asked, (n_rows, n_steps, n_words), &Device::Cpu)?;
        let gradients = (logits * is_asked)?.sum_all()?.backward()?;
        // The head, which comes last, has no time to look back through.
        let layers = watch.inputs.iter().take(config.n_layers);
        layers
            .map(|input| {
                let gradient = gradients.get(input).context("a layer's input has no part in the output")?;
                let norms = norms(&gradient.to_vec3()?);
                let later = |asked: usize, distance| Some(asked + distance).filter(|step| *step < n_steps);
                Ok(LayerReach {
                    back: self.by_distance(&norms, usize::checked_sub),
                    ahead: if config.bidirectional { self.by_distance(&norms, later) } else { Vec::new() },
                })
            })
            .collect()
    }

    /// Norms `(rows, steps)` by the distance from the asked step, the means over the rows; `step_at` gives the step at a distance,
    /// if there is one. It goes as far as half of the rows do.
    fn by_distance(&self, norms: &[Vec<f64>], step_at: impl Fn(usize, usize) -> Option<usize>) -> Vec<f32> {
        let at = |distance: usize| -> Option<f32> {
            let rows = norms.iter().zip(&self.asked_steps);
            let found: Vec<f64> = rows.filter_map(|(row, &asked)| Some(row[step_at(asked, distance)?])).collect();
            let is_enough = !found.is_empty() && found.len() * 2 >= norms.len();
            is_enough.then(|| bounded(found.iter().sum::<f64>() / found.len() as f64))
        };
        (0..self.batch.n_steps).map_while(at).collect()
    }

    /// Features `(1, frames, n_mels)` of a mix with a word, as good as any to be shown, and its targets `(steps, n_words)`.
    ///
    /// # Errors
    /// When the tensor cannot be made.
    pub(super) fn example(&self) -> Result<(Tensor, Vec<f32>)> {
        let Batch { n_frames, n_steps, n_words, .. } = self.batch;
        let targets = |row: usize| &self.batch.targets[row * n_steps * n_words..][..n_steps * n_words];
        let n_hot = |row: &usize| targets(*row).iter().filter(|&&target| target > 0.5).count();
        // Of equals the first.
        let row = (0..self.batch.n_rows).rev().max_by_key(n_hot).unwrap_or(0);
        let features = &self.batch.features[row * n_frames * self.n_mels..][..n_frames * self.n_mels];
        Ok((Tensor::from_slice(features, (1, n_frames, self.n_mels), &Device::Cpu)?, targets(row).to_vec()))
    }
}

/// The Euclidean norms of `(rows, steps, width)`.
fn norms(gradients: &[Vec<Vec<f32>>]) -> Vec<Vec<f64>> {
    let norm = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    gradients.iter().map(|row| row.iter().map(norm).collect()).collect()
}

/// Adds nothing to each layer's input, and keeps hold of that nothing: its gradient is the gradient at that place.
#[derive(Default)]
struct Watch {
    inputs: Vec<Var>,
}

impl LayerInputs for Watch {
    fn pass(&mut self, _layer: usize, x: Tensor) -> candle_core::Result<Tensor> {
        let nothing = Var::zeros(x.shape(), DType::F32, x.device())?;
        let watched = (x + nothing.as_tensor())?;
        self.inputs.push(nothing);
        Ok(watched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    use crate::model::RecurrentCell;
    use crate::units::Milliseconds;

    /// A network without convolutions, all of whose numbers are given, over one mel band and one unit a layer.
    fn rnn(n_layers: usize, factor: f32, bidirectional: bool) -> (ModelConfig, Weights) {
        let config = ModelConfig {
            convolutions: Vec::new(),
            cell: RecurrentCell::Rnn,
            hidden_size: 1,
            n_layers,
            bidirectional,
            warm_up_ms: Milliseconds(0),
            ..ModelConfig::default()
        };
        let tensors = Weights::expected(&config, 1, 1).into_iter().map(|(name, shape)| {
            let value = match name.as_str() {
                name if name.contains("weight_hh") => factor,
                name if name.contains("bias") => 0.0,
                _ => 1.0,
            };
            (name, Tensor::full(value, shape, &Device::Cpu).unwrap())
        });
        let tensors: HashMap<_, _> = tensors.collect();
        (config, Weights::new(tensors))
    }

    /// Rows of silence, which the tanh of the cell passes on as it is. A word is to be heard at these steps.
    fn probe(n_steps: usize, heard_at: &[usize]) -> Probe {
        let n_rows = heard_at.len();
        let mut batch = Batch {
            step: 0,
            n_rows,
            n_frames: n_steps,
            n_steps,
            n_words: 1,
            features: vec![0.0; n_rows * n_steps],
            targets: vec![0.0; n_rows * n_steps],
            weights: vec![1.0; n_rows * n_steps],
            words: vec![Vec::new(); n_rows],
        };
        heard_at.iter().enumerate().for_each(|(row, step)| batch.targets[row * n_steps + step] = 1.0);
        Probe::of_batch(batch, 1)
    }

    #[test]
    fn the_gradient_falls_or_rises_by_the_recurrent_factor_a_step() {
        for factor in [0.5f32, 1.0, 1.25] {
            let (config, weights) = rnn(1, factor, false);
            let reach = probe(30, &[29, 20]).reach(&config, &weights).unwrap();
            assert_eq!(reach.len(), 1);
            assert_eq!(reach[0].back.len(), 30, "one row of two is half of them");
            assert!(reach[0].ahead.is_empty());
            for (distance, &norm) in reach[0].back.iter().enumerate() {
                let (norm, expected) = (f64::from(norm), f64::from(factor).powi(distance as i32));
                assert!((norm / expected - 1.0).abs() < 1e-4, "{factor}, {distance}: {norm} {expected}");
            }
        }
    }

    #[test]
    fn two_directions_reach_both_ways() {
        let (config, weights) = rnn(1, 0.5, true);
        let reach = probe(21, &[10]).reach(&config, &weights).unwrap();
        // Both directions hear the step itself.
        let expected: Vec<f32> =
            (0..11).map(|distance| if distance == 0 { 2.0 } else { 0.5f32.powi(distance) }).collect();
        for found in [&reach[0].back, &reach[0].ahead] {
            assert_eq!(found.len(), 11);
            assert!(found.iter().zip(&expected).all(|(a, b)| (a / b - 1.0).abs() < 1e-4), "{found:?}");
        }
    }

    #[test]
    fn below_another_layer_there_are_more_ways_back() {
        let (config, weights) = rnn(2, 0.5, false);
        let reach = probe(12, &[11]).reach(&config, &weights).unwrap();
        for distance in 0..12 {
            // At each of the steps on the way it may go up.
            let alone = 0.5f64.powi(distance);
            let expected = [alone * f64::from(distance + 1), alone];
            for (layer, expected) in expected.into_iter().enumerate() {
                let norm = f64::from(reach[layer].back[distance as usize]);
                assert!((norm / expected - 1.0).abs() < 1e-4, "{layer}, {distance}: {norm} {expected}");
            }
        }
    }

    #[test]
    fn the_network_is_asked_where_a_word_is_to_be_heard_and_else_at_the_end() {
        let mut probe = probe(5, &[3, 2]);
        assert_eq!(probe.asked_steps, [3, 2]);
        probe.batch.targets.fill(0.0);
        assert_eq!(Probe::of_batch(probe.batch, 1).asked_steps, [4, 4]);
    }
}
