//! Samples to features, for a second of audio.

use criterion::Criterion;
use tripword::audio::resample::Resampler;
use tripword::features::{Compression, FeatureConfig, FeatureExtractor};
use tripword::units::SampleRate;

use super::clock::Clock;
use super::common::random_sound;

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("front end, 1 s");
    let samples = random_sound(1, 16_000);
    for (name, compression) in [
        ("log-mel", Compression::LOG),
        ("less its running mean", Compression::RUNNING_MEAN),
        ("pcen", Compression::PCEN),
    ] {
        let mut extractor = FeatureExtractor::new(&FeatureConfig { compression, ..FeatureConfig::default() });
        let mut frames = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                frames.clear();
                extractor.push(&samples, &mut frames);
            });
        });
    }
    for rate_hz in [44_100, 48_000] {
        let samples = random_sound(2, rate_hz as usize);
        let mut resampler = Resampler::new(SampleRate::new(rate_hz), SampleRate::MODEL).unwrap();
        let mut out = Vec::new();
        group.bench_function(format!("resampling from {rate_hz} Hz"), |bencher| {
            bencher.iter(|| {
                out.clear();
                resampler.push(&samples, &mut out);
            });
        });
    }
    group.finish();
}
