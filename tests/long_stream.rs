//! Hours of silence, noise and talk before a word change nothing: a stream that is never reset misses as many words as one that began
//! some seconds before each.

mod common;

use common::Random;
use tripword::audio::{ChannelChoice, read_to_end, wav::WavSource};
use tripword::bundle::{Bundle, locate};
use tripword::pipeline::{FeatureBlock, FeatureStage, InferenceStage, samples_per_step};

/// Each word of the demo with where it is said, in seconds.
const WORDS: [(&str, [f64; 2]); 6] = [
    ("computer", [4.3, 4.95]),
    ("smart_mirror", [9.8, 10.6]),
    ("jarvis", [16.7, 17.3]),
    ("snowboy", [22.1, 22.85]),
    ("alexa", [28.0, 28.65]),
    ("view_glass", [29.9, 30.7]),
];
const RATE_HZ: usize = 16_000;
const N_WORDS_SAID: usize = 480;
/// Before each word lies so much of something else, evenly drawn: three hours in all.
const BEFORE_S: [usize; 2] = [15, 32];
/// A fresh stream begins so long before its word, for the features' statistics to settle.
const FRESH_S: usize = 12;
/// An event counts up to so long after the word.
const AFTER_S: f64 = 1.0;

/// A detector on a stream, and when it heard what.
struct Ear<'a> {
    features: FeatureStage,
    inference: InferenceStage<&'a Bundle>,
    block: FeatureBlock,
    heard: Vec<(usize, u64)>,
}

impl<'a> Ear<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        Self {
            features: FeatureStage::new(&bundle.manifest),
            inference: InferenceStage::new(bundle),
            block: FeatureBlock::default(),
            heard: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[f32]) {
        if self.features.push(samples, &mut self.block) {
            let heard = &mut self.heard;
            self.inference.push(&self.block, |_| {}, |event| heard.push((event.word_idx, event.decision_sample)));
        }
    }
}

/// Noise whose low frequencies are stronger the closer `colour` is to 1, of this level.
fn noise(random: &mut Random, n_samples: usize, colour: f32, level: f32) -> Vec<f32> {
    let mut low = 0.0;
    let scale = level * 1.7 * (1.0 - colour * colour).sqrt();
    (0..n_samples)
        .map(|_| {
            low = colour * low + random.value() * scale;
            low
        })
        .collect()
}

/// What lies before a word: digital silence, noise quiet or loud, talk that means nothing, or clipped tones.
fn something_else(random: &mut Random, n_samples: usize, talk: &[f32]) -> Vec<f32> {
    match random.below(5) {
        0 => vec![0.0; n_samples],
        1 => noise(random, n_samples, 0.0, 0.0003),
        2 => noise(random, n_samples, 0.95, 0.15),
        3 => {
            // The demo backwards, at some level.
            let (gain, start) = (0.1 + 2.0 * random.value().abs(), random.below(talk.len()));
            talk.iter().rev().cycle().skip(start).take(n_samples).map(|x| gain * x).collect()
        }
        _ => {
            let hz = 200.0 + 3000.0 * random.value().abs();
            (0..n_samples).map(|i| (3.0 * (i as f32 * hz / 2546.5).sin()).clamp(-1.0, 1.0)).collect()
        }
    }
}

#[test]
fn hours_without_a_reset_change_nothing() {
    let bundle = Bundle::load(&locate("six-words", None).unwrap()).unwrap();
    let place = |name: &str| bundle.manifest.words.iter().position(|word| word.name == name).unwrap();
    let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    let demo = read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap();
    let mut random = Random::new(31);
    let samples_per_step = samples_per_step(&bundle.manifest) as usize;
    let mut carried = Ear::new(&bundle);
    let mut n_samples = 0;
    let (mut n_missed_carried, mut n_missed_fresh, mut n_differing) = (0, 0, 0);
    for said in 0..N_WORDS_SAID {
        let (name, span_s) = WORDS[said % WORDS.len()];
        let word = &demo[(span_s[0] * RATE_HZ as f64) as usize..(span_s[1] * RATE_HZ as f64) as usize];
        let n_before = (BEFORE_S[0] + random.below(BEFORE_S[1] - BEFORE_S[0])) * RATE_HZ;
        let before = something_else(&mut random, n_before, &demo);
        // Said in noise, so that there is something to miss.
        let level = (word.iter().map(|x| x * x).sum::<f32>() / word.len() as f32).sqrt();
        let snr_db = [6.0, 10.0, 15.0, 20.0, 30.0][random.below(5)];
        let n_around = RATE_HZ / 2;
        let n_after = (AFTER_S * RATE_HZ as f64) as usize;
        let mut scene = noise(&mut random, n_around + word.len() + n_after, 0.8, level * 10f32.powf(-snr_db / 20.0));
        scene[n_around..].iter_mut().zip(word).for_each(|(sum, sample)| *sum += sample);

        let is_hit = |ear: &Ear, start: usize| {
            let span = (start + n_around) as u64..=(start + scene.len()) as u64;
            ear.heard.iter().any(|(word_idx, at)| *word_idx == place(name) && span.contains(at))
        };
        carried.push(&before);
        carried.push(&scene);
        let n_before_word = n_samples + n_before;
        let is_hit_carried = is_hit(&carried, n_before_word);
        n_samples = n_before_word + scene.len();

        let mut fresh = Ear::new(&bundle);
        // On the same grid of steps, so that nothing differs but the past.
        let n_fresh = FRESH_S * RATE_HZ + (n_before_word - FRESH_S * RATE_HZ) % samples_per_step;
        fresh.push(&before[n_before - n_fresh..]);
        fresh.push(&scene);
        let is_hit_fresh = is_hit(&fresh, n_fresh);

        n_missed_carried += usize::from(!is_hit_carried);
        n_missed_fresh += usize::from(!is_hit_fresh);
        n_differing += usize::from(is_hit_carried != is_hit_fresh);
    }
    let hours = n_samples as f64 / RATE_HZ as f64 / 3600.0;
    let figures = format!(
        "{hours:.1} h: {n_missed_carried} of {N_WORDS_SAID} missed without a reset, {n_missed_fresh} in fresh streams, \
         {n_differing} of them differing"
    );
    assert!(hours > 3.0, "{figures}");
    assert!((N_WORDS_SAID / 20..N_WORDS_SAID / 2).contains(&n_missed_fresh), "too easy or too hard to tell: {figures}");
    assert!(n_differing <= N_WORDS_SAID / 100, "what was before a word decides about it: {figures}");
}
