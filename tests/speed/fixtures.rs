//! What other engines need to do the same work and to show that it is the same: weights, inputs and our results, as
//! safetensors.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use tripword::audio::wav::WavSource;
use tripword::audio::{ChannelChoice, read_to_end};
use tripword::model::{ModelConfig, Weights};
use tripword::train::Learner;

use super::pipeline::{features, first_network, shipped_model};
use super::training::{N_WORDS, config, networks, random_batch};

/// Writes `training-NAME.safetensors` for each network and `streaming.safetensors` into `folder`.
pub(crate) fn write(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, network) in networks() {
        let config = config(&network, 1);
        let batch = random_batch(&network, config.features.n_mels);
        let mut learner = Learner::new(&config, N_WORDS, [].into()).unwrap();
        let mut tensors = named(&learner.weights().unwrap(), &network, config.features.n_mels);
        let labels = [batch.n_rows, batch.n_steps, N_WORDS];
        let result = learner.step(&config, &batch).unwrap();
        tensors.extend([
            ("features".into(), tensor(&batch.features, &[batch.n_rows, batch.n_frames, config.features.n_mels])),
            ("targets".into(), tensor(&batch.targets, &labels)),
            ("result.loss".into(), tensor(&[result.loss as f32], &[1])),
            ("result.gradient_norm".into(), tensor(&[result.gradient_norm as f32], &[1])),
            ("negative_weight".into(), tensor(&[config.negative_weight as f32], &[1])),
        ]);
        candle_core::safetensors::save(&tensors, folder.join(format!("training-{name}.safetensors"))).unwrap();
    }

    let bundle = shipped_model();
    let n_mels = bundle.manifest.features.n_mels;
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.wav");
    let samples = read_to_end(&mut WavSource::open(demo, ChannelChoice::Mix).unwrap()).unwrap();
    let frames = features(&bundle, &samples);
    let mut probabilities = Vec::new();
    let (network, weights) = first_network(&bundle);
    network.seq(&mut network.zero_state(), &frames, &mut probabilities);
    let n_words = network.n_words();
    let mut tensors = named(&weights, &bundle.manifest.model, n_mels);
    tensors.extend([
        ("features".into(), tensor(&frames, &[frames.len() / n_mels, n_mels])),
        ("result.probabilities".into(), tensor(&probabilities, &[probabilities.len() / n_words, n_words])),
    ]);
    candle_core::safetensors::save(&tensors, folder.join("streaming.safetensors")).unwrap();
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn named(weights: &Weights, network: &ModelConfig, n_mels: usize) -> HashMap<String, Tensor> {
    let names = Weights::expected(network, n_mels, N_WORDS).into_iter().map(|(name, _)| name);
    names.map(|name| (name.clone(), weights.get(&name).unwrap().clone())).collect()
}
