//! Any portioning of the same samples gives the same scores and events, to the bit; bad samples cannot poison the state.

mod common;

use common::{
    Random, bidirectional_model, manifest, random_bidirectional_bundle, random_bundle, random_bundle_of,
    random_bundle_with_second_look, random_sound, random_weights, small_model,
};
use proptest::prelude::*;
use tripword::bundle::Bundle;
use tripword::detector::Detection;
use tripword::features::{Compression, FeatureConfig, FeatureExtractor};
use tripword::model::{InitialState, ModelConfig, Network, NetworkState, RecurrentCell, StreamingNetwork};
use tripword::pipeline::{FeatureBlock, FeatureStage, InferenceStage};

#[derive(Debug, PartialEq)]
struct Heard {
    /// (end of step, scores as bits)
    scores: Vec<(u64, Vec<u32>)>,
    detections: Vec<Detection>,
}

struct Ear<'a> {
    feature_stage: FeatureStage,
    inference_stage: InferenceStage<&'a Bundle>,
    block: FeatureBlock,
    heard: Heard,
}

impl<'a> Ear<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        Self {
            feature_stage: FeatureStage::new(&bundle.manifest),
            inference_stage: InferenceStage::new(bundle),
            block: FeatureBlock::default(),
            heard: Heard { scores: Vec::new(), detections: Vec::new() },
        }
    }

    fn take(&mut self, completed: bool) {
        if completed {
            let Heard { scores, detections } = &mut self.heard;
            self.inference_stage.push(
                &self.block,
                |step| scores.push((step.end_sample, step.scores.iter().map(|score| score.to_bits()).collect())),
                |detection| detections.push(detection),
            );
        }
    }

    fn push(&mut self, samples: &[f32]) {
        let completed = self.feature_stage.push(samples, &mut self.block);
        self.take(completed);
    }

    fn finish(mut self) -> Heard {
        let completed = self.feature_stage.finish(&mut self.block);
        self.take(completed);
        let Heard { scores, detections } = &mut self.heard;
        self.inference_stage.finish(
            |step| scores.push((step.end_sample, step.scores.iter().map(|score| score.to_bits()).collect())),
            |detection| detections.push(detection),
        );
        self.heard
    }
}

fn hear(bundle: &Bundle, samples: &[f32], chunk: impl FnMut() -> usize) -> Heard {
    let mut chunk = chunk;
    let mut ear = Ear::new(bundle);
    let mut rest = samples;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(chunk().clamp(1, rest.len()));
        ear.push(now);
        rest = later;
    }
    ear.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_events(seed in 1u64..1_000_000, n_samples in 1usize..60_000, longest in 1usize..5_000) {
        let cell = RecurrentCell::ALL[seed as usize / 3 % 3];
        let bundle = match seed % 3 {
            0 => random_bundle_of(cell, seed),
            1 => random_bidirectional_bundle(cell, seed),
            _ => random_bundle_with_second_look(seed),
        };
        let samples = random_sound(seed, n_samples);
        let whole = hear(&bundle, &samples, || usize::MAX);
        let mut random = Random::new(seed);
        let chunked = hear(&bundle, &samples, || 1 + random.below(longest));
        prop_assert_eq!(&whole, &chunked);
        // The step begun is filled, and the silence after the end is heard: at least 640 ms.
        prop_assert!(whole.scores.last().unwrap().0 >= n_samples as u64 + 10_240);
    }

    #[test]
    fn features_do_not_depend_on_chunks_with_any_compression(seed in 1u64..1_000_000, longest in 1usize..2_000) {
        for compression in [Compression::LOG, Compression::RUNNING_MEAN, Compression::PCEN] {
            let config = FeatureConfig { compression, ..FeatureConfig::default() };
            let samples = random_sound(seed, 20_000);
            let mut whole = Vec::new();
            FeatureExtractor::new(&config).push(&samples, &mut whole);
            let mut random = Random::new(seed);
            let (mut chunked, mut extractor, mut rest) = (Vec::new(), FeatureExtractor::new(&config), &samples[..]);
            while !rest.is_empty() {
                let (now, later) = rest.split_at((1 + random.below(longest)).min(rest.len()));
                extractor.push(now, &mut chunked);
                rest = later;
            }
            prop_assert_eq!(whole, chunked);
        }
    }

    #[test]
    fn a_gap_is_heard_as_silence_and_moves_the_clock(seed in 1u64..1_000_000, lost in 1u64..100_000) {
        let bundle = if seed % 2 == 0 { random_bundle(seed) } else { random_bidirectional_bundle(RecurrentCell::Gru, seed) };
        let samples = random_sound(seed, 30_000);
        let mut ear = Ear::new(&bundle);
        ear.push(&samples[..10_000]);
        let completed = ear.feature_stage.pass_gap(lost, &mut ear.block);
        ear.take(completed);
        ear.push(&samples[10_000..]);
        let heard = ear.finish();
        let total = 30_000 + lost;
        prop_assert_eq!(heard.scores.last().unwrap().0, (total + 10_240).next_multiple_of(1280));
        if lost <= 32_000 {
            let mut filled = samples.clone();
            filled.splice(10_000..10_000, vec![0.0; lost as usize]);
            prop_assert_eq!(heard, hear(&bundle, &filled, || usize::MAX));
        }
    }
}

