//! A step of training, alone and with its mixes.

use std::sync::Arc;

use criterion::Criterion;
use tempfile::TempDir;
use tripword::dataset::{Bank, Batch, BatchStream, Inventory, Mixer};
use tripword::model::{ConvolutionConfig, ModelConfig};
use tripword::train::{Learner, TrainConfig};

use super::clock::Clock;
use super::common::Random;
use super::dataset_support::{RATE, noise, speech, spoken_word, write_wav};

/// Words of the shipped model.
pub(crate) const N_WORDS: usize = 6;
/// Ten seconds, less what the strides leave over.
const N_FRAMES: usize = 1000;
const N_ROWS: usize = 32;

/// Networks with the names they are compared under.
pub(crate) fn networks() -> [(&'static str, ModelConfig); 2] {
    let wide = ModelConfig {
        convolutions: vec![ConvolutionConfig { channels: 128, kernel: 5, stride: 2 }],
        hidden_size: 128,
        ..ModelConfig::default()
    };
    [("default", ModelConfig::default()), ("wide", wide)]
}

/// A step of 32 x 10 s without dropout, which other engines would draw at another cost.
pub(crate) fn config(network: &ModelConfig, n_shards: usize) -> TrainConfig {
    TrainConfig { batch_size: N_ROWS, n_shards, dropout: 0.0, network: network.clone(), ..TrainConfig::default() }
}

/// The same random numbers every time; each word is said in about one step of fifty.
pub(crate) fn random_batch(network: &ModelConfig, n_mels: usize) -> Batch {
    let mut random = Random::new(7);
    let n_steps = N_FRAMES / network.frames_per_step();
    let n_labels = N_ROWS * n_steps * N_WORDS;
    Batch {
        step: 100,
        n_rows: N_ROWS,
        n_frames: n_steps * network.frames_per_step(),
        n_steps,
        n_words: N_WORDS,
        features: random.values(N_ROWS * n_steps * network.frames_per_step() * n_mels, 1.0),
        targets: (0..n_labels).map(|_| f32::from(random.below(50) == 0)).collect(),
        weights: vec![1.0; n_labels],
        // The default loss reads targets and weights only.
        words: vec![Vec::new(); N_ROWS],
    }
}

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("training");
    for (name, network) in networks() {
        for n_shards in [1, 2] {
            let config = config(&network, n_shards);
            let batch = random_batch(&network, config.features.n_mels);
            let mut learner = Learner::new(&config, N_WORDS, [].into()).unwrap();
            group.bench_function(format!("step of the {name} network, 32 x 10 s, {n_shards} threads"), |bencher| {
                bencher.iter(|| learner.step(&config, &batch).unwrap());
            });
        }
    }

    // As `tripword train` does by default, on recordings that cost as much to mix as real ones.
    let config = TrainConfig::default();
    let root = TempDir::new().unwrap();
    for i in 0..20u32 {
        write_wav(&root.path().join(format!("positive/word/{i}.wav")), &spoken_word(150.0 + 5.0 * i as f32));
        write_wav(&root.path().join(format!("negative/talk/{i}.wav")), &speech(i));
    }
    write_wav(&root.path().join("noise/hiss.wav"), &noise(10 * RATE, 1));
    let inventory = Inventory::read(root.path(), &[]).unwrap();
    let (bank, _) = Bank::build(&inventory, &config.features, &config.mix, config.seed, &|_, _| {}).unwrap();
    let bank = Arc::new(bank);
    let mixer = || Mixer::new(bank.clone(), config.mix.clone(), config.network.frames_per_step(), 1);
    let mut learner = Learner::new(&config, 1, [].into()).unwrap();
    let mut batches = BatchStream::start(Arc::new(mixer()), &config, 0).unwrap();
    group.bench_function("end to end, a step and its 48 mixes of 6 s", |bencher| {
        bencher.iter(|| learner.step(&config, &batches.next_batch().unwrap()).unwrap());
    });
    let batch = batches.next_batch().unwrap();
    drop(batches);
    group.bench_function("its step alone", |bencher| {
        bencher.iter(|| learner.step(&config, &batch).unwrap());
    });
    group.finish();
}
