//! `tripword compare`, on sounds that are easy to tell apart.

use std::path::PathBuf;

use serde_json::Value;

use super::train::{recordings, small};
use super::*;

/// Two cells, two seeds, few steps.
fn compare(data: &Path, out: &Path) -> Command {
    let mut command = tripword();
    small(command.arg("compare").arg("--data").arg(data).arg("--validation").arg(data).arg("--out").arg(out));
    command.args(["--set", "train.mine_every=0", "--set", "train.checkpoint_every=5"]);
    command
}

const TWO: [&str; 6] = ["--vary", "train.network.cell=gru,rnn", "--seeds", "2", "--steps", "40"];

/// What is compared of two comparisons: everything but times.
fn without_times(mut report: Value) -> Value {
    for found in report["configurations"].as_array_mut().unwrap() {
        found["cpu"] = Value::Null;
        for run in found["runs"].as_array_mut().unwrap() {
            run["step_ms"] = Value::Null;
        }
    }
    report
}

fn read(out: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(out.join("compare.json")).unwrap()).unwrap()
}

fn model(out: &Path, name: &str, seed: u32) -> PathBuf {
    out.join(format!("runs/{name}/seed-{seed}/model"))
}

#[test]
fn configurations_are_put_side_by_side_and_an_interrupted_comparison_goes_on_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 3, 5);
    let straight = folder.path().join("straight");
    let ran = run(compare(&data, &straight).args(TWO).arg("--json"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = read(&straight);
    assert_eq!(json_lines(&ran.stdout), std::slice::from_ref(&report), "one line says what the file says");
    assert_eq!((&report["n_runs"], &report["n_done"]), (&4.into(), &4.into()));
    let conditions = report["conditions"].as_array().unwrap();
    assert_eq!(conditions, &["clean", "noisy, 10 dB", "reverberant", "reverberant, 10 dB"]);
    for name in ["cell=gru", "cell=rnn"] {
        let of_name = |found: &&Value| found["name"] == name;
        let found = report["configurations"].as_array().unwrap().iter().find(of_name).unwrap();
        assert_eq!(found["settings"]["train.network.cell"], name.trim_start_matches("cell="));
        assert_eq!(found["n_steps"], 40);
        let rates: Vec<f64> =
            found["runs"].as_array().unwrap().iter().map(|run| run["miss_rate"].as_f64().unwrap()).collect();
        assert_eq!(rates.len(), 2);
        let mean = found["miss_rate"]["mean"].as_f64().unwrap();
        assert!((mean - (rates[0] + rates[1]) / 2.0).abs() < 1e-12);
        let [low, high] = [0, 1].map(|i| found["interval"][i].as_f64().unwrap());
        assert!(low <= mean && mean <= high);
        let [alone, all] = ["network_ms", "with_features_ms"].map(|key| found["cpu"][key].as_f64().unwrap());
        assert!(alone > 0.0 && all > alone, "{found}");
    }
    for file in ["plan.json", "table.md", "index.html"] {
        let text = std::fs::read_to_string(straight.join(file)).unwrap();
        assert!(text.contains("cell=gru") && text.contains("cell=rnn"), "{text}");
    }

    // The figures are those of an evaluation.
    let gru = model(&straight, "cell=gru", 1);
    let ran =
        run(tripword().arg("eval").arg(&data).arg("--model").arg(&gru).args(["--target-fa-per-hour", "0.5", "--json"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = report["configurations"].as_array().unwrap().iter().find(|found| found["name"] == "cell=gru").unwrap();
    for condition in found["runs"][0]["conditions"].as_array().unwrap() {
        let rows = json_lines(&ran.stdout);
        let is_it = |row: &&Value| row["operating_point"] == "0.5 FA/h" && row["condition"] == condition["condition"];
        let row = rows.iter().find(is_it).unwrap();
        assert_eq!((&row["n_missed"], &row["n_spoken"]), (&condition["n_missed"], &condition["n_spoken"]), "{row}");
    }

    // Interrupted in the midst of its second run.
    let resumed = folder.path().join("resumed");
    let child = compare(&data, &resumed).args(TWO).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let checkpoint = resumed.join("runs/cell=rnn/seed-1/model.checkpoint");
    while !checkpoint.exists() && !model(&resumed, "cell=rnn", 1).exists() {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    send_signal(&child, "INT").unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("of 4 runs; the same command goes on from here"), "{stderr}");
    let partial = read(&resumed);
    assert!(partial["n_done"].as_u64().unwrap() < 4 && partial["n_runs"] == 4, "{partial}");
    let ran = run(compare(&data, &resumed).args(TWO));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("cell=gru") && ran.stdout.contains("2 of 2"), "{}", ran.stdout);
    assert_eq!(without_times(read(&resumed)), without_times(report), "{}", ran.stderr);

    // What differs is told, and nothing is lost to it.
    let refuse = |arguments: &[&str], expected: &str| {
        let ran = run(compare(&data, &resumed).args(arguments));
        assert!(ran.code == 1 && ran.stderr.contains(expected), "'{expected}' in: {}", ran.stderr);
    };
    let [vary, cells, _, _, _, _] = TWO;
    refuse(&[vary, cells, "--seeds", "2", "--steps", "41"], "budget.steps = 40, this one has 41");
    refuse(&[vary, cells, "--seeds", "1", "--steps", "40"], "the seed 2");
    refuse(&["--vary", "train.network.cell=gru,lstm", "--seeds", "2", "--steps", "40"], "cell=rnn");
    assert_eq!(read(&resumed)["n_done"], 4);

    // Further ones join.
    let more = ["--vary", "train.network.cell=rnn,gru", "--seeds", "1,2,9", "--steps", "40", "--sort", "given"];
    let ran = run(compare(&data, &resumed).args(more));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let more = read(&resumed);
    assert_eq!((&more["n_done"], &more["seeds"][2]), (&6.into(), &9.into()));
    assert_eq!(more["configurations"][0]["name"], "cell=rnn");
}

#[test]
fn a_configuration_that_runs_away_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (recordings(folder.path(), 2, 5), folder.path().join("rates"));
    let mut command = tripword();
    command.arg("compare").arg("--data").arg(&data).arg("--out").arg(&out).args(["--steps", "8", "--seeds", "4,"]);
    // Weights beyond what 32 bits hold.
    command.args(["--vary", "train.negative_weight=5.0,1e300", "--set", "train.batch_size=8"]);
    let ran = run(command.args(["--set", "train.network.hidden_size=16", "--sort", "misses"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = read(&out);
    assert_eq!(report["n_done"], 2);
    let [usual, wild] = [0, 1].map(|i| &report["configurations"][i]);
    assert!(usual["miss_rate"]["mean"].is_f64() && usual["n_diverged"] == 0, "{usual}");
    assert_eq!((&wild["n_diverged"], &wild["miss_rate"]), (&1.into(), &Value::Null), "{wild}");
    assert!(wild["runs"][0]["diverged"].as_str().unwrap().contains("diverged at step 0"), "{wild}");
    assert!(ran.stdout.contains("1 of 1, 1 diverged"), "{}", ran.stdout);
    let of_wild = out.join("runs").join(wild["folder"].as_str().unwrap()).join("seed-4");
    assert!(of_wild.join("result.json").is_file() && !of_wild.join("model.checkpoint").exists());
}

#[test]
fn what_cannot_be_compared_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (recordings(folder.path(), 2, 5), folder.path().join("out"));
    let refuse = |arguments: &[&str], expected: &str| {
        let ran = run(compare(&data, &out).args(arguments));
        assert!(ran.code == 1 && ran.stderr.contains(expected), "'{expected}' in: {}", ran.stderr);
        assert!(!out.exists(), "{arguments:?}");
    };
    refuse(&["--vary", "train.network.sell=gru,rnn"], "'train.network.cell'");
    refuse(&["--vary", "train.network.cell=gru,gur"], "gur");
    refuse(&["--vary", "train.seed=1,2"], "--seeds gives");
    refuse(&["--vary", "train.n_steps=10,20"], "--minutes or --steps");
    refuse(&["--vary", "train.batch_size=8,16"], "--set and by --vary");
    refuse(&["--vary", "trigger.threshold=0.5,0.6"], "no effect on training");
    refuse(&["--vary", "train.network.cell"], "KEY=A,B,C");
    refuse(&["--vary", "train.network.cell=gru,gru"], "are named cell=gru");

    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (short, long) = (file("short.toml", "[train]\nn_steps = 7\n"), file("long.toml", "[train]\nn_steps = 8\n"));
    refuse(&[&short, &long], "train.n_steps may not differ, but is 7 in short and 8 in long");
    let (one, same) = (file("one.toml", "[train]\ndropout = 0.3\n"), file("same.toml", "[train]\ndropout = 0.3\n"));
    refuse(&[&one, &same], "one and same are the same configuration");
    std::fs::write(&out, b"precious").unwrap();
    let ran = run(compare(&data, &out).args(["--steps", "5"]));
    assert!(ran.code == 1 && ran.stderr.contains("cannot be a folder of results"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    for arguments in [["--seeds", "0"], ["--minutes", "0"], ["--steps", "0"]] {
        assert_eq!(run(compare(&data, &out).args(arguments)).code, 2, "{arguments:?}");
    }
}
