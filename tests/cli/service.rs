//! `tripword install-service` and `uninstall-service`

use std::path::Path;
use std::process::Stdio;

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = tripword();
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").env_remove("XDG_STATE_HOME");
        run(command.env("HOME", self.0.path()).args(args).stdin(Stdio::null()))
    }

    fn unit(&self) -> std::path::PathBuf {
        self.0.path().join(".config/systemd/user/tripword.service")
    }
}

#[test]
fn the_service_is_shown_written_said_how_to_start_and_removed() {
    let home = Home::new();
    let printed = home.run(&["install-service", "--print", "--", "--input", "USB Mic", "--wyoming"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let program = env!("CARGO_BIN_EXE_tripword");
    assert!(
        printed.stdout.contains(&format!(
            "\nExecStart={program} listen --set input.wait_for_device=true --input \"USB Mic\" --wyoming\n"
        )),
        "{}",
        printed.stdout
    );
    assert!(!home.unit().exists());

    let asked = home.run(&["install-service"]);
    assert!(asked.code == 1 && asked.stderr.contains("say --yes") && !home.unit().exists(), "{}", asked.stderr);

    let args = ["install-service", "--yes", "--", "--input", "USB Mic", "--wyoming"];
    let installed = home.run(&args);
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    let unit = std::fs::read_to_string(home.unit()).unwrap();
    assert_eq!(unit, printed.stdout);
    assert!(installed.stdout.starts_with(&unit), "it is shown first");
    for part in ["systemctl --user daemon-reload && systemctl --user enable --now tripword", "loginctl enable-linger"] {
        assert!(installed.stdout.contains(part), "{}", installed.stdout);
    }
    assert!(home.0.path().join(".local/state/tripword").is_dir(), "the service can write there");
    let again = home.run(&args);
    assert!(again.code == 0 && again.stderr.contains("already, with the same text"), "{}", again.stderr);
    // Another one takes its place.
    assert_eq!(home.run(&["install-service", "--yes"]).code, 0);
    assert!(
        std::fs::read_to_string(home.unit())
            .unwrap()
            .contains(&format!("ExecStart={program} listen --set input.wait_for_device=true\n"))
    );

    assert_eq!(home.run(&["uninstall-service"]).code, 1);
    let removed = home.run(&["uninstall-service", "--yes"]);
    assert!(removed.code == 0 && removed.stdout.contains("disable --now tripword"), "{}", removed.stdout);
    assert!(!home.unit().exists());
    let gone = home.run(&["uninstall-service", "--yes"]);
    assert!(gone.code == 1 && gone.stderr.contains("there is none"), "{}", gone.stderr);
}

#[test]
fn what_somebody_else_wrote_is_left_alone() {
    let home = Home::new();
    std::fs::create_dir_all(home.unit().parent().unwrap()).unwrap();
    std::fs::write(home.unit(), "[Service]\nExecStart=/bin/true\n").unwrap();
    for command in ["install-service", "uninstall-service"] {
        let ran = home.run(&[command, "--yes"]);
        assert!(ran.code == 1 && ran.stderr.contains("not written by 'tripword install-service'"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(home.unit()).unwrap(), "[Service]\nExecStart=/bin/true\n");
}

#[test]
fn a_service_that_could_not_start_is_not_written() {
    let home = Home::new();
    for (args, expected) in [
        (&["install-service", "--yes", "--model", "seven-words"][..], "six-words"),
        (&["install-service", "--yes", "--", "--inptu", "x"], "--inptu"),
        (&["install-service", "--yes", "--", "--input", "a\nb"], "control character"),
    ] {
        let ran = home.run(args);
        assert!(ran.code == 1 && ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert!(!home.unit().exists());
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let home = Home::new();
    let model = random_model(home.0.path());
    let args = ["install-service", "--yes", "--model", model.to_str().unwrap(), "--", "--input", "50% $HOME \"mic\""];
    assert_eq!(home.run(&args).code, 0);
    let analyze = |args: &[&str], unit: &Path| {
        let mut command = Command::new("systemd-analyze");
        command.args(args).arg(unit).env("XDG_RUNTIME_DIR", home.0.path()).env("HOME", home.0.path());
        command.output().map(|output| {
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        })
    };
    let Ok((is_well, text)) = analyze(&["--user", "verify"], &home.unit()) else {
        eprintln!("SKIPPED: systemd-analyze is missing; install systemd");
        return;
    };
    assert!(is_well && text.trim().is_empty(), "{text}");
    // From 0, closed, to 100. It takes a user's service for one of root and counts capabilities that no user has.
    let (is_well, text) = analyze(&["--user", "security", "--offline=true", "--threshold=55"], &home.unit()).unwrap();
    eprintln!("{}", text.lines().find(|line| line.contains("exposure level")).unwrap_or_default());
    assert!(is_well, "{text}");
    // The one that is copied by hand is the same but for the program's place.
    let by_hand =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tripword.service")).unwrap();
    let installed = std::fs::read_to_string(home.unit()).unwrap();
    let differences = by_hand.lines().zip(installed.lines().skip(1)).filter(|(a, b)| a != b).count();
    assert_eq!(differences, 2, "ExecStart and ReadWritePaths");
}
