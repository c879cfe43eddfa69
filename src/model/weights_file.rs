//! The safetensors bytes of one network or several, read a tensor at a time: a model that runs needs them packed and not as
//! tensors, and never all at once.

use std::borrow::Cow;
use std::collections::HashMap;

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::weights::{PREFIX, missing, network_prefix, numbers};
use super::{NamedTensors, Weights, WeightsError};

/// Weights as they lie in a file or in the program.
#[derive(Debug, Clone)]
pub struct WeightsFile {
    bytes: Cow<'static, [u8]>,
    n_networks: usize,
}

impl WeightsFile {
    /// Reads the header; gives the file and its metadata.
    ///
    /// # Errors
    /// When the bytes are not safetensors.
    pub fn read(bytes: Cow<'static, [u8]>) -> Result<(Self, HashMap<String, String>), WeightsError> {
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = SafeTensors::deserialize(&bytes)?;
        let has = |idx: &usize| tensors.tensor(&format!("{}head.weight", network_prefix(*idx))).is_ok();
        let n_networks = 1 + (1..).take_while(has).count();
        Ok((Self { bytes, n_networks }, metadata))
    }

    /// How many networks there are.
    pub fn n_networks(&self) -> usize {
        self.n_networks
    }

    /// Each network, one after the other: the one whose tensors have plain names, then those of `network1.`, `network2.` and so on.
    ///
    /// # Errors
    /// When the bytes are not what they were.
    pub fn networks(&self) -> impl Iterator<Item = Result<NetworkInFile<'_>, WeightsError>> + '_ {
        (0..self.n_networks).map(|idx| {
            Ok(NetworkInFile { tensors: SafeTensors::deserialize(&self.bytes)?, prefix: network_prefix(idx) })
        })
    }

    /// The weights of all of them together.
    ///
    /// # Errors
    /// As [`networks`](Self::networks).
    pub fn all(&self) -> Result<Weights, WeightsError> {
        let networks = self.networks().map(|network| network?.weights());
        Ok(Weights::joined(&networks.collect::<Result<Vec<_>, _>>()?))
    }
}

/// One network of a file. Its tensors are read when they are asked for, one at a time.
pub struct NetworkInFile<'a> {
    tensors: SafeTensors<'a>,
    prefix: String,
}

impl NetworkInFile<'_> {
    /// The names of its tensors, as the configuration has them.
    fn names(&self) -> impl Iterator<Item = String> + '_ {
        let names = self.tensors.names().into_iter().filter_map(|name| name.strip_prefix(&self.prefix));
        names.filter(|name| !name.starts_with(PREFIX)).map(str::to_owned)
    }

    fn tensor(&self, name: &str) -> Result<Tensor, WeightsError> {
        match self.tensors.tensor(&format!("{}{name}", self.prefix)) {
            Ok(view) => Ok(view.load(&Device::Cpu)?),
            Err(_) => Err(missing(name, self.names().collect())),
        }
    }

    /// All of them, in memory.
    ///
    /// # Errors
    /// When a tensor cannot be made from its bytes.
    pub fn weights(&self) -> Result<Weights, WeightsError> {
        let named = self.names().map(|name| Ok((name.clone(), self.tensor(&name)?)));
        Ok(Weights::new(named.collect::<Result<_, WeightsError>>()?))
    }
}

impl NamedTensors for NetworkInFile<'_> {
    fn dims(&self, name: &str) -> Result<Vec<usize>, WeightsError> {
        let view = self.tensors.tensor(&format!("{}{name}", self.prefix));
        Ok(view.map_err(|_| missing(name, self.names().collect()))?.shape().to_vec())
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        numbers(&self.tensor(name)?)
    }
}
