//! The model that ships, on the recording that ships.

use std::sync::atomic::AtomicBool;

use tripword::audio::{ChannelChoice, read_to_end, wav::WavSource};
use tripword::bundle::{Bundle, locate};
use tripword::label::{Channels, LabelOutputs, Labeller, Recording};

/// Each word of the demo with the time at which its sound ends, in seconds.
const DEMO: [(&str, f64); 6] = [
    ("computer", 4.95),
    ("smart_mirror", 10.6),
    ("jarvis", 17.3),
    ("snowboy", 22.85),
    ("alexa", 28.65),
    ("view_glass", 30.7),
];

fn demo() -> String {
    format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"))
}

/// (word, time of decision) for everything heard in the file.
fn heard(path: &std::path::Path) -> Vec<(String, f64)> {
    let bundle = Bundle::load(&locate("six-words", None).unwrap()).unwrap();
    let outputs = LabelOutputs::default();
    let cancelled = AtomicBool::new(false);
    let labeller = Labeller {
        bundle: &bundle,
        outputs: &outputs,
        channels: Channels::Choice(ChannelChoice::Mix),
        cancelled: &cancelled,
    };
    labeller
        .label(&Recording::named(path), &|_| {})
        .unwrap()
        .events()
        .map(|event| (event.word.clone(), event.time_s))
        .collect()
}

fn assert_demo(heard: &[(String, f64)], what: &str) {
    let words: Vec<&str> = heard.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, DEMO.map(|(word, _)| word), "{what}: {heard:?}");
    for ((word, time_s), (_, end_s)) in heard.iter().zip(DEMO) {
        assert!((end_s - 0.2..end_s + 0.6).contains(time_s), "{what}: {word} at {time_s} s, said until {end_s} s");
    }
}

#[test]
fn it_fires_on_the_words_of_the_demo_and_on_nothing_else() {
    assert_demo(&heard(demo().as_ref()), "demo");
}

#[test]
fn the_level_does_not_matter() {
    let samples = read_to_end(&mut WavSource::open(demo(), ChannelChoice::Mix).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for gain_db in [-20, 20] {
        let path = folder.path().join(format!("{gain_db}.wav"));
        // Floats: 20 dB more are far beyond full scale.
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        let gain = 10f32.powf(gain_db as f32 / 20.0);
        samples.iter().for_each(|sample| writer.write_sample(sample * gain).unwrap());
        writer.finalize().unwrap();
        assert_demo(&heard(&path), &format!("{gain_db} dB"));
    }
}
