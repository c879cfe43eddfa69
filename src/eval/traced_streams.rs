//! A set of streams that has been heard: thresholds are tried on it again and again.

use super::{EvalStream, Trace, WordTraces, run_streams};
use crate::features::FeatureConfig;
use crate::model::{ModelConfig, StreamingNetwork};

/// Streams with their traces under one network: what thresholds are tried on.
pub struct TracedStreams<'a> {
    streams: &'a [EvalStream],
    traces: Vec<Trace>,
    samples_per_step: u64,
    warm_up_samples: u64,
}

impl<'a> TracedStreams<'a> {
    /// Runs `network`, of this shape, over the streams.
    pub fn new(
        network: &StreamingNetwork,
        features: &FeatureConfig,
        model: &ModelConfig,
        streams: &'a [EvalStream],
    ) -> Self {
        Self {
            traces: run_streams(network, streams),
            samples_per_step: (model.frames_per_step() * features.hop_length_samples) as u64,
            warm_up_samples: model.warm_up_ms.samples(features.sample_rate()),
            streams,
        }
    }

    /// What there is of one word.
    pub fn word(&self, word_idx: usize) -> WordTraces<'_> {
        WordTraces {
            word_idx,
            streams: self.streams,
            traces: &self.traces,
            samples_per_step: self.samples_per_step,
            warm_up_samples: self.warm_up_samples,
        }
    }
}
