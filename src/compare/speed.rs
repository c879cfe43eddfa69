//! What listening costs, measured in turn so that the load of the machine hits all configurations alike.
//!
//! One thread, a step at a time, as a stream is heard. The weights are initial ones: what they are does not change the time. The
//! least of several rounds counts: whatever else the machine does only adds.

use anyhow::Result;
use serde::Serialize;

use crate::features::FeatureExtractor;
use crate::model::StreamingNetwork;
use crate::train::{Learner, TrainConfig};
use crate::units::SampleRate;

/// Sound that is heard in a round, in seconds.
const ROUND_S: usize = 10;
const N_ROUNDS: usize = 9;

/// CPU time for a second of sound, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpu {
    /// The network alone.
    pub network_ms: f64,
    /// Features and network.
    pub with_features_ms: f64,
}

/// Measures networks of `n_words` words.
///
/// # Errors
/// When a network cannot be made.
pub(super) fn cpu_times(configs: &[&TrainConfig], n_words: usize) -> Result<Vec<Cpu>> {
    let networks: Vec<StreamingNetwork> = configs
        .iter()
        .map(|config| {
            let weights = Learner::new(config, n_words, [].into())?.weights()?;
            Ok(StreamingNetwork::new(&config.network, config.features.n_mels, n_words, &weights)?)
        })
        .collect::<Result<_>>()?;
    let samples = sound();
    let mut least = vec![Cpu { network_ms: f64::INFINITY, with_features_ms: f64::INFINITY }; configs.len()];
    for _ in 0..N_ROUNDS {
        for ((config, network), least) in configs.iter().zip(&networks).zip(&mut least) {
            let found = hear(config, network, &samples);
            least.network_ms = least.network_ms.min(found.network_ms);
            least.with_features_ms = least.with_features_ms.min(found.with_features_ms);
        }
    }
    Ok(least)
}

/// Hears `samples` once with the features and once more without.
fn hear(config: &TrainConfig, network: &StreamingNetwork, samples: &[f32]) -> Cpu {
    let step_samples = config.network.samples_per_step(config.features.hop_length_samples) as usize;
    let step_values = config.network.frames_per_step() * config.features.n_mels;
    let mut extractor = FeatureExtractor::new(&config.features);
    let (mut state, mut frames, mut probabilities) = (network.zero_state(), Vec::new(), Vec::new());
    let start = cpu_s();
    let mut n_heard = 0;
    for portion in samples.chunks(step_samples) {
        extractor.push(portion, &mut frames);
        while frames.len() >= n_heard + step_values {
            probabilities.clear();
            network.seq(&mut state, &frames[n_heard..n_heard + step_values], &mut probabilities);
            n_heard += step_values;
        }
    }
    let with_features_s = cpu_s() - start;
    let mut state = network.zero_state();
    let start = cpu_s();
    for step in frames.chunks_exact(step_values) {
        probabilities.clear();
        network.seq(&mut state, step, &mut probabilities);
    }
    let network_s = cpu_s() - start;
    let per_second = 1000.0 / ROUND_S as f64;
    Cpu { network_ms: network_s * per_second, with_features_ms: with_features_s * per_second }
}

/// Noise: what is heard does not change the time.
fn sound() -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        // Numerical Recipes' linear congruential generator.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..ROUND_S * SampleRate::MODEL.hz() as usize).map(|_| 0.1 * next()).collect()
}

/// CPU time of this thread so far, in seconds.
#[cfg(target_os = "linux")]
fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Where the system does not tell, the time that passes.
#[cfg(not(target_os = "linux"))]
fn cpu_s() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    #[test]
    fn a_wider_network_costs_more_and_features_cost_something() {
        let network = |hidden_size| TrainConfig {
            network: ModelConfig { hidden_size, ..ModelConfig::default() },
            ..TrainConfig::default()
        };
        let (narrow, wide) = (network(16), network(256));
        let found = cpu_times(&[&narrow, &wide], 2).unwrap();
        assert!(found[1].network_ms > 1.5 * found[0].network_ms, "{found:?}");
        assert!(found.iter().all(|cpu| cpu.with_features_ms > cpu.network_ms && cpu.network_ms > 0.0), "{found:?}");
    }
}
