//! `tripword eval --streams`: the files are what the measurement hears.

use std::collections::BTreeMap;

use tripword::audio::wav::WavSource;
use tripword::audio::{AudioSource, ChannelChoice, read_to_end};
use tripword::bundle::{Bundle, Location};
use tripword::dataset::Inventory;
use tripword::eval::{Ear, Material, StreamLayout, Truth, match_events};
use tripword::units::SampleRate;

use super::eval::recordings;
use super::*;

const WORDS: [&str; 2] = ["alpha", "beta"];

fn index(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read(folder.join("streams.json")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&text).unwrap()["streams"].as_array().unwrap().clone()
}

/// Start and end in samples, and the word.
fn labels(wav: &Path) -> Vec<(u64, u64, String)> {
    let text = std::fs::read_to_string(wav.with_extension("txt")).unwrap();
    let fields = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let sample = |text: &str| (text.parse::<f64>().unwrap() * 16_000.0).round() as u64;
    fields.map(|fields| (sample(fields[0]), sample(fields[1]), fields[2].to_owned())).collect()
}

fn samples(wav: &Path) -> Vec<f32> {
    let mut source = WavSource::open(wav, ChannelChoice::Mix).unwrap();
    assert_eq!(source.sample_rate(), SampleRate::MODEL);
    read_to_end(&mut source).unwrap()
}

fn assert_is_heard(wav: &Path, layout: &StreamLayout, heard: &[f32]) {
    // Full scale is clipped as every 16-bit file clips it.
    let rounded: Vec<f32> =
        heard.iter().map(|sample| f32::from((sample * 32_768.0).round() as i16) / 32_768.0).collect();
    assert!(samples(wav) == rounded, "{}: other samples than those heard", wav.display());
    let truths: Vec<(u64, u64, String)> = (layout.truths.iter())
        .map(|truth| (truth.start_sample, truth.end_sample, WORDS[truth.word_idx].to_owned()))
        .collect();
    assert_eq!(labels(wav), truths, "{}", wav.display());
}

#[test]
fn the_files_hold_every_sample_and_word_that_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (recordings(folder.path()), random_model(folder.path()));
    let streams = folder.path().join("streams");
    let write = |folder: &Path| {
        run(tripword()
            .arg("eval")
            .arg(&data)
            .args(["--seed", "3", "--json", "--model"])
            .arg(&model)
            .arg("--streams")
            .arg(folder))
    };
    let ran = write(&streams);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let plain = run(tripword().arg("eval").arg(&data).args(["--seed", "3", "--json", "--model"]).arg(&model));
    assert_eq!(ran.stdout, plain.stdout, "writing the streams changes nothing in the measurement");

    let inventory = Inventory::read(&data, &WORDS.map(String::from)).unwrap();
    let material = Material::new(&inventory, Vec::new(), 3, &mut Vec::new());
    let bundle = Bundle::load(&Location::Folder(model.clone())).unwrap();
    let ear = Ear { network: &bundle.network, features: &bundle.manifest.features, model: &bundle.manifest.model };
    let mut index = index(&streams)
        .into_iter()
        .map(|entry| (entry["file"].as_str().unwrap().to_owned(), entry))
        .collect::<BTreeMap<_, _>>();
    let conditions = [
        ("clean", "clean"),
        ("noisy, 10 dB", "noisy-10-db"),
        ("reverberant", "reverberant"),
        ("reverberant, 10 dB", "reverberant-10-db"),
        ("noise alone", "noise-alone"),
    ];
    for set in material.stream_sets(&material.conditions(10.0)) {
        let (traced, _) = material.hear(set.role, set.condition, ear, &|_, _| {});
        let (_, place) = conditions.iter().find(|(name, _)| *name == set.condition_name()).unwrap();
        for (i, (layout, _)) in traced.streams.iter().enumerate() {
            let file = format!("{place}/{}-{i:02}.wav", set.role.to_string().replace(' ', "-"));
            let entry = index.remove(&file).unwrap_or_else(|| panic!("{file} is missing"));
            let whole = material.excerpt(set.role, set.condition, layout, 0..layout.n_samples);
            assert_is_heard(&streams.join(&file), layout, &whole);
            assert_eq!(
                (entry["condition"].as_str(), entry["role"].as_str()),
                (Some(&*set.condition_name()), Some(&*set.role.to_string()))
            );
            assert_eq!(entry["negative_s"], SampleRate::MODEL.seconds(layout.n_negative_samples));
        }
    }
    assert!(index.is_empty(), "files of nothing that is heard: {index:?}");

    let ran = write(&streams);
    assert!(ran.code == 1 && ran.stderr.contains("something is there"), "{}", ran.stderr);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_eq!(write(&empty).code, 0);
    // Nothing but what was asked for.
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data", "empty", "random-model", "streams"]);
}

#[test]
fn label_finds_in_the_files_what_eval_found() {
    let folder = tempfile::tempdir().unwrap();
    let (talks, streams) = (folder.path().join("talks"), folder.path().join("streams"));
    std::fs::create_dir(&talks).unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.wav"), talks.join("demo.wav")).unwrap();
    // Each word once, so that its latency is that of its event; alexa is said to be where it is not.
    let said =
        "4.35\t4.95\tcomputer\n9.7\t10.6\tsmart_mirror\n16.7\t17.3\tjarvis\n20\t20.5\talexa\n22.3\t22.85\tsnowboy\n";
    std::fs::write(talks.join("demo.txt"), said).unwrap();
    let ran = run(tripword().arg("eval").arg(&talks).arg("--json").arg("--streams").arg(&streams));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<_> = json_lines(&ran.stdout).into_iter().filter(|row| row["operating_point"] == "model").collect();
    let words = ["alexa", "computer", "jarvis", "smart_mirror", "snowboy"];
    let mut n_hits = 0;
    for entry in index(&streams).iter().filter(|entry| entry["role"] == "words") {
        let wav = streams.join(entry["file"].as_str().unwrap());
        let labelled = run(tripword().args(["label", "--json"]).arg(&wav));
        let events = json_lines(&labelled.stdout);
        let truths: Vec<Truth> = labels(&wav)
            .into_iter()
            .map(|(start_sample, end_sample, word)| {
                let word_idx = words.iter().position(|known| *known == word).unwrap();
                Truth { word_idx, start_sample, end_sample, recording_idx: 0 }
            })
            .collect();
        for (word_idx, word) in words.iter().enumerate() {
            let of_word = events.iter().filter(|event| event["word"] == *word);
            let decisions: Vec<u64> = of_word.map(|event| event["time_sample"].as_u64().unwrap()).collect();
            let matched = match_events(&decisions, word_idx, &truths, SampleRate::MODEL);
            let row = (rows.iter().find(|row| row["word"] == *word && row["condition"] == entry["condition"])).unwrap();
            assert_eq!(row["n_missed"], matched.misses.len(), "{row}");
            assert_eq!(row["n_false_accepts"], matched.false_accepts.len(), "{row}");
            assert_eq!(row["n_confusions"], matched.confusions.len(), "{row}");
            assert_eq!(row["median_latency_ms"].as_i64(), matched.hits.first().map(|(_, latency_ms)| *latency_ms));
            n_hits += matched.hits.len();
        }
    }
    assert!(n_hits >= 6, "{n_hits} words heard, of four clean and four in a room");
}
