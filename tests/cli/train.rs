//! `tripword train` and `tripword eval`, on sounds that are easy to tell apart.

use std::path::PathBuf;

use tripword::units::SampleRate;

use super::*;

/// A folder in the NanoWakeWord layout: the "word" is a rising tone, everything else is falling tones and noise.
pub(super) fn recordings(folder: &Path, n_speakers: usize, clips_per_speaker: usize) -> PathBuf {
    let root = folder.join("recordings");
    let mut random = common::Random::new(11);
    let write = |path: PathBuf, tones: &[(f32, f32, usize)], random: &mut common::Random| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut samples = random.values(4_000, 0.002);
        for &(from_hz, to_hz, n_samples) in tones {
            let (mut phase, level) = (0.0f32, 0.2 + 0.1 * random.value());
            for i in 0..n_samples {
                let hz = from_hz + (to_hz - from_hz) * i as f32 / n_samples as f32;
                phase = (phase + hz / 16_000.0).fract();
                samples.push(level * (phase * std::f32::consts::TAU).sin() + 0.002 * random.value());
            }
            samples.extend(random.values(1_500, 0.002));
        }
        samples.extend(random.values(4_000, 0.002));
        tripword::audio::write::write_wav(&path, &samples, SampleRate::MODEL).unwrap();
    };
    for speaker in 0..n_speakers {
        for take in 0..clips_per_speaker {
            let pitch = 1.0 + 0.1 * random.value();
            let path = root.join(format!("positive/speaker{speaker}-{take:02}.wav"));
            write(path, &[(500.0 * pitch, 2500.0 * pitch, 8_000)], &mut random);
        }
    }
    for speaker in 0..n_speakers {
        for take in 0..6 {
            let tones: Vec<(f32, f32, usize)> = (0..8)
                .map(|_| {
                    let hz = 1500.0 + 1000.0 * random.value();
                    (hz, hz * (0.5 + 0.2 * random.value()), 6_000)
                })
                .collect();
            write(root.join(format!("negative/other{speaker}-{take}.wav")), &tones, &mut random);
        }
        write(root.join(format!("noise/hum{speaker}.wav")), &[(120.0, 120.0, 32_000)], &mut random);
    }
    root
}

/// As small as it can be and still learn.
pub(super) fn small(command: &mut Command) -> &mut Command {
    command.args([
        "--set",
        "train.network.hidden_size=24",
        "--set",
        "train.network.convolutions=[{channels=24,kernel=10,stride=4},{channels=24,kernel=5,stride=2}]",
        "--set",
        "train.batch_size=8",
        "--set",
        "train.validate_every=50",
        "--set",
        "train.checkpoint_every=50",
        "--set",
        "train.mine_every=100",
        "--set",
        "train.average_decay=0.95",
        "--set",
        "train.negative_weight=5.0",
    ])
}