#[test]
fn random_bundles_do_fire_so_that_equal_events_mean_something() {
    for cell in RecurrentCell::ALL {
        let n_events = |seed| hear(&random_bundle_of(cell, seed), &random_sound(seed, 60_000), || 999).detections.len();
        let n_events: usize = (1..20).map(n_events).sum();
        assert!(n_events > 20, "{cell:?}: {n_events}");
    }
}

#[test]
fn bad_samples_neither_panic_nor_stay() {
    let bundle = random_bundle(7);
    // Long enough after the disturbance for every window, tail and decaying state to have forgotten it.
    let calm = random_sound(8, 16_000 * 20);
    let reference = hear(&bundle, &[vec![0.0; 16_000], calm.clone()].concat(), || 4096);
    for disturbance in [
        vec![f32::NAN; 16_000],
        vec![f32::INFINITY; 16_000],
        (0..16_000).map(|i| if i / 40 % 2 == 0 { 1.0 } else { -1.0 }).collect(),
        vec![1e38; 16_000],
    ] {
        let disturbed = hear(&bundle, &[disturbance, calm.clone()].concat(), || 4096);
        let last = |heard: &Heard| -> Vec<f32> {
            heard.scores.last().unwrap().1.iter().map(|&bits| f32::from_bits(bits)).collect()
        };
        for (disturbed, reference) in last(&disturbed).iter().zip(last(&reference)) {
            assert!(disturbed.is_finite());
            assert!((disturbed - reference).abs() < 0.05, "{disturbed} {reference}");
        }
    }
}

