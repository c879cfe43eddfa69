//! Initial weights, from a seed.

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::model::{ModelConfig, RecurrentCell, Weights};

/// The head starts out doubtful: at a probability of about 0.05 for every word, since words are rare.
const HEAD_BIAS: f32 = -3.0;

/// An LSTM starts out remembering: with a forget gate of a bias of 1, gradients reach far back before anything is learned.
const FORGET_BIAS: f32 = 1.0;

/// Uniform weights within ±1/√n: n is the fan-in of convolutions and head, the hidden size of all recurrent tensors (as in
/// PyTorch). candle's own random numbers on the CPU cannot be seeded.
///
/// # Errors
/// When a tensor cannot be made.
pub(super) fn initial_weights(config: &ModelConfig, n_mels: usize, n_words: usize, seed: u64) -> Result<Weights> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let recurrent = format!("{}.", config.cell.name());
    let mut fan_in = 1;
    let mut tensors = HashMap::new();
    for (name, shape) in Weights::expected(config, n_mels, n_words) {
        if name.starts_with(&recurrent) {
            fan_in = config.hidden_size;
        } else if let [_, n_inputs] = shape[..] {
            // A bias follows its weight and has the weight's fan-in.
            fan_in = n_inputs;
        }
        let bound = 1.0 / (fan_in as f32).sqrt();
        let mut values: Vec<f32> = (0..shape.iter().product())
            .map(|_| match name.as_str() {
                "head.bias" => HEAD_BIAS,
                // A learned initial state begins as the zero state.
                name if name.contains(".initial_") => 0.0,
                _ => rng.random_range(-bound..bound),
            })
            .collect();
        if config.cell == RecurrentCell::Lstm && name.starts_with("lstm.bias") {
            // Gates i, f, g, o.
            values[config.hidden_size..2 * config.hidden_size].fill(FORGET_BIAS);
        }
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(Weights::new(tensors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamedTensors;

    #[test]
    fn only_the_forget_gate_of_an_lstm_starts_with_a_bias_of_its_own() {
        for cell in RecurrentCell::ALL {
            let config = ModelConfig { cell, hidden_size: 16, ..ModelConfig::default() };
            let weights = initial_weights(&config, 40, 2, 1).unwrap();
            weights.check(&config, 40, 2).unwrap();
            for layer in 0..config.n_layers {
                let bias = weights.values(&format!("{}.bias_l{layer}", cell.name())).unwrap();
                for (gate, bias) in bias.chunks(16).enumerate() {
                    let is_forget = cell == RecurrentCell::Lstm && gate == 1;
                    assert!(
                        bias.iter().all(|&b| if is_forget { b == 1.0 } else { b.abs() <= 0.25 }),
                        "{cell:?} {gate}"
                    );
                }
            }
        }
    }
}
