//! The shape of a network.

use serde::{Deserialize, Serialize};

use super::InitialState;
use crate::kernels::RecurrentCell;
use crate::units::Milliseconds;

/// One causal strided convolution over time, followed by a ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionConfig {
    /// Output channels.
    pub channels: usize,
    /// Input frames under the kernel.
    pub kernel: usize,
    /// Input frames from one output to the next; at most `kernel`.
    pub stride: usize,
}

/// The shape of a network, and how long it is left to settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// From the features inwards.
    pub convolutions: Vec<ConvolutionConfig>,
    /// The cell of the recurrent layers; a GRU where nothing is said, as in models from before there was a choice.
    #[serde(default)]
    pub cell: RecurrentCell,
    /// Width of every recurrent layer.
    pub hidden_size: usize,
    /// Number of recurrent layers.
    pub n_layers: usize,
    /// Where the recurrent layers begin.
    #[serde(default)]
    pub initial_state: InitialState,
    /// Whether each recurrent layer also runs backward, from what follows. Such a network labels recordings and cannot listen.
    #[serde(default)]
    pub bidirectional: bool,
    /// Steps that the backward direction hears of what follows, at least; without one it means nothing.
    #[serde(default = "default_look_ahead_steps")]
    pub look_ahead_steps: usize,
    /// Audio at the start of a stream for which the state has not settled: its steps run, its events are suppressed
    /// and counted.
    pub warm_up_ms: Milliseconds,
}

const fn default_look_ahead_steps() -> usize {
    20
}

impl Default for ModelConfig {
    /// One step every 80 ms: with 10 ms feature frames the strides are 4 and 2.
    fn default() -> Self {
        Self {
            convolutions: vec![
                ConvolutionConfig { channels: 96, kernel: 10, stride: 4 },
                ConvolutionConfig { channels: 96, kernel: 5, stride: 2 },
            ],
            cell: RecurrentCell::Gru,
            hidden_size: 96,
            n_layers: 2,
            initial_state: InitialState::Zero,
            bidirectional: false,
            look_ahead_steps: default_look_ahead_steps(),
            warm_up_ms: Milliseconds(240),
        }
    }
}

/// A model configuration that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model.{key} is {found}; expected {expected}")]
pub struct ModelConfigError {
    key: String,
    found: String,
    expected: String,
}

impl ModelConfigError {
    pub(super) fn new(key: &str, found: impl ToString, expected: &str) -> Self {
        Self { key: key.into(), found: found.to_string(), expected: expected.into() }
    }
}

impl ModelConfig {
    /// Feature frames that one step of the recurrent layers consumes.
    pub fn frames_per_step(&self) -> usize {
        self.convolutions.iter().map(|convolution| convolution.stride).product()
    }

    /// Samples that one step consumes, of features with this hop length.
    pub fn samples_per_step(&self, hop_length_samples: usize) -> u64 {
        (self.frames_per_step() * hop_length_samples) as u64
    }

    /// Width of the recurrent layers' input.
    pub(super) fn recurrent_input_size(&self, n_mels: usize) -> usize {
        self.convolutions.last().map_or(n_mels, |convolution| convolution.channels)
    }

    /// Width of a recurrent layer's output, all directions together.
    pub fn recurrent_output_size(&self) -> usize {
        self.hidden_size * super::directions::direction_suffixes(self).len()
    }

    /// Input width of convolution `layer`.
    pub(super) fn convolution_input_size(&self, layer: usize, n_mels: usize) -> usize {
        layer.checked_sub(1).map_or(n_mels, |previous| self.convolutions[previous].channels)
    }

    /// Checks every key against its range.
    ///
    /// # Errors
    /// Names the first key that is out of range, with what was found and what is possible.
    pub fn validate(&self) -> Result<(), ModelConfigError> {
        let check = |key: String, found: usize, range: std::ops::RangeInclusive<usize>| {
            if range.contains(&found) {
                Ok(())
            } else {
                Err(ModelConfigError::new(&key, found, &format!("{} to {}", range.start(), range.end())))
            }
        };
        check("hidden_size".into(), self.hidden_size, 1..=1024)?;
        check("n_layers".into(), self.n_layers, 1..=8)?;
        check("look_ahead_steps".into(), self.look_ahead_steps, 1..=1000)?;
        check("convolutions (their number)".into(), self.convolutions.len(), 0..=4)?;
        for (i, convolution) in self.convolutions.iter().enumerate() {
            check(format!("convolutions[{i}].channels"), convolution.channels, 1..=1024)?;
            check(format!("convolutions[{i}].kernel"), convolution.kernel, 1..=64)?;
            check(format!("convolutions[{i}].stride"), convolution.stride, 1..=convolution.kernel)?;
        }
        check("convolutions (product of strides)".into(), self.frames_per_step(), 1..=64)?;
        check("warm_up_ms".into(), self.warm_up_ms.0 as usize, 0..=10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_steps_every_eight_frames() {
        let config = ModelConfig::default();
        config.validate().unwrap();
        assert_eq!(config.frames_per_step(), 8);
    }

    #[test]
    fn a_configuration_without_a_cell_is_of_a_gru_and_an_unknown_cell_is_told_the_choices() {
        let text = "convolutions = []\nhidden_size = 8\nn_layers = 1\nwarm_up_ms = 0\n";
        assert_eq!(toml::from_str::<ModelConfig>(text).unwrap().cell, RecurrentCell::Gru);
        for cell in RecurrentCell::ALL {
            let text = format!("{text}cell = \"{}\"\n", cell.name());
            assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap().cell, cell);
        }
        let message = toml::from_str::<ModelConfig>(&format!("{text}cell = \"gur\"\n")).unwrap_err().to_string();
        assert!(message.contains("unknown variant `gur`, expected one of `gru`, `lstm`, `rnn`"), "{message}");
    }

    #[test]
    fn a_stride_beyond_the_kernel_would_skip_frames_and_is_refused() {
        let mut config = ModelConfig::default();
        config.convolutions[0].stride = 11;
        let message = config.validate().unwrap_err().to_string();
        assert_eq!(message, "model.convolutions[0].stride is 11; expected 1 to 10");
    }
}
