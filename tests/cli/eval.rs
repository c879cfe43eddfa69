//! `tripword eval`, with a model of random weights: nothing is heard well, but everything is counted.

use tripword::bundle::{Bundle, Location};
use tripword::units::SampleRate;

use std::path::PathBuf;

use super::*;

/// Clips of two words by two speakers, an hour's share of other sound, and noise.
pub(super) fn recordings(folder: &Path) -> PathBuf {
    let root = folder.join("data");
    for sub in ["positive/alpha", "positive/beta", "negative/talk", "noise/hum"] {
        std::fs::create_dir_all(root.join(sub)).unwrap();
    }
    for word in ["alpha", "beta"] {
        for i in 0..6u64 {
            let speaker = ["anna", "ben"][i as usize % 2];
            random_wav(&root.join("positive").join(word), &format!("{speaker}-{i}.wav"), 10 + i, 1.5);
        }
    }
    for i in 0..4 {
        random_wav(&root.join("negative/talk"), &format!("talk{i}.wav"), 50 + i, 30.0);
    }
    random_wav(&root.join("noise/hum"), "hum.wav", 90, 10.0);
    root
}

fn eval(data: &Path, model: &Path, arguments: &[&str]) -> Ran {
    run(tripword().arg("eval").arg(data).arg("--model").arg(model).args(arguments))
}