#[test]
fn training_and_running_compute_the_same_probabilities() {
    let (n_mels, n_words) = (40, 3);
    for cell in RecurrentCell::ALL {
        let config = ModelConfig { cell, ..small_model() };
        let weights = random_weights(&config, n_mels, n_words, 5);
        let mut frames = Vec::new();
        FeatureExtractor::new(&FeatureConfig::default()).push(&random_sound(5, 16_000 * 4), &mut frames);
        let n_frames = frames.len() / n_mels / config.frames_per_step() * config.frames_per_step();
        frames.truncate(n_frames * n_mels);

        // In pieces, as over several mixes: the state is carried.
        let network = Network::new(&config, n_mels, &weights).unwrap();
        let mut network_state = network.zero_state(1).unwrap();
        let mut trained = Vec::new();
        for piece in frames.chunks(13 * config.frames_per_step() * n_mels) {
            let shape = (1, piece.len() / n_mels, n_mels);
            let features = candle_core::Tensor::from_slice(piece, shape, &candle_core::Device::Cpu).unwrap();
            let (logits, next) = network.seq(&features, &network_state, &mut ()).unwrap();
            network_state = next;
            trained.extend(candle_nn::ops::sigmoid(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }

        let streaming = StreamingNetwork::new(&config, n_mels, n_words, &weights).unwrap();
        let mut state = streaming.zero_state();
        let mut run = Vec::new();
        for step in frames.chunks(config.frames_per_step() * n_mels) {
            let mut probabilities = vec![0.0; n_words];
            streaming.step(&mut state, step, &mut probabilities);
            run.extend(probabilities);
        }
        assert_eq!(trained.len(), run.len());
        // Convolutions and recurrence agree to the bit; candle's head sums in another order.
        for (trained, run) in trained.iter().zip(&run) {
            assert!((trained - run).abs() < 1e-5, "{cell:?}: {trained} {run}");
        }
        assert_eq!(state.n_steps(), (n_frames / config.frames_per_step()) as u64);
    }
}

/// The blocks of a bidirectional network are 10 steps, and 5 more are looked ahead at. One layer: the state that the second carries on
/// from a block depends on what the first has looked ahead at, which `Network` has no name for.
#[test]
fn a_bidirectional_network_hears_a_window_of_what_follows() {
    let (n_mels, n_words) = (40, 3);
    for cell in RecurrentCell::ALL {
        let config = ModelConfig { n_layers: 1, ..bidirectional_model(cell) };
        let weights = random_weights(&config, n_mels, n_words, 5);
        let step_len = config.frames_per_step() * n_mels;
        let mut frames = Vec::new();
        FeatureExtractor::new(&FeatureConfig::default()).push(&random_sound(5, 16_000 * 4), &mut frames);
        frames.truncate(37 * step_len);

        let network = Network::new(&config, n_mels, &weights).unwrap();
        let seq = |steps: &[f32], state: &NetworkState| {
            let shape = (1, steps.len() / n_mels, n_mels);
            let features = candle_core::Tensor::from_slice(steps, shape, &candle_core::Device::Cpu).unwrap();
            let (logits, next) = network.seq(&features, state, &mut ()).unwrap();
            let probabilities = candle_nn::ops::sigmoid(&logits).unwrap();
            (probabilities.flatten_all().unwrap().to_vec1::<f32>().unwrap(), next)
        };
        let mut state = network.zero_state(1).unwrap();
        let mut expected = Vec::new();
        // Windows of whole length begin at 0, 10 and 20; what is left from 30 on is short of one and hears the end.
        for (block, window_end) in [(0..10, 15), (10..20, 25), (20..30, 35), (30..37, 37)] {
            let (window, _) = seq(&frames[block.start * step_len..window_end * step_len], &state);
            expected.extend_from_slice(&window[..block.len() * n_words]);
            (_, state) = seq(&frames[block.start * step_len..block.end * step_len], &state);
        }

        let streaming = StreamingNetwork::new(&config, n_mels, n_words, &weights).unwrap();
        let (mut state, mut run) = (streaming.zero_state(), Vec::new());
        let mut n_decided = Vec::new();
        for step in frames.chunks(step_len) {
            streaming.seq(&mut state, step, &mut run);
            n_decided.push(run.len() / n_words);
        }
        assert_eq!([13, 14, 23, 24, 34, 36].map(|step| n_decided[step]), [0, 10, 10, 20, 30, 30], "{cell:?}");
        streaming.finish(&mut state, &mut run);
        assert_eq!(run.len(), expected.len());
        for (run, expected) in run.iter().zip(&expected) {
            assert!((run - expected).abs() < 1e-5, "{cell:?}: {run} {expected}");
        }
        assert_eq!(run, streaming.recording(&frames), "{cell:?}");
    }
}

#[test]
fn a_learned_initial_state_is_where_streams_and_rows_begin() {
    let (n_mels, n_words) = (40, 2);
    for cell in RecurrentCell::ALL {
        let zero = small_model();
        let zero = ModelConfig { cell, ..zero };
        let learned = ModelConfig { initial_state: InitialState::Learned, ..zero.clone() };
        let weights = random_weights(&learned, n_mels, n_words, 9);
        let frames = random_sound(6, 4 * learned.frames_per_step() * n_mels);
        let run =
            |config: &ModelConfig| StreamingNetwork::new(config, n_mels, n_words, &weights).unwrap().recording(&frames);
        let with = run(&learned);
        assert_ne!(with, run(&zero), "{cell:?}: the initial state tells");

        // Of two rows that carry the same state, the one that is reset begins anew.
        let network = Network::new(&learned, n_mels, &weights).unwrap();
        let twice = [&frames[..], &frames].concat();
        let features =
            candle_core::Tensor::from_vec(twice, (2, frames.len() / n_mels, n_mels), &candle_core::Device::Cpu)
                .unwrap();
        let (_, carried) = network.seq(&features, &network.zero_state(2).unwrap(), &mut ()).unwrap();
        let (logits, _) = network.seq(&features, &carried.reset_rows(&[false, true]).unwrap(), &mut ()).unwrap();
        let rows = candle_nn::ops::sigmoid(&logits).unwrap().flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
        let distance = |row: &[f32]| row.iter().zip(&with).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(distance(&rows[1]) < 1e-5, "{cell:?}: {}", distance(&rows[1]));
        assert!(distance(&rows[0]) > 1e-3, "{cell:?}: {}", distance(&rows[0]));
    }
}

#[test]
fn what_a_stage_asks_for_completes_a_step_and_less_does_not() {
    for strides in [[4, 2], [1, 1], [5, 1], [3, 3]] {
        let mut manifest = manifest(&["alpha"]);
        for (convolution, stride) in manifest.model.convolutions.iter_mut().zip(strides) {
            convolution.stride = stride;
        }
        let mut stage = FeatureStage::new(&manifest);
        let mut block = FeatureBlock::default();
        for _ in 0..20 {
            let n_asked = stage.n_samples_to_next_step();
            assert!(n_asked > 0, "strides {strides:?}");
            assert!(!stage.push(&vec![0.1; n_asked - 1], &mut block), "strides {strides:?}");
            assert_eq!(stage.n_samples_to_next_step(), 1, "strides {strides:?}");
            assert!(stage.push(&[0.1], &mut block), "strides {strides:?}");
        }
    }
}