#[test]
fn a_detector_is_trained_from_clips_and_finds_its_word_in_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 4, 6);
    std::fs::write(data.join("positive/speaker0-99.wav"), b"not a recording").unwrap();
    let model = folder.path().join("chirp");
    let ran =
        run(small(tripword().arg("train").arg(&data).arg("--out").arg(&model).args(["--steps", "200", "--json"])));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("NanoWakeWord"), "says which layout: {}", ran.stderr);
    assert!(ran.stderr.contains("speaker0-99.wav"), "names what it skips: {}", ran.stderr);
    let lines = json_lines(&ran.stdout);
    let result = lines.last().unwrap();
    let missed = result["training"]["validation_miss_rate"].as_object().unwrap().values().next().unwrap();
    assert!(missed.as_f64().unwrap() < 0.5, "{result}");
    for file in ["manifest.toml", "weights.safetensors", "CARD.md"] {
        assert!(model.join(file).is_file());
    }
    assert!(!folder.path().join("chirp.checkpoint").exists(), "a finished run leaves no checkpoint");

    let held_out = recordings(&folder.path().join("new"), 2, 4);
    let ran = run(tripword().arg("eval").arg(&held_out).arg("--model").arg(&model).arg("--json"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let row = json_lines(&ran.stdout).into_iter().find(|row| row["condition"] == "clean").unwrap();
    assert_eq!(row["n_spoken"], 8);
    assert!(row["miss_rate"].as_f64().unwrap() < 0.5, "{row}");
}

#[test]
fn an_interrupted_run_resumes_to_the_same_weights() {
    resumes_to_the_same_weights("gru", &[]);
}

#[test]
fn an_interrupted_run_of_an_lstm_carries_both_parts_of_its_state() {
    let directions = "train.network.bidirectional=true";
    resumes_to_the_same_weights("lstm", &[directions, "train.network.initial_state=learned"]);
}

#[test]
fn an_interrupted_run_resumes_with_every_loss() {
    for kind in ["max_pooling", "ctc"] {
        resumes_to_the_same_weights("gru", &[&format!("train.loss.kind={kind}")]);
    }
}

#[test]
fn an_interrupted_run_resumes_with_every_reach_of_the_gradient() {
    // Segments of 30, 30 and 15 steps; through one, and through three and more, into the mix before.
    for k2_steps in [30, 100] {
        let k2_steps = format!("train.truncation.k2_steps={k2_steps}");
        let warm_up = "train.reset_warm_up_ms=2000";
        resumes_to_the_same_weights("gru", &["train.truncation.k1_steps=30", &k2_steps, warm_up]);
    }
}

#[test]
fn a_run_that_diverges_stops_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 3, 5);
    // Decay that shrinks the weights a little at a low learning rate, and multiplies them at a high one.
    let train = |learning_rate: &str, extra: &[&str]| {
        let mut command = tripword();
        command.arg("train").arg(&data).arg("--out").arg(folder.path().join("model"));
        command.args(["--json", "--steps", "400", "--set", learning_rate, "--set", "train.weight_decay=10"]);
        small(command.args(extra)).args(["--set", "train.checkpoint_every=400"]);
        command
    };
    interrupted_after_first_validation(&mut train("train.learning_rate=0.001", &[]));
    let checkpoint = || std::fs::read(folder.path().join("model.checkpoint")).unwrap();
    let good = checkpoint();
    let ran = run(&mut train("train.learning_rate=0.9", &["--resume"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [" is NaN at step ", "the last good checkpoint is kept", "lower train.learning_rate"] {
        assert!(ran.stderr.contains(part), "'{part}' in: {}", ran.stderr);
    }
    assert!(checkpoint() == good && !folder.path().join("model").exists());
}

/// Runs a training and interrupts it after the first validation it prints; what it wrote on standard error.
pub(super) fn interrupted_after_first_validation(command: &mut Command) -> String {
    let piped = std::process::Stdio::piped;
    let mut child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.contains("\"step\":50"), "{line}");
    send_signal(&child, "INT").unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    stderr
}

fn resumes_to_the_same_weights(cell: &str, settings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 3, 5);
    let train = |out: &str, extra: &[&str]| {
        let mut command = tripword();
        command.arg("train").arg(&data).arg("--out").arg(folder.path().join(out)).args(["--json"]).args(extra);
        command.arg("--set").arg(format!("train.network.cell={cell}"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        command
    };
    let straight = run(small(&mut train("straight", &["--steps", "150"])));
    assert_eq!(straight.code, 0, "{}", straight.stderr);

    let stderr = interrupted_after_first_validation(small(&mut train("resumed", &["--steps", "150"])));
    assert!(stderr.contains("--resume") && folder.path().join("resumed.checkpoint").is_file(), "{stderr}");
    assert!(!folder.path().join("resumed").exists(), "no half-made model");

    let other = run(small(&mut train("resumed", &["--steps", "150", "--resume", "--seed", "2"])));
    assert!(other.code == 1 && other.stderr.contains("train.seed"), "{}", other.stderr);
    let resumed = run(small(&mut train("resumed", &["--steps", "150", "--resume"])));
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(resumed.stderr.contains("resumed at step"), "{}", resumed.stderr);
    let weights = |name: &str| std::fs::read(folder.path().join(name).join("weights.safetensors")).unwrap();
    assert!(weights("straight") == weights("resumed"), "the resumed run made other weights");
    let shown = run(tripword().arg("model").arg(folder.path().join("resumed")));
    assert!(shown.stdout.contains(&format!("{} layers of 24", cell.to_uppercase())), "{}", shown.stdout);
}

#[test]
fn every_loss_learns_and_an_unknown_one_is_told_the_choices() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 4, 6);
    let train = |kind: &str| {
        let mut command = tripword();
        command.arg("train").arg(&data).arg("--out").arg(folder.path().join(kind)).args(["--steps", "200", "--json"]);
        command.args(["--set", &format!("train.loss.kind={kind}"), "--set", "train.loss.label_smoothing=0.02"]);
        run(small(&mut command))
    };
    for kind in ["max_pooling", "ctc"] {
        let ran = train(kind);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let result = json_lines(&ran.stdout).pop().unwrap();
        let missed = result["training"]["validation_miss_rate"].as_object().unwrap().values().next().unwrap();
        assert!(missed.as_f64().unwrap() < 0.5, "{kind}: {result}");
    }
    let ran = train("max_poling");
    assert!(ran.code == 1 && ran.stderr.contains("`cross_entropy`, `max_pooling`, `ctc`"), "{}", ran.stderr);
}

