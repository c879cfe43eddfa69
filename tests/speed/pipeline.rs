//! The running network and the whole signal path, with the shipped model, for a second of audio and for one step.

use criterion::Criterion;
use tripword::bundle::{BUILTIN_MODELS, Bundle, locate};
use tripword::model::{StreamingNetwork, Weights};
use tripword::pipeline::{FeatureBlock, FeatureStage, InferenceStage};

use super::clock::Clock;
use super::common::random_sound;

/// 80 ms.
const STEP_SAMPLES: usize = 1280;

pub(crate) fn shipped_model() -> Bundle {
    Bundle::load(&locate(BUILTIN_MODELS[0].name, None).unwrap()).unwrap()
}

/// The first of the shipped model's networks, and its weights: what other engines run beside it.
pub(crate) fn first_network(bundle: &Bundle) -> (StreamingNetwork, Weights) {
    let weights = bundle.weights.networks().next().unwrap().unwrap().weights().unwrap();
    let manifest = &bundle.manifest;
    let network =
        StreamingNetwork::new(&manifest.model, manifest.features.n_mels, manifest.words.len(), &weights).unwrap();
    (network, weights)
}

/// Features of `samples`, `(time, n_mels)`, whole steps.
pub(crate) fn features(bundle: &Bundle, samples: &[f32]) -> Vec<f32> {
    let mut block = FeatureBlock::default();
    FeatureStage::new(&bundle.manifest).push(samples, &mut block);
    block.frames
}

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    let bundle = shipped_model();
    let samples = random_sound(3, 50 * STEP_SAMPLES);
    let frames = features(&bundle, &samples);
    let step_values = bundle.manifest.model.frames_per_step() * bundle.manifest.features.n_mels;

    let mut group = criterion.benchmark_group("pipeline");
    let (network, _) = first_network(&bundle);
    let mut state = network.zero_state();
    let mut probabilities = vec![0.0; network.n_words()];
    let mut steps = frames.chunks_exact(step_values).cycle();
    group.bench_function("network, one step of 80 ms", |bencher| {
        bencher.iter(|| network.step(&mut state, steps.next().unwrap(), &mut probabilities));
    });

    for (name, portion) in [("20 ms", 320), ("80 ms", STEP_SAMPLES), ("1 s", 16_000)] {
        let mut feature_stage = FeatureStage::new(&bundle.manifest);
        let mut inference_stage = InferenceStage::new(&bundle);
        let mut block = FeatureBlock::default();
        let second = &samples[..16_000];
        group.bench_function(format!("samples to events, 1 s in portions of {name}"), |bencher| {
            bencher.iter(|| {
                for portion in second.chunks(portion) {
                    if feature_stage.push(portion, &mut block) {
                        inference_stage.push(&block, |_| {}, |_| {});
                    }
                }
            });
        });
    }
    group.finish();
}
