//! A set of streams that has been heard: thresholds are tried on it again and again.

use super::{EvalStream, StreamLayout, Trace, WordScores};
use crate::detector::TriggerConfig;
use crate::features::FeatureConfig;
use crate::model::{ModelConfig, StreamingNetwork};
use crate::parallel;

/// How a network divides time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTiming {
    /// Length of a step, in samples.
    pub samples_per_step: u64,
    /// Length of a stream's start that suppresses events, in samples.
    pub warm_up_samples: u64,
}

impl StepTiming {
    /// That of a model.
    pub fn new(features: &FeatureConfig, model: &ModelConfig) -> Self {
        Self {
            samples_per_step: model.samples_per_step(features.hop_length_samples),
            warm_up_samples: model.warm_up_ms.samples(features.sample_rate()),
        }
    }
}

/// Streams with their traces under one network: what thresholds are tried on.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedStreams {
    /// What lies where in each stream, and what the network made of it.
    pub streams: Vec<(StreamLayout, Trace)>,
    /// How the network divides time.
    pub timing: StepTiming,
}

impl TracedStreams {
    /// Runs `network` over each stream, on as many threads as the machine has.
    pub fn new(network: &StreamingNetwork, timing: StepTiming, streams: &[EvalStream]) -> Self {
        let run = |_: &mut (), stream: &EvalStream| (stream.layout.clone(), Trace::new(network, &stream.frames));
        Self { streams: parallel::map("tw-eval", streams, parallel::n_cores(), || (), run, &|_, _| {}), timing }
    }

    /// The scores of one word under the smoothing of `trigger`.
    pub fn word(&self, word_idx: usize, trigger: TriggerConfig) -> WordScores<'_> {
        WordScores::new(self, word_idx, trigger)
    }

    /// Length of what counts as hours in which events are false.
    pub fn negative_hours(&self) -> f64 {
        let n_samples: u64 = self.streams.iter().map(|(layout, _)| layout.n_negative_samples).sum();
        crate::units::SampleRate::MODEL.seconds(n_samples) / 3600.0
    }
}
