//! The safetensors bytes of one network or several, read a network at a time: a model that runs needs them packed and not as
//! tensors, and never all at once.

use std::borrow::Cow;
use std::collections::HashMap;

use candle_core::Device;
use candle_core::safetensors::Load;
use safetensors::SafeTensors;

use super::weights::{PREFIX, network_prefix};
use super::{Weights, WeightsError};

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

    /// The weights of each network, one after the other: the one whose tensors have plain names, then those of `network1.`,
    /// `network2.` and so on.
    ///
    /// # Errors
    /// When a tensor cannot be made from its bytes.
    pub fn networks(&self) -> impl Iterator<Item = Result<Weights, WeightsError>> + '_ {
        (0..self.n_networks).map(|idx| {
            let prefix = network_prefix(idx);
            let tensors = SafeTensors::deserialize(&self.bytes)?;
            let own = tensors.iter().filter_map(|(name, view)| {
                let name = name.strip_prefix(&prefix)?;
                (!name.starts_with(PREFIX)).then(|| Ok((name.to_owned(), view.load(&Device::Cpu)?)))
            });
            Ok(Weights::new(own.collect::<Result<_, WeightsError>>()?))
        })
    }

    /// The weights of all of them together.
    ///
    /// # Errors
    /// As [`networks`](Self::networks).
    pub fn all(&self) -> Result<Weights, WeightsError> {
        Ok(Weights::joined(&self.networks().collect::<Result<Vec<_>, _>>()?))
    }
}
