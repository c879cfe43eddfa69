//! Models and sounds for tests: random, seeded, small.
#![allow(dead_code)] // each test file uses its part

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor};
use tripword::bundle::{Bundle, FORMAT_VERSION, Manifest, TrainingSummary, WeightsEntry, WordEntry};
use tripword::detector::{TriggerConfig, WordTiming};
use tripword::features::FeatureConfig;
use tripword::model::{ConvolutionConfig, InitialState, ModelConfig, RecurrentCell, SecondLookConfig, Weights};
use tripword::units::Milliseconds;

/// xorshift64*: enough randomness for tests, the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in -1..1.
    pub(crate) fn value(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.value() * 0.5 + 0.5) * n as f32) as usize % n
    }

    pub(crate) fn values(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.value() * scale).collect()
    }
}

pub(crate) fn small_model() -> ModelConfig {
    ModelConfig {
        convolutions: vec![
            ConvolutionConfig { channels: 24, kernel: 10, stride: 4 },
            ConvolutionConfig { channels: 17, kernel: 5, stride: 2 },
        ],
        cell: RecurrentCell::Gru,
        hidden_size: 20,
        n_layers: 2,
        warm_up_ms: Milliseconds(240),
        ..ModelConfig::default()
    }
}

/// Large weights, so that the scores move all over the place and events happen.
pub(crate) fn random_weights(config: &ModelConfig, n_mels: usize, n_words: usize, seed: u64) -> Weights {
    let mut random = Random::new(seed);
    let tensors: HashMap<String, Tensor> = Weights::expected(config, n_mels, n_words)
        .into_iter()
        .map(|(name, shape)| {
            let scale = 3.0 / (*shape.last().unwrap() as f32).sqrt();
            let values = random.values(shape.iter().product(), scale);
            (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        })
        .collect();
    Weights::new(tensors)
}

pub(crate) fn manifest(words: &[&str]) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        name: "random".into(),
        description: "random weights".into(),
        license: "CC0-1.0".into(),
        weights: WeightsEntry { file: "weights.safetensors".into(), sha256: String::new(), n_parameters: 0 },
        features: FeatureConfig::default(),
        model: small_model(),
        second_look: None,
        words: words
            .iter()
            .map(|word| WordEntry {
                name: (*word).into(),
                trigger: TriggerConfig {
                    threshold: 0.5,
                    release_threshold: 0.45,
                    smoothing_ms: Milliseconds(160),
                    min_duration_ms: Milliseconds(0),
                    refractory_ms: Milliseconds(300),
                },
                timing: WordTiming::default(),
            })
            .collect(),
        training: TrainingSummary { validation_miss_rate: BTreeMap::new(), ..TrainingSummary::default() },
        provenance: Vec::new(),
    }
}

pub(crate) fn random_bundle(seed: u64) -> Bundle {
    random_bundle_of(RecurrentCell::Gru, seed)
}

pub(crate) fn random_bundle_of(cell: RecurrentCell, seed: u64) -> Bundle {
    let manifest = manifest(&["alpha", "beta"]);
    let manifest = Manifest { model: ModelConfig { cell, ..manifest.model }, ..manifest };
    let weights = random_weights(&manifest.model, manifest.features.n_mels, 2, seed);
    Bundle::new("test", manifest, &weights).unwrap()
}

/// With a window of 15 steps, and states that are not zero at the beginning.
pub(crate) fn random_bidirectional_bundle(cell: RecurrentCell, seed: u64) -> Bundle {
    let manifest = manifest(&["alpha", "beta"]);
    let manifest = Manifest { model: bidirectional_model(cell), ..manifest };
    let weights = random_weights(&manifest.model, manifest.features.n_mels, 2, seed);
    Bundle::new("test", manifest, &weights).unwrap()
}

pub(crate) fn bidirectional_model(cell: RecurrentCell) -> ModelConfig {
    ModelConfig {
        cell,
        bidirectional: true,
        look_ahead_steps: 5,
        initial_state: InitialState::Learned,
        ..small_model()
    }
}

/// Three networks, of which two listen only when the first is rather sure.
pub(crate) fn random_bundle_with_second_look(seed: u64) -> Bundle {
    let look =
        SecondLookConfig { proposal_probability: 0.8, history_ms: Milliseconds(800), hold_ms: Milliseconds(320) };
    let manifest = Manifest { second_look: Some(look), ..manifest(&["alpha", "beta"]) };
    let networks = [0, 1, 2].map(|i| random_weights(&manifest.model, manifest.features.n_mels, 2, seed + 1000 * i));
    Bundle::new("test", manifest, &Weights::joined(&networks)).unwrap()
}

/// Sound with something going on: tones that come and go over noise of changing level.
pub(crate) fn random_sound(seed: u64, n_samples: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut samples = Vec::with_capacity(n_samples);
    let (mut level, mut frequency, mut phase) = (0.1, 500.0, 0.0f32);
    for i in 0..n_samples {
        if i % 1600 == 0 {
            level = 10f32.powf(-2.0 + 1.5 * random.value());
            frequency = 2000.0 + 1900.0 * random.value();
        }
        phase = (phase + frequency / 16_000.0).fract();
        samples.push(level * ((phase * std::f32::consts::TAU).sin() + 0.5 * random.value()));
    }
    samples
}

/// ALSA's own configuration, which a test's stands on.
pub(crate) const ALSA_CONF: &str = "/usr/share/alsa/alsa.conf";

/// A configuration in which the device `wavmic`, and the default, take 32-bit floats from a FIFO. What comes out of the FIFO is
/// taken in whatever format was negotiated, so the plug above it has one fixed format: the one that the capture prefers.
pub(crate) fn alsa_fifo_config(fifo: &std::path::Path, rate: u64, n_channels: u16) -> String {
    let slave = format!("{{ pcm \"wavmic_raw\" format FLOAT_LE channels {n_channels} rate {rate} }}");
    format!(
        "<{ALSA_CONF}>\n\
         pcm.wavmic_raw {{ type file slave.pcm \"null\" file \"/dev/null\" infile \"{}\" format \"raw\" }}\n\
         pcm.wavmic {{ type plug slave {slave} hint {{ show on description \"test mic\" }} }}\n\
         pcm.!default {{ type plug slave {slave} }}\n",
        fifo.display()
    )
}
