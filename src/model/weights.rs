//! Named tensors of a network, and their way from and to safetensors.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use super::directions::{DirectionNames, direction_suffixes};
use super::{ModelConfig, NamedTensors};

/// What is wrong with a set of weights.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor could not be made from the bytes.
    #[error("unreadable tensor: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The configuration names a tensor that is not there.
    #[error("tensor '{name}' is missing; the file has {found}")]
    Missing {
        /// The tensor that was looked for.
        name: String,
        /// Names in the file.
        found: String,
    },
    /// A tensor has another shape than the configuration gives it.
    #[error("tensor '{name}' has shape {found:?}; the configuration makes it {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape by the configuration.
        expected: Vec<usize>,
    },
    /// A weight is NaN or infinite.
    #[error("tensor '{name}' holds a weight that is not finite; the training diverged or the file is damaged")]
    NotFinite {
        /// The tensor.
        name: String,
    },
}

/// All weights of a network by name, in `f32`.
///
/// Names and order of the recurrent tensors follow PyTorch (`gru.weight_ih_l0 (3H, I)`, gates r, z, n;
/// `lstm.weight_ih_l0 (4H, I)`, gates i, f, g, o; `rnn.weight_ih_l0 (H, I)`), except that the two bias vectors are folded into
/// one: they only ever appear as sums, but for the n of the GRU, whose `gru.bias_l0 (4H)` is `[b_r, b_z, b_in, b_hn]`.
/// A backward direction's names end in `_reverse`; layers above the first then read `2H` inputs. A learned initial state is
/// `gru.initial_l0 (H)`, the LSTM's `(2H)`, h and then c.
/// Convolutions are `conv0.weight (C, kernel·inputs)`, the window flattened with time outermost.
#[derive(Debug, Clone)]
pub struct Weights {
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Wraps tensors as they are.
    pub fn new(tensors: HashMap<String, Tensor>) -> Self {
        Self { tensors }
    }

    /// Every tensor that a network of this shape has, as (name, shape).
    pub fn expected(config: &ModelConfig, n_mels: usize, n_words: usize) -> Vec<(String, Vec<usize>)> {
        let mut expected = Vec::new();
        for (i, convolution) in config.convolutions.iter().enumerate() {
            let n_inputs = config.convolution_input_size(i, n_mels);
            expected.push((format!("conv{i}.weight"), vec![convolution.channels, convolution.kernel * n_inputs]));
            expected.push((format!("conv{i}.bias"), vec![convolution.channels]));
        }
        let (cell, hidden) = (config.cell, config.hidden_size);
        let n_lines = cell.n_gates() * hidden;
        for layer in 0..config.n_layers {
            let n_inputs =
                if layer == 0 { config.recurrent_input_size(n_mels) } else { config.recurrent_output_size() };
            for suffix in direction_suffixes(config) {
                let names = DirectionNames::new(config, layer, suffix);
                expected.push((names.weight_ih, vec![n_lines, n_inputs]));
                expected.push((names.weight_hh, vec![n_lines, hidden]));
                expected.push((names.bias, vec![cell.n_bias_parts() * hidden]));
                expected.extend(names.initial.map(|name| (name, vec![cell.state_size(hidden)])));
            }
        }
        expected.push(("head.weight".into(), vec![n_words, config.recurrent_output_size()]));
        expected.push(("head.bias".into(), vec![n_words]));
        expected
    }

    /// Writes safetensors bytes with `metadata` in the header.
    ///
    /// # Errors
    /// When a tensor cannot be serialised.
    pub fn to_safetensors(&self, metadata: HashMap<String, String>) -> Result<Vec<u8>, WeightsError> {
        // Sorted, so that the same weights give the same bytes and so the same hash.
        let mut tensors: Vec<(&String, &Tensor)> = self.tensors.iter().collect();
        tensors.sort_by_key(|(name, _)| *name);
        Ok(safetensors::serialize(tensors, Some(metadata))?)
    }

    /// The weights of each network: the one whose tensors have plain names, then those of `network1.`, `network2.` and so on.
    pub fn networks(&self) -> impl Iterator<Item = Self> + '_ {
        let n_networks = 1
            + (1..)
                .take_while(|idx| self.tensors.contains_key(&format!("{}head.weight", network_prefix(*idx))))
                .count();
        (0..n_networks).map(move |idx| {
            let prefix = network_prefix(idx);
            let own = self.tensors.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(&prefix)?;
                (!name.starts_with(PREFIX)).then(|| (name.to_owned(), tensor.clone()))
            });
            Self { tensors: own.collect() }
        })
    }

    /// One set of weights of several networks of the same shape, whose mean is to decide.
    pub fn joined(networks: &[Self]) -> Self {
        let tensors = networks.iter().enumerate().flat_map(|(idx, weights)| {
            let named =
                move |(name, tensor): (&String, &Tensor)| (format!("{}{name}", network_prefix(idx)), tensor.clone());
            weights.tensors.iter().map(named)
        });
        Self { tensors: tensors.collect() }
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// When it is missing; the names that are there are listed.
    pub fn get(&self, name: &str) -> Result<&Tensor, WeightsError> {
        self.tensors.get(name).ok_or_else(|| missing(name, self.tensors.keys().cloned().collect()))
    }

    /// How many numbers there are in all.
    pub fn n_parameters(&self) -> usize {
        self.tensors.values().map(Tensor::elem_count).sum()
    }
}

impl NamedTensors for Weights {
    fn dims(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        Ok(self.get(name)?.dims().to_vec())
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        numbers(self.get(name)?)
    }
}

/// That there is no tensor `name` among those that were `found`.
pub(super) fn missing(name: &str, mut found: Vec<String>) -> WeightsError {
    found.sort_unstable();
    WeightsError::Missing { name: name.into(), found: found.join(", ") }
}

/// A tensor's numbers, row-major.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, WeightsError> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// What the names of the second network's tensors and all further ones' begin with.
pub(super) const PREFIX: &str = "network";

pub(super) fn network_prefix(idx: usize) -> String {
    if idx == 0 { String::new() } else { format!("{PREFIX}{idx}.") }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn networks_that_are_joined_come_apart_again() {
        let weights = |value: f32| {
            let tensor = Tensor::new(&[value], &Device::Cpu).unwrap();
            Weights::new(HashMap::from(["head.weight", "conv0.bias"].map(|name| (name.to_owned(), tensor.clone()))))
        };
        let joined = Weights::joined(&[weights(1.0), weights(2.0), weights(3.0)]);
        assert_eq!(joined.n_parameters(), 6);
        let values: Vec<Vec<f32>> = joined.networks().map(|network| network.values("conv0.bias").unwrap()).collect();
        assert_eq!(values, [[1.0], [2.0], [3.0]]);
        assert!(joined.networks().all(|network| network.tensors.len() == 2));
    }
}
