//! `tripword train --teacher`.

use super::train::{interrupted_after_first_validation, recordings, small};
use super::*;

#[test]
fn a_student_resumes_with_the_same_teachers_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 3, 5);
    let train = |out: &str, extra: &[&str]| {
        let mut command = tripword();
        command.arg("train").arg(&data).arg("--out").arg(folder.path().join(out)).args(["--json"]).args(extra);
        command
    };
    let teacher = folder.path().join("teacher");
    let teacher = teacher.to_str().unwrap();
    let ran = run(small(&mut train("teacher", &["--steps", "50"])));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let student = ["--steps", "100", "--seed", "2", "--teacher", teacher];
    let straight = run(small(&mut train("straight", &student)));
    assert_eq!(straight.code, 0, "{}", straight.stderr);
    let alone = run(small(&mut train("alone", &student[..4])));
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    let file = |name: &str, file: &str| std::fs::read(folder.path().join(name).join(file)).unwrap();
    let weights = |name: &str| file(name, "weights.safetensors");
    assert!(weights("straight") != weights("alone"), "the teacher taught nothing");
    let manifest = String::from_utf8(file("straight", "manifest.toml")).unwrap();
    assert!(manifest.contains("taught by"), "{manifest}");

    interrupted_after_first_validation(small(&mut train("resumed", &student)));
    let without = run(small(&mut train("resumed", &["--steps", "100", "--seed", "2", "--resume"])));
    assert!(without.code == 1 && without.stderr.contains("teachers"), "{}", without.stderr);
    let resumed = run(small(train("resumed", &student).arg("--resume")));
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(weights("straight") == weights("resumed"), "the resumed run made other weights");
}

#[test]
fn a_teacher_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = recordings(folder.path(), 2, 5);
    let model = random_model(folder.path());
    let out = folder.path().join("student");
    let train = |teacher: &str, extra: &[&str]| {
        let mut command = tripword();
        command.arg("train").arg(&data).arg("--out").arg(&out).args(["--teacher", teacher]).args(extra);
        run(&mut command)
    };
    let unknown = train("six-word", &[]);
    assert!(unknown.code == 1 && unknown.stderr.contains("six-words"), "lists the choices: {}", unknown.stderr);
    let stranger = train(model.to_str().unwrap(), &[]);
    assert!(stranger.code == 1 && stranger.stderr.contains("does not know"), "{}", stranger.stderr);
    let deaf = train("six-words", &["--set", "train.features.n_mels=32"]);
    assert!(deaf.code == 1 && deaf.stderr.contains("train.features"), "{}", deaf.stderr);
    let timeless = train("six-words", &["--set", "train.loss.kind=ctc"]);
    assert!(timeless.code == 1 && timeless.stderr.contains("\"max_pooling\""), "{}", timeless.stderr);
    assert!(!out.exists());
}