/// As small as it can be and still adapt.
fn small_adaptation(command: &mut Command) -> &mut Command {
    small(command).args(["--set", "train.adapt.average_decay=0.9", "--set", "train.adapt.head_only_steps=10"]).args([
        "--set",
        "train.adapt.mine_every=30",
        "--set",
        "train.adapt.n_room_variants=2",
        "--set",
        "train.adapt.n_speed_variants=2",
        "--set",
        "train.adapt.n_curve_steps=60",
        "--steps",
        "60",
    ])
}

#[test]
fn a_trained_network_learns_a_new_word_from_few_clips_and_tells_what_to_expect() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 3, 5);
    let base = folder.path().join("chirp");
    let ran = run(small(tripword().arg("train").arg(&data).arg("--out").arg(&base).args(["--steps", "100"])));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in
        ["What to expect. Of a hundred times", "times in a week (", "had not learned from", "too few to promise"]
    {
        assert!(ran.stdout.contains(part), "'{part}' in: {}", ran.stdout);
    }

    // The new word is in a folder of its own, other speech and noise are elsewhere.
    let clips = folder.path().join("clips");
    std::fs::create_dir_all(clips.join("positive")).unwrap();
    for take in 0..5 {
        let name = format!("speaker0-{take:02}.wav");
        std::fs::copy(data.join("positive").join(&name), clips.join("positive").join(name)).unwrap();
    }
    let adapt = |out: &str, extra: &[&str]| {
        let mut command = tripword();
        command.arg("train").arg(&clips).args(["--word", "whoop"]).arg("--from").arg(&base);
        command.arg("--out").arg(folder.path().join(out)).args(extra);
        command
    };
    let ran = run(small_adaptation(&mut adapt("whoop", &["--json"])));
    assert!(ran.code == 1 && ran.stderr.contains("--negatives DIR"), "{}", ran.stderr);

    let elsewhere = [data.join("negative"), data.join("noise")].map(|path| path.to_string_lossy().into_owned());
    let elsewhere = ["--negatives", &elsewhere[0], "--noise", &elsewhere[1]];
    let other_shape = ["--set", "train.network.hidden_size=32"];
    let ran = run(small_adaptation(&mut adapt("whoop", &["--json"])).args(elsewhere).args(other_shape));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("train.network.hidden_size") && ran.stderr.contains("no effect"), "{}", ran.stderr);
    assert!(ran.stderr.contains("adapted from the model chirp"), "{}", ran.stderr);
    let lines = json_lines(&ran.stdout);
    let result = lines.last().unwrap();
    assert_eq!(result["words"][0]["name"], "whoop");
    assert_eq!(result["training"]["n_training_clips"]["whoop"], 5, "no clip is held back");
    assert_eq!(result["expectation"]["tested_on"], "known_voices");
    let points = result["expectation"]["curve"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    assert_eq!(points[1]["words"][0]["clean"][1], 5, "each clip is tested once: {points:?}");
    assert!(result["paragraph"].as_str().unwrap().contains("another speaker"), "{result}");

    // The curve is measured beside the model and does not touch it.
    let quick = ["--no-learning-curve"];
    let ran = run(small_adaptation(&mut adapt("again", &quick)).args(elsewhere));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("was not measured"), "{}", ran.stdout);
    let weights = |name: &str| std::fs::read(folder.path().join(name).join("weights.safetensors")).unwrap();
    assert!(weights("whoop") == weights("again"), "the curve changes nothing");

    // Of a base of several networks, each is adapted, and each in its own way.
    let both = folder.path().join("both");
    let ran = run(tripword().arg("combine").args([&base, &base]).arg("--out").arg(&both));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut command = tripword();
    command.arg("train").arg(&clips).args(["--word", "whoop"]).arg("--from").arg(&both);
    let ran = run(small_adaptation(command.arg("--out").arg(folder.path().join("mean")).args(quick)).args(elsewhere));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let bytes = weights("mean");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let alone = weights("whoop");
    let alone = safetensors::SafeTensors::deserialize(&alone).unwrap();
    assert_eq!(tensors.len(), 2 * alone.len());
    let head = |name: &str| tensors.tensor(name).unwrap().data().to_vec();
    assert_eq!(head("head.weight"), alone.tensor("head.weight").unwrap().data());
    assert_ne!(head("head.weight"), head("network1.head.weight"));
}