#[test]
fn every_condition_is_measured_and_the_seed_decides() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (recordings(folder.path()), random_model(folder.path()));
    let report = folder.path().join("report.json");
    let ran = eval(&data, &model, &["--json", "--by-snr", "--report", report.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = json_lines(&ran.stdout);
    let conditions = ["clean", "noisy, 10 dB", "reverberant", "reverberant, 10 dB", "noise alone"];
    for point in ["model", "0.1 FA/h", "0.5 FA/h", "1 FA/h"] {
        let of_point: Vec<_> =
            rows.iter().filter(|row| row["operating_point"] == point && row["word"] == "alpha").collect();
        assert_eq!(of_point.iter().map(|row| row["condition"].as_str().unwrap()).collect::<Vec<_>>(), conditions);
        for row in of_point {
            let is_noise = row["condition"] == "noise alone";
            assert_eq!(row["n_spoken"], if is_noise { 0 } else { 6 });
            let hours = row["negative_hours"].as_f64().unwrap();
            let expected = if is_noise { 11.0 } else { 4.0 * 31.0 } / 3600.0;
            assert!((hours - expected).abs() < 3.0 / 3600.0, "{row}");
            let [low, high] = [0, 1].map(|i| row["false_accepts_per_hour_interval"][i].as_f64().unwrap());
            let rate = row["false_accepts_per_hour"].as_f64().unwrap();
            assert!(low <= rate && rate < high, "{row}");
        }
    }
    let again = eval(&data, &model, &["--json"]);
    assert_eq!(ran.stdout, again.stdout);
    assert_ne!(ran.stdout, eval(&data, &model, &["--json", "--seed", "2"]).stdout);

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let word = &report["words"][0];
    let list = |key: &str| word[key].as_array().unwrap();
    let sum = |found: &[serde_json::Value], key: &str| {
        found.iter().map(|one| one["misses"][key].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(list("speakers").len(), 2);
    assert_eq!(sum(list("speakers"), "n_spoken"), 4 * 6);
    assert_eq!(sum(list("speakers"), "n_missed"), list("misses").len() as u64);
    assert_eq!(list("snrs").len(), 5);
    let kinds: Vec<&str> = list("confusables").iter().map(|found| found["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["beta", "first half", "last half", "halves swapped", "thirds reversed"]);
    for curve in list("det_curves") {
        let points = curve["points"].as_array().unwrap();
        let first_and_last =
            |key: &str| [&points[0], &points[points.len() - 1]].map(|point| point[key].as_f64().unwrap());
        let [few, many] = first_and_last("miss_rate");
        assert!(few <= many);
    }
}

#[test]
fn the_page_holds_a_sound_for_each_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (recordings(folder.path()), random_model(folder.path()));
    let (page, report) = (folder.path().join("page"), folder.path().join("report.json"));
    let arguments = ["--html", page.to_str().unwrap(), "--report", report.to_str().unwrap()];
    for _ in 0..2 {
        let ran = eval(&data, &model, &arguments);
        assert_eq!(ran.code, 0, "a page may be made again: {}", ran.stderr);
    }
    let html = std::fs::read_to_string(page.join("index.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("<script") && !html.contains("http"), "no script, no network");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let misses = report["words"][0]["misses"].as_array().unwrap();
    assert!(!misses.is_empty());
    for miss in misses {
        let excerpt = miss["excerpt"].as_str().unwrap();
        assert!(html.contains(&format!("<audio controls preload=\"none\" src=\"{excerpt}\">")), "{excerpt}");
        let source = tripword::audio::wav::WavSource::open(page.join(excerpt), Default::default()).unwrap();
        let length_s = SampleRate::MODEL.seconds(source.len_samples().unwrap());
        // The word, at most as long as its clip, with a second on either side.
        assert!((2.0..=3.6).contains(&length_s), "{length_s} s");
    }
    let ran = eval(&data, &model, &["--html", data.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("something else is there"), "{}", ran.stderr);
}

#[test]
fn thresholds_are_written_into_a_model_or_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let (data, model) = (recordings(folder.path()), random_model(folder.path()));
    let load = |path: &Path| Bundle::load(&Location::Folder(path.into())).unwrap().manifest;
    let before = load(&model);
    let copy = folder.path().join("copy");
    // Some minutes of sound are enough for the bound at so high a rate.
    let ran =
        eval(&data, &model, &["--target-fa-per-hour", "100", "--write-thresholds", "--out", copy.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(load(&model), before, "--out leaves the model alone");
    let after = load(&copy);
    let rows = eval(&data, &copy, &["--target-fa-per-hour", "100", "--choose-by", "bound", "--json"]);
    let rows = json_lines(&rows.stdout);
    for (word, old) in after.words.iter().zip(&before.words) {
        assert_ne!(word.trigger.threshold, old.trigger.threshold);
        assert_eq!(
            (&word.name, word.timing, word.trigger.smoothing_ms),
            (&old.name, old.timing, old.trigger.smoothing_ms)
        );
        let thresholds: Vec<f64> =
            rows.iter().filter(|row| row["word"] == *word.name).map(|row| row["threshold"].as_f64().unwrap()).collect();
        assert!(thresholds.iter().all(|t| (t - f64::from(word.trigger.threshold)).abs() < 1e-6), "{thresholds:?}");
    }
    assert_eq!(after.weights, before.weights);
    assert!(after.training.notes.iter().any(|note| note.contains("100 false accepts an hour")));
    let card = std::fs::read_to_string(copy.join("CARD.md")).unwrap();
    assert!(card.starts_with("# random") && card.contains("## Thresholds chosen by measurement"), "{card}");

    // The few minutes cannot prove a tenth an hour, and say how many hours could.
    let ran = eval(&data, &copy, &["--target-fa-per-hour", "0.1", "--write-thresholds"]);
    assert!(ran.stderr.contains("36.9 hours"), "{}", ran.stderr);
    if ran.code != 0 {
        assert!(ran.stderr.contains("nothing was written"), "{}", ran.stderr);
        assert_eq!(load(&copy), after);
    }

    let ran = run(tripword().arg("eval").arg(&data).args(["--target-fa-per-hour", "1", "--write-thresholds"]));
    assert!(ran.code == 1 && ran.stderr.contains("built in") && ran.stderr.contains("--out DIR"), "{}", ran.stderr);
    let ran = eval(&data, &model, &["--target-fa-per-hour", "1", "--target-fa-per-hour", "2", "--write-thresholds"]);
    assert!(ran.code == 1 && ran.stderr.contains("2 were given"), "{}", ran.stderr);
}

#[test]
fn long_recordings_are_measured_by_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let talks = folder.path().join("talks");
    std::fs::create_dir(&talks).unwrap();
    random_wav(&talks, "one.wav", 1, 40.0);
    random_wav(&talks, "two.wav", 2, 20.0);
    random_wav(&talks, "three.wav", 3, 20.0);
    std::fs::write(talks.join("one.txt"), "1.0\t1.6\tAlpha\n20\t20.5\talpha 0.93\n30\t31\tbeta\n").unwrap();
    std::fs::write(talks.join("two.labels.txt"), "").unwrap();
    let ran = eval(&talks, &model, &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("three.wav: no labels beside it"), "{}", ran.stderr);
    let rows = json_lines(&ran.stdout);
    let spoken = |word: &str| {
        let row = rows.iter().find(|row| row["word"] == word && row["condition"] == "clean").unwrap();
        (row["n_spoken"].as_u64().unwrap(), row["negative_hours"].as_f64().unwrap())
    };
    assert_eq!((spoken("alpha").0, spoken("beta").0), (2, 1));
    // Both files and the gaps before them.
    assert!((spoken("alpha").1 * 3600.0 - 62.0).abs() < 1.1);

    std::fs::write(talks.join("one.txt"), "1.0 1.6 alpha\n").unwrap();
    let ran = eval(&talks, &model, &[]);
    assert!(ran.code == 1 && ran.stderr.contains("one.txt: line 1: expected START"), "{}", ran.stderr);
}
