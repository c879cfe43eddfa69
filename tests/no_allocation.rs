//! Once warm, the path from samples to events allocates nothing.

mod common;

use common::{random_bundle_of, random_sound};
use tripword::audio::resample::Resampler;
use tripword::features::{FeatureConfig, FeatureExtractor};
use tripword::model::RecurrentCell;
use tripword::pipeline::{FeatureBlock, FeatureStage, InferenceStage};
use tripword::units::SampleRate;

/// A portion as a sound card delivers it, 20 ms.
const PORTION_SAMPLES: usize = 320;

fn n_allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn features_allocate_nothing_once_warm() {
    let mut extractor = FeatureExtractor::new(&FeatureConfig::default());
    let samples = random_sound(1, 16_000);
    let mut frames = Vec::new();
    let mut push_all = || {
        for portion in samples.chunks(PORTION_SAMPLES) {
            frames.clear();
            extractor.push(portion, &mut frames);
        }
    };
    push_all();
    assert_eq!(n_allocations(push_all), 0);
}

#[test]
fn features_network_and_triggers_allocate_nothing_once_warm() {
    for cell in RecurrentCell::ALL {
        let bundle = random_bundle_of(cell, 3);
        let mut feature_stage = FeatureStage::new(&bundle.manifest);
        let mut inference_stage = InferenceStage::new(&bundle);
        let mut block = FeatureBlock::default();
        let samples = random_sound(3, 16_000 * 20);
        let mut n_detections = 0;
        let mut push_all = || {
            for portion in samples.chunks(PORTION_SAMPLES) {
                if feature_stage.push(portion, &mut block) {
                    inference_stage.push(&block, |_| {}, |_| n_detections += 1);
                }
            }
        };
        push_all();
        assert_eq!(n_allocations(push_all), 0, "{cell:?}");
        assert!(n_detections > 2, "words were heard meanwhile: {cell:?}");
    }
}

#[test]
fn resampling_allocates_nothing_once_warm() {
    let mut resampler = Resampler::new(SampleRate::new(48_000), SampleRate::MODEL).unwrap();
    let samples = random_sound(4, 48_000);
    let mut out = Vec::with_capacity(16_000 * 3);
    for portion in samples.chunks(960) {
        resampler.push(portion, &mut out);
    }
    out.clear();
    assert_eq!(n_allocations(|| samples.chunks(960).for_each(|portion| resampler.push(portion, &mut out))), 0);
}
