//! Recordings laid into streams for measurement: what lies where, whatever cannot be read, and hearing a part again.
#![cfg(feature = "train")]

use std::path::{Path, PathBuf};

use tripword::audio::write::write_wav;
use tripword::bundle::{Bundle, locate};
use tripword::dataset::{Inventory, Layout, NegativeFile, Part, Provenance, SkippedFile};
use tripword::eval::recordings::Role;
use tripword::eval::{
    Condition, Content, Ear, EvalStream, Material, Recording, Room, SpokenWord, Stage, StreamLayout, StreamShape, lay,
};
use tripword::features::FeatureConfig;
use tripword::units::SampleRate;

/// A second with half a second of tone in its middle.
fn write_clip(path: &Path) {
    let tone = |i: usize| if (4_000..12_000).contains(&i) { (i as f32 * 0.3).sin() * 0.1 } else { 0.0 };
    let samples: Vec<f32> = (0..16_000).map(tone).collect();
    write_wav(path, &samples, SampleRate::MODEL).unwrap();
}

fn recordings(folder: &Path, n: usize) -> Vec<Recording> {
    (0..n)
        .map(|word_idx| {
            let path = folder.join(format!("{word_idx}.wav"));
            write_clip(&path);
            let word = SpokenWord { word_idx, start_s: 0.25, end_s: 0.75 };
            Recording { path, speaker: None, content: Content::Labelled(vec![word]) }
        })
        .collect()
}

fn run(recordings: &[Recording], seed: u64) -> (Vec<EvalStream>, Vec<SkippedFile>) {
    let features = FeatureConfig::default();
    let stage = Stage { condition: Condition::CLEAN, noise: &[], rooms: None, seed };
    let shape = StreamShape { features: &features, frames_per_step: 8 };
    lay(recordings, &stage, shape, |stream| stream, &|_, _| {})
}

#[test]
fn truths_lie_where_the_words_were_put() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path(), 3);
    let (streams, _) = run(&recordings, 1);
    assert_eq!(streams.len(), 1);
    let layout = &streams[0].layout;
    assert_eq!(layout.truths.iter().map(|truth| truth.word_idx).collect::<Vec<_>>(), [0, 1, 2]);
    for (truth, item) in layout.truths.iter().zip(&layout.items) {
        assert_eq!(truth.end_sample - truth.start_sample, 8_000);
        assert_eq!(truth.start_sample, item.sound_sample + 4_000);
        assert_eq!(layout.item_at(truth.end_sample), Some(item));
    }
    assert_eq!(layout.n_negative_samples, layout.n_samples - 16_000, "all but the silence at the end");
    assert_eq!(streams[0].frames.len() % (8 * 40), 0);
    assert_eq!(streams, run(&recordings, 1).0);
    assert_ne!(streams, run(&recordings, 2).0);
}

#[test]
fn a_recording_that_cannot_be_read_is_named_and_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path(), 3);
    let (all, _) = run(&recordings, 1);
    std::fs::write(&recordings[1].path, b"no sound").unwrap();
    let (streams, skipped) = run(&recordings, 1);
    assert_eq!(skipped.iter().map(|file| &file.path).collect::<Vec<_>>(), [&recordings[1].path]);
    let lengths = |streams: &[EvalStream], places: [usize; 2]| {
        places.map(|i| streams[0].layout.items[i].end_sample - streams[0].layout.items[i].start_sample)
    };
    assert_eq!(lengths(&streams, [0, 1]), lengths(&all, [0, 2]));
}

fn empty_inventory(root: PathBuf) -> Inventory {
    Inventory {
        root,
        layout: Layout::NanoWakeWord,
        words: vec!["a".into(), "b".into()],
        positives: Vec::new(),
        negatives: Vec::new(),
        noises: Vec::new(),
        rooms: Vec::new(),
        skipped: Vec::new(),
    }
}

/// What lies where in the streams of a condition.
fn layout(material: &Material, condition: Condition) -> StreamLayout {
    let bundle = Bundle::load(&locate("six-words", None).unwrap()).unwrap();
    let ear = Ear { network: &bundle.network, features: &bundle.manifest.features, model: &bundle.manifest.model };
    material.hear(Role::Positive, condition, ear, &|_, _| {}).0.streams[0].0.clone()
}

#[test]
fn a_part_of_a_stream_can_be_heard_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut inventory = empty_inventory(folder.path().into());
    let noise: Vec<f32> = (0..50_000).map(|i| ((i * 7919) % 201) as f32 / 1000.0 - 0.1).collect();
    let path = folder.path().join("noise.wav");
    write_wav(&path, &noise, SampleRate::MODEL).unwrap();
    let provenance = Provenance { source: "test".into(), license: "none".into() };
    inventory.noises = vec![NegativeFile { path, source: "noise".into(), speaker: None, part: Part::Open, provenance }];
    let material = Material::new(&inventory, recordings(folder.path(), 3), 7, &mut Vec::new());
    for condition in [Condition::CLEAN, Condition { room: Room::Reverberant, snr_db: Some(30.0) }] {
        let layout = layout(&material, condition);
        let whole = material.excerpt(Role::Positive, condition, &layout, 0..layout.n_samples);
        assert_eq!(whole.len() as u64, layout.n_samples);
        let truth = layout.truths[1];
        let part = truth.start_sample - 20_000..truth.end_sample + 16_000;
        let excerpt = material.excerpt(Role::Positive, condition, &layout, part.clone());
        assert!(
            excerpt == whole[part.start as usize..part.end as usize],
            "{condition}: a part is what the whole has there"
        );
        let rms = |range: std::ops::Range<usize>| {
            (whole[range.clone()].iter().map(|s| s * s).sum::<f32>() / range.len() as f32).sqrt()
        };
        let (start, end) = (truth.start_sample as usize, truth.end_sample as usize);
        assert!(rms(start..end) > 5.0 * rms(start - 3_000..start), "{condition}: the word is where the truth says");
    }
}
