//! `tripword combine`.

use super::*;

#[test]
fn the_mean_of_a_model_and_itself_is_that_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let both = folder.path().join("both");
    let ran = run(tripword().arg("combine").args([&model, &model]).arg("--out").arg(&both));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("2 networks"), "{}", ran.stdout);
    let sound = random_wav(folder.path(), "sound.wav", 5, 4.0);
    let scores = |model: &Path| {
        let scores = folder.path().join(model.file_name().unwrap()).with_extension("scores");
        let ran = run(tripword()
            .args(["label", "--json"])
            .arg(&sound)
            .arg("--model")
            .arg(model)
            .arg("--scores")
            .arg(&scores));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        std::fs::read_to_string(scores.join("sound.scores.csv")).unwrap()
    };
    assert!(scores(&model).lines().count() > 50);
    assert_eq!(scores(&model), scores(&both));
}

#[test]
fn with_a_second_look_the_manifest_says_so_and_a_bad_probability_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let both = folder.path().join("both");
    let combine =
        |option: &str| run(tripword().arg("combine").args([&model, &model]).arg(option).arg("--out").arg(&both));
    let ran = combine("--second-look=1.5");
    assert!(ran.code == 1 && ran.stderr.contains("proposal_probability is 1.5"), "{}", ran.stderr);
    assert!(!both.exists());
    let ran = combine("--second-look");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let manifest = std::fs::read_to_string(both.join("manifest.toml")).unwrap();
    assert!(manifest.contains("[second_look]") && manifest.contains("proposal_probability = 0.3"), "{manifest}");
    let sound = random_wav(folder.path(), "sound.wav", 5, 4.0);
    let ran = run(tripword().args(["label", "--json"]).arg(&sound).arg("--model").arg(&both));
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    // A manifest that somebody wrote is checked like one of ours.
    let wrong = manifest.replace("history_ms = 2400", "history_ms = 0");
    assert_ne!(wrong, manifest);
    std::fs::write(both.join("manifest.toml"), wrong).unwrap();
    let ran = run(tripword().args(["label"]).arg(&sound).arg("--model").arg(&both));
    assert!(
        ran.code == 1 && ran.stderr.contains("second_look.history_ms is 0; expected 100 to 30000"),
        "{}",
        ran.stderr
    );
}

#[test]
fn models_that_do_not_fit_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("both");
    let ran = run(tripword().arg("combine").arg(random_model(folder.path())).arg("six-words").arg("--out").arg(&out));
    assert!(ran.code == 1 && ran.stderr.contains("only models with the same"), "{}", ran.stderr);
    assert!(!out.exists());
    let alone = run(tripword().args(["combine", "six-words", "--out"]).arg(&out));
    assert_eq!(alone.code, 2, "{}", alone.stderr);
}