#[test]
fn folders_that_cannot_be_trained_on_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let train = |data: &Path| run(tripword().arg("train").arg(data).arg("--out").arg(folder.path().join("model")));
    let expect = |data: &Path, words: &[&str]| {
        let ran = train(data);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "'{word}' in: {}", ran.stderr);
        }
        assert!(!folder.path().join("model").exists());
    };
    expect(&folder.path().join("nowhere"), &["nowhere"]);

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    expect(&empty, &["positive", "wake-word", "activates", "_background_noise_"]);

    let one = recordings(&folder.path().join("one"), 1, 1);
    expect(&one, &["1 ", "at least"]);

    let no_negatives = recordings(&folder.path().join("no-negatives"), 2, 5);
    std::fs::remove_dir_all(no_negatives.join("negative")).unwrap();
    expect(&no_negatives, &["negative"]);

    let silent = recordings(&folder.path().join("silent"), 2, 5);
    for entry in std::fs::read_dir(silent.join("positive")).unwrap() {
        let path = entry.unwrap().path();
        tripword::audio::write::write_wav(&path, &[0.0; 16_000], SampleRate::MODEL).unwrap();
    }
    expect(&silent, &["silent", "0 usable", "-00.wav"]);

    let twice = recordings(&folder.path().join("twice"), 2, 5);
    for name in ["view glass", "View_Glass"] {
        std::fs::create_dir(twice.join("positive").join(name)).unwrap();
    }
    for (i, entry) in std::fs::read_dir(twice.join("positive")).unwrap().flatten().enumerate().collect::<Vec<_>>() {
        let path = entry.path();
        if path.is_file() {
            let word = if i % 2 == 0 { "view glass" } else { "View_Glass" };
            std::fs::rename(&path, twice.join("positive").join(word).join(path.file_name().unwrap())).unwrap();
        }
    }
    expect(&twice, &["view glass", "View_Glass"]);
}

#[test]
fn a_model_never_replaces_anything_but_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 2, 5);
    let file = folder.path().join("song.wav");
    std::fs::write(&file, b"precious").unwrap();
    for (out, found) in [(&data, "'n"), (&file, "a file")] {
        let ran = run(tripword().arg("train").arg(&data).arg("--out").arg(out));
        assert!(ran.code == 1 && ran.stderr.contains("is in the way"), "{}", ran.stderr);
        assert!(ran.stderr.contains(found) || ran.stderr.contains("'positive'"), "{}", ran.stderr);
    }
    assert!(data.join("positive").is_dir());
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn resuming_nothing_and_forgetting_to_resume_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 2, 5);
    let out = folder.path().join("model");
    let ran = run(tripword().arg("train").arg(&data).arg("--resume").arg("--out").arg(&out));
    assert!(ran.code == 1 && ran.stderr.contains("nothing to resume"), "{}", ran.stderr);
    std::fs::write(folder.path().join("model.checkpoint"), b"hours of work").unwrap();
    let ran = run(tripword().arg("train").arg(&data).arg("--out").arg(&out));
    assert!(ran.code == 1 && ran.stderr.contains("--resume"), "{}", ran.stderr);
    let ran = run(tripword().arg("train").arg(&data).arg("--resume").arg("--out").arg(&out));
    assert!(ran.code == 1 && ran.stderr.contains("damaged"), "{}", ran.stderr);
}
