//! `tripword config`

use super::*;

#[test]
fn the_printed_defaults_are_a_valid_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let defaults = run(tripword().args(["config", "--default"]));
    let file = folder.path().join("config.toml");
    std::fs::write(&file, &defaults.stdout).unwrap();
    let ran = run(tripword().arg("--config").arg(&file).arg("config"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.lines().all(|line| line.contains("config.toml")), "{}", ran.stdout);
}

#[test]
fn flags_override_the_file_and_the_file_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tripword")).unwrap();
    std::fs::write(folder.path().join("tripword/config.toml"), "[trigger]\nthreshold = 0.7\nsmoothing_ms = 240\n")
        .unwrap();
    let ran = run(tripword().env("XDG_CONFIG_HOME", folder.path()).args([
        "config",
        "--json",
        "--set",
        "trigger.threshold=0.9",
    ]));
    let values: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(values["trigger.threshold"]["value"], 0.9);
    assert_eq!(values["trigger.threshold"]["origin"], "--set trigger.threshold=0.9");
    assert_eq!(values["trigger.smoothing_ms"]["value"], 240);
    assert!(values["trigger.smoothing_ms"]["origin"].as_str().unwrap().ends_with("tripword/config.toml"));
    assert_eq!(values["trigger.refractory_ms"]["origin"], "default");
}

#[test]
fn a_misspelt_key_names_the_nearest() {
    let ran = run(tripword().args(["config", "--set", "triger.treshold=0.9"]));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("did you mean 'trigger.threshold'?"), "{}", ran.stderr);
}

#[test]
fn a_word_the_model_does_not_have_is_named_with_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 1.0);
    let ran = run(tripword()
        .args(["label", "--json", "--set", "trigger.words.gamma.threshold=0.5", "--model"])
        .arg(&model)
        .arg(&wav));
    assert!(ran.code == 1 && ran.stderr.contains("'gamma'") && ran.stderr.contains("alpha, beta"), "{}", ran.stderr);
}

#[test]
fn a_threshold_flag_overrides_every_word() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 10.0);
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[trigger.words.alpha]\nthreshold = 0.1\n").unwrap();
    let label = |extra: &[&str]| {
        run(tripword()
            .arg("--config")
            .arg(&file)
            .args(["label", "--json", "--model"])
            .arg(&model)
            .arg(&wav)
            .args(extra))
    };
    assert!(!label(&[]).stdout.is_empty());
    assert_eq!(label(&["--threshold", "1"]).stdout, "");
    let ran = label(&["--threshold", "1.5"]);
    assert!(ran.code == 1 && ran.stderr.contains("--threshold: trigger.threshold is 1.5"), "{}", ran.stderr);
}

// Without training, its settings are not read.
#[cfg(feature = "train")]
#[test]
fn a_cell_that_does_not_exist_is_told_with_those_that_do() {
    let ran = run(tripword().args(["config", "--set", "train.network.cell=gur"]));
    assert_eq!(ran.code, 1);
    for part in ["train.network.cell", "gur", "`gru`, `lstm`, `rnn`"] {
        assert!(ran.stderr.contains(part), "'{part}' in: {}", ran.stderr);
    }
    assert_eq!(run(tripword().args(["config", "--set", "train.network.cell=lstm"])).code, 0);
}
