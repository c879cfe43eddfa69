//! The jobs for engines that run work on many machines, in `config/`: their commands as the engines would run them, one after the other.
//! `tests/engines/slurm` runs a real Slurm.

use std::path::PathBuf;

use super::*;

/// A file of `config/`.
fn job(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

/// An archive of some recordings and one that is none, and the model that hears them.
fn archive(folder: &Path) -> (PathBuf, PathBuf) {
    let archive = folder.join("archive of talks");
    std::fs::create_dir(&archive).unwrap();
    (0..5).for_each(|i| drop(random_wav(&archive, &format!("{i}.wav"), i, 6.0)));
    std::fs::write(archive.join("broken.wav"), "no sound").unwrap();
    (archive, random_model(folder))
}

/// `run_shard` runs the part with a number; all of them, merged, are a run over everything.
fn assert_shards_make_the_whole(folder: &Path, archive: &Path, model: &Path, run_shard: impl Fn(usize) -> Ran) {
    for number in 1..=3 {
        let ran = run_shard(number);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let found = folder.join("found");
    let shards: Vec<PathBuf> = (1..=3).map(|number| found.join(format!("shard-000{number}"))).collect();
    let merged = run(tripword().args(["merge", "--json", "--out"]).arg(folder.join("all")).args(&shards));
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert_eq!(json_lines(&merged.stdout)[0]["n_recordings"], 6);
    let whole = run(tripword().args(["label", "--json", "--model"]).arg(model).arg(archive));
    assert!(whole.code == 3 && whole.stdout.lines().count() > 6, "{}", whole.stderr);
    assert_eq!(std::fs::read_to_string(folder.join("all/events.jsonl")).unwrap(), whole.stdout);
    assert!(folder.join("all/labels/4.labels.txt").exists());
}

#[test]
fn the_slurm_array_labels_an_archive_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, model) = archive(folder.path());
    let script = std::fs::read_to_string(job("slurm-array.sh")).unwrap();
    assert!(script.contains("#SBATCH --cpus-per-task="), "it says what a task needs");
    let found = folder.path().join("found");
    let task = |number: usize| {
        let mut command = std::process::Command::new("sh");
        command.arg(job("slurm-array.sh")).args([&archive, &found]).arg("--model").arg(&model);
        command.env("TRIPWORD", env!("CARGO_BIN_EXE_tripword")).env("XDG_CONFIG_HOME", "/nonexistent");
        command.env("SLURM_ARRAY_TASK_ID", number.to_string()).env("SLURM_CPUS_PER_TASK", "1");
        // The second as it is done again, alone in its array.
        match number {
            2 => command.env("SHARDS", "3").env("SLURM_ARRAY_TASK_COUNT", "1"),
            _ => command.env("SLURM_ARRAY_TASK_COUNT", "3"),
        };
        run(&mut command)
    };
    assert_shards_make_the_whole(folder.path(), &archive, &model, task);
    // What label refuses, the task does not hide.
    let mut command = std::process::Command::new("sh");
    command.arg(job("slurm-array.sh")).args([&archive, &found]).env("TRIPWORD", env!("CARGO_BIN_EXE_tripword"));
    let ran = run(command.envs([("SLURM_ARRAY_TASK_ID", "4"), ("SLURM_ARRAY_TASK_COUNT", "3")]));
    assert!(ran.code == 2 && ran.stderr.contains("'4/3' is no shard"), "{}", ran.stderr);
}

#[test]
fn the_kubernetes_job_labels_an_archive_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, model) = archive(folder.path());
    let text = std::fs::read_to_string(job("kubernetes-job.yaml")).unwrap();
    let numbers: Vec<&str> = ["completions: ", "maxFailedIndexes: ", "value: \""]
        .map(|key| text.split_once(key).unwrap().1.split(['\n', '"']).next().unwrap())
        .to_vec();
    assert!(numbers.iter().all(|n| *n == numbers[0]), "the number of parts is the same everywhere: {numbers:?}");
    // The block below `args`, less its indentation.
    let (_, block) = text.split_once("args:\n            - |\n").expect("the job has a script");
    let script: String =
        block.lines().map_while(|line| line.strip_prefix("              ")).map(|line| format!("{line}\n")).collect();
    assert!(script.contains("tripword label"), "{script}");
    let bin = Path::new(env!("CARGO_BIN_EXE_tripword")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let config = folder.path().join("config.toml");
    std::fs::write(&config, format!("[model]\npath = {:?}\n", model.display().to_string())).unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("tripword")).unwrap();
    std::fs::rename(config, home.join("tripword/config.toml")).unwrap();
    let pod = |number: usize| {
        let mut command = std::process::Command::new("sh");
        command.args(["-euc", &script]).env("PATH", &path).env("XDG_CONFIG_HOME", &home);
        command.env("ARCHIVE", &archive).env("FOUND", folder.path().join("found"));
        command.envs([("SHARDS", "3"), ("JOBS", "1")]).env("JOB_COMPLETION_INDEX", (number - 1).to_string());
        run(&mut command)
    };
    assert_shards_make_the_whole(folder.path(), &archive, &model, pod);
}

/// The schemas of Kubernetes' own API, as a package from PyPI has them.
#[test]
fn the_kubernetes_job_is_valid() {
    let validate = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/store-venv/bin/kubernetes-validate");
    if !validate.exists() {
        eprintln!("SKIPPED: target/store-venv is missing; make it with tests/store-venv");
        return;
    }
    let check = |path: &Path| run(std::process::Command::new(&validate).arg("--strict").arg(path));
    let ran = check(&job("kubernetes-job.yaml"));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    // And it would say so if it were not.
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    let text = std::fs::read_to_string(job("kubernetes-job.yaml")).unwrap();
    std::fs::write(&broken, text.replace("completionMode", "completionManner")).unwrap();
    assert_ne!(check(&broken).code, 0);
}
