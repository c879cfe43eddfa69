//! Initial weights, from a seed.

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::model::{ModelConfig, Weights};

/// The head starts out doubtful: at a probability of about 0.05 for every word, since words are rare.
const HEAD_BIAS: f32 = -3.0;

/// Uniform weights within ±1/√n: n is the fan-in of convolutions and head, the hidden size of all GRU tensors (as in
/// PyTorch). candle's own random numbers on the CPU cannot be seeded.
///
/// # Errors
/// When a tensor cannot be made.
pub(super) fn initial_weights(config: &ModelConfig, n_mels: usize, n_words: usize, seed: u64) -> Result<Weights> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut fan_in = 1;
    let mut tensors = HashMap::new();
    for (name, shape) in Weights::expected(config, n_mels, n_words) {
        if name.starts_with("gru.") {
            fan_in = config.hidden_size;
        } else if let [_, n_inputs] = shape[..] {
            // A bias follows its weight and has the weight's fan-in.
            fan_in = n_inputs;
        }
        let bound = 1.0 / (fan_in as f32).sqrt();
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| if name == "head.bias" { HEAD_BIAS } else { rng.random_range(-bound..bound) })
            .collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(Weights::new(tensors))
}
