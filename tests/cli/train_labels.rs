//! `tripword train --labels`: from labels to a model, and back.

use std::path::PathBuf;

use tripword::units::SampleRate;

use super::train::small;
use super::*;

/// Recordings of a minute: falling tones and hiss, and among them rising ones, which are the sound; with labels of Audacity beside them.
fn long_recordings(folder: &Path, n_recordings: usize) -> PathBuf {
    let root = folder.join("talks");
    std::fs::create_dir_all(&root).unwrap();
    let mut random = common::Random::new(5);
    for recording in 0..n_recordings {
        let (mut samples, mut labels) = (Vec::new(), String::new());
        for i in 0..24 {
            samples.extend(random.values(16_000, 0.002));
            let is_word = i % 3 == 1;
            let from_hz = if is_word { 500.0 + 50.0 * random.value() } else { 1500.0 + 1000.0 * random.value() };
            let to_hz = if is_word { 5.0 * from_hz } else { from_hz * (0.5 + 0.2 * random.value()) };
            let (start, n, level) = (samples.len(), 8_000, 0.2 + 0.1 * random.value());
            let mut phase = 0.0f32;
            for i in 0..n {
                phase = (phase + (from_hz + (to_hz - from_hz) * i as f32 / n as f32) / 16_000.0).fract();
                samples.push(level * (phase * std::f32::consts::TAU).sin() + 0.002 * random.value());
            }
            if is_word {
                let [start_s, end_s] = [start, start + n].map(|sample| sample as f64 / 16_000.0);
                labels += &format!("{start_s:.6}\t{end_s:.6}\tchirp\n");
            }
        }
        samples.extend(random.values(32_000, 0.002));
        let path = root.join(format!("talk{recording}.wav"));
        tripword::audio::write::write_wav(&path, &samples, SampleRate::MODEL).unwrap();
        std::fs::write(path.with_extension("labels.txt"), labels).unwrap();
    }
    root
}

#[test]
fn a_model_is_trained_from_labels_and_its_labels_train_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let talks = long_recordings(folder.path(), 5);
    let model = folder.path().join("chirp");
    let train = |out: &Path, paths: &[&Path]| {
        let mut command = tripword();
        command.arg("train").arg("--out").arg(out).args([
            "--json",
            "--steps",
            "250",
            "--set",
            "train.target_false_accepts_per_hour=20",
        ]);
        for path in paths {
            command.arg("--labels").arg(path);
        }
        run(small(&mut command))
    };
    let ran = train(&model, &[&talks]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in ["recordings=5", "chirp 40", "held_out=8", "other_hours=\"0.0"] {
        assert!(ran.stderr.contains(part), "'{part}' in: {}", ran.stderr);
    }
    let lines = json_lines(&ran.stdout);
    let missed = &lines.last().unwrap()["training"]["validation_miss_rate"]["chirp"];
    assert!(missed.as_f64().unwrap() < 0.5, "{missed}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no pieces are left: {left:?}");

    // The model labels them in another folder; one label is taken away and one moved, as a person would, and they train again.
    let labels = folder.path().join("labels");
    let ran = run(tripword()
        .arg("label")
        .arg(&talks)
        .arg("--model")
        .arg(&model)
        .arg("--out")
        .arg(&labels)
        .args(["--threshold", "0.5"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let path = labels.join("talk0.labels.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() >= 4 && lines[0].contains("\tchirp "), "{text}");
    lines.remove(1);
    lines[1] = "9.125000\t9.625000\tchirp 0.90";
    std::fs::write(&path, lines.join("\n")).unwrap();
    let by_hand = talks.join("labels-by-hand");
    std::fs::create_dir(&by_hand).unwrap();
    for i in 0..5 {
        std::fs::rename(talks.join(format!("talk{i}.labels.txt")), by_hand.join(format!("talk{i}.old"))).unwrap();
    }
    let ran = train(&folder.path().join("again"), &[&talks, &labels]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let n_labels: usize = (0..5)
        .map(|i| std::fs::read_to_string(labels.join(format!("talk{i}.labels.txt"))).unwrap().lines().count())
        .sum();
    assert!(ran.stderr.contains(&format!("chirp {n_labels}")), "{n_labels} in: {}", ran.stderr);
}

#[test]
fn labels_join_a_folder_of_clips_of_the_same_word() {
    let folder = tempfile::tempdir().unwrap();
    let talks = long_recordings(folder.path(), 2);
    let clips = train::recordings(folder.path(), 3, 4);
    let mut command = tripword();
    command.arg("train").arg(&clips).arg("--labels").arg(&talks).args(["--word", "Chirp", "--steps", "10"]);
    let ran = run(small(command.arg("--out").arg(folder.path().join("model"))));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let manifest = std::fs::read_to_string(folder.path().join("model/manifest.toml")).unwrap();
    assert!(manifest.contains("source = \"talks\"") && manifest.contains("source = \"positive\""), "{manifest}");
    assert_eq!(manifest.matches("[[words]]").count(), 1, "{manifest}");
}

#[test]
fn wrong_use_of_labels_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let talks = long_recordings(folder.path(), 2);
    let train = |extra: &[&str]| {
        let mut command = tripword();
        run(command.arg("train").arg("--out").arg(folder.path().join("model")).args(extra))
    };
    let talks = talks.to_str().unwrap();
    let ran = train(&[]);
    assert!(ran.code == 2 && ran.stderr.contains("DATA"), "{}", ran.stderr);
    let ran = train(&["--labels", talks, "--word", "chrip"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("\"chirp\" (16)") && ran.stderr.contains("did you mean 'chirp'?"), "{}", ran.stderr);
    std::fs::write(folder.path().join("talks/talk0.labels.txt"), "1.0\t1.5\tchirp\n70.0\t71.0\tchirp\n").unwrap();
    let ran = train(&["--labels", talks]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("talk0.labels.txt") && ran.stderr.contains("lies beyond the end of"), "{}", ran.stderr);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["talks"], "nothing is left of what failed");
}
