//! Training on recorded speech. The recordings are not part of the project: `TRIPWORD_RECORDINGS` names a folder with `train/` and
//! `dev/`, each laid out as positive/computer, negative/…, noise/…, with a manifest.tsv that tells the speakers.

use std::path::PathBuf;

use super::*;

#[test]
fn a_word_trained_on_some_speakers_is_heard_from_others() {
    let Some(recordings) = std::env::var_os("TRIPWORD_RECORDINGS").map(PathBuf::from) else {
        eprintln!("SKIPPED: TRIPWORD_RECORDINGS names no folder with recordings of 'computer'");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("computer");
    let ran = run(tripword()
        .arg("train")
        .arg(recordings.join("train"))
        .args(["--word", "computer", "--steps", "700", "--out"])
        .arg(&model)
        .args(["--set", "train.network.hidden_size=64", "--set", "train.batch_size=32"])
        .args(["--set", "train.validate_every=350", "--set", "train.mine_every=0"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let ran = run(tripword()
        .arg("eval")
        .arg(recordings.join("dev"))
        .args(["--target", "2", "--json", "--model"])
        .arg(&model));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = json_lines(&ran.stdout);
    let at_target = || rows.iter().filter(|row| row["operating_point"] == "2 FA/h");
    let sum = |key: &str| at_target().map(|row| row[key].as_f64().unwrap()).sum::<f64>();
    // The threshold is chosen on all conditions together.
    assert!(sum("n_false_accepts") / sum("negative_hours") <= 2.0);
    let row = at_target().find(|row| row["condition"] == "clean").unwrap();
    eprintln!("{row}");
    assert!(row["n_spoken"].as_u64().unwrap() >= 50);
    assert!(row["negative_hours"].as_f64().unwrap() > 0.5);
    // A detector that knows nothing and fires twice an hour hits one word in a thousand.
    assert!(row["miss_rate"].as_f64().unwrap() < 0.5, "{row}");
}
