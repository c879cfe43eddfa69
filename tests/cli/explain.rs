//! `tripword explain`

use super::*;

fn explained(model: &Path, wav: &Path, at: f64, flags: &[&str]) -> serde_json::Value {
    let mut command = tripword();
    command.args(["explain", "--json", "--at", &at.to_string()]).args(flags);
    let ran = run(command.arg("--model").arg(model).arg(wav));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    json_lines(&ran.stdout).remove(0)
}

#[test]
fn what_label_hears_is_explained_as_fired_and_what_it_does_not_by_the_rule() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 20.0);
    let label = |flags: &[&str]| {
        json_lines(&run(tripword().args(["label", "--json"]).args(flags).arg("--model").arg(&model).arg(&wav)).stdout)
    };
    let events = label(&[]);
    let event = &events[events.len() / 2];
    let at = event["time_s"].as_f64().unwrap();
    let told = explained(&model, &wav, at, &["--window", "0.04"]);
    let word = told["words"].as_array().unwrap().iter().find(|word| word["word"] == event["word"]).unwrap();
    assert_eq!((&word["reason"]["rule"], &word["reason"]["events"][0]), (&"fired".into(), event));
    assert_eq!((&told["sound"]["sample_rate_hz"], &told["sound"]["n_samples"]), (&16_000.into(), &1280.into()));

    // The same moment under stricter rules.
    for (flags, rule) in
        [(&["--threshold", "1"][..], "threshold"), (&["--set", "trigger.min_duration_ms=60000"][..], "min_duration")]
    {
        let told = explained(&model, &wav, at, flags);
        let words = told["words"].as_array().unwrap();
        assert!(words.iter().all(|word| word["reason"]["rule"] != "fired"), "{words:?}");
        assert!(words.iter().any(|word| word["reason"]["rule"] == rule), "{rule}: {words:?}");
        assert!(label(flags).is_empty());
    }
}

#[test]
fn it_reads_like_a_sentence_and_bad_moments_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 20.0);
    let explain = |at: &str| run(tripword().args(["explain", "--at", at, "--model"]).arg(&model).arg(&wav));
    let ran = explain("0:10.5");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].ends_with("talk.wav: 20.0 s, 16000 Hz, one channel; model random"), "{}", lines[0]);
    assert_eq!(lines[1], "from 9.00 to 12.00 s:");
    assert!(lines[2].starts_with("  alpha  ") && lines[3].starts_with("  beta   "), "{}", ran.stdout);
    assert!(lines[4].starts_with("sound: -") && lines[5].starts_with("level of '"), "{}", ran.stdout);
    let late = explain("20.5");
    assert!(late.code == 1 && late.stderr.contains("talk.wav is 20.00 s long"), "{}", late.stderr);
    assert_eq!(explain("soon").code, 2);
}
