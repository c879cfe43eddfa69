//! Help, completions, models.

use super::*;

#[test]
fn every_command_has_help_with_an_example() {
    let mut commands = vec![
        "listen",
        "label",
        "ctl",
        "devices",
        "model",
        "config",
        "completions",
        "install-service",
        "uninstall-service",
    ];
    if cfg!(feature = "train") {
        commands.extend(["train", "eval"]);
    }
    for command in commands {
        let ran = run(tripword().args([command, "--help"]));
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("Example"), "{command}: {}", ran.stdout);
    }
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(tripword().args(["completions", shell]));
        assert!(ran.code == 0 && ran.stdout.contains("tripword"));
    }
}

#[test]
fn wrong_use_exits_with_2() {
    assert_eq!(run(tripword().arg("lisen")).code, 2);
}

#[test]
fn an_unknown_model_lists_the_known_ones() {
    let ran = run(tripword().args(["model", "seven-words"]));
    assert!(ran.code == 1 && ran.stderr.contains("six-words"), "{}", ran.stderr);
}

#[test]
fn a_damaged_mixed_or_newer_model_is_refused_with_what_was_found_and_expected() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let manifest_path = model.join("manifest.toml");
    let manifest = std::fs::read_to_string(&manifest_path).unwrap();
    let show = |text: &str| {
        std::fs::write(&manifest_path, text).unwrap();
        let ran = run(tripword().arg("model").arg(&model));
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        ran.stderr
    };
    let newer = show(&manifest.replace("format_version = 1", "format_version = 2"));
    assert!(newer.contains("format version 2") && newer.contains("up to 1"), "{newer}");
    let features = show(&manifest.replace("mel_high_hz = 7600.0", "mel_high_hz = 7000.0"));
    assert!(features.contains("features.mel_high_hz = 7600.0") && features.contains("7000.0"), "{features}");
    let shape = show(&manifest.replace("hidden_size = 20", "hidden_size = 21"));
    assert!(shape.contains("hidden_size = 20") && shape.contains("21"), "{shape}");
    let cell = show(&manifest.replace("cell = \"gru\"", "cell = \"lstm\""));
    assert!(cell.contains("\"cell\":\"lstm\""), "{cell}");
    let words = show(&manifest.replace("name = \"beta\"", "name = \"Alpha\""));
    assert!(words.contains("two words are named 'Alpha'"), "{words}");
    let text = show("not a manifest");
    assert!(text.contains("damaged manifest"), "{text}");

    std::fs::write(&manifest_path, &manifest).unwrap();
    let weights_path = model.join("weights.safetensors");
    let mut weights = std::fs::read(&weights_path).unwrap();
    let last = weights.len() - 1;
    weights[last] ^= 1;
    std::fs::write(&weights_path, &weights).unwrap();
    let ran = run(tripword().arg("model").arg(&model));
    assert!(ran.code == 1 && ran.stderr.contains("SHA-256"), "{}", ran.stderr);
    std::fs::remove_file(&weights_path).unwrap();
    let ran = run(tripword().arg("model").arg(&model));
    assert!(ran.code == 1 && ran.stderr.contains("weights.safetensors"), "{}", ran.stderr);
}

#[test]
fn a_manifest_from_before_there_were_other_cells_is_of_a_gru() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let path = model.join("manifest.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    assert!(manifest.contains("cell = \"gru\"\n"), "{manifest}");
    std::fs::write(&path, manifest.replace("cell = \"gru\"\n", "")).unwrap();
    let ran = run(tripword().arg("model").arg(&model));
    assert!(ran.code == 0 && ran.stdout.contains("2 GRU layers of 20"), "{}{}", ran.stdout, ran.stderr);
}
