//! Many clients of the Wyoming service at once, in real time. `tests/speed/wyoming_clients.py` does it with 200 and tells how fast.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

#[test]
fn twenty_clients_in_real_time_are_told_what_label_finds_and_soon() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/speed/wyoming_clients.py");
    let mut command = Command::new("python3");
    // A machine that builds and tests besides is not the place to measure: a second is far more than it takes, and far less than a
    // service that falls behind.
    command.arg(script).args(["--clients", "20", "--seconds", "10", "--core", "-1", "--most-ms", "1000"]);
    let Ok(output) = command.args(["--program", env!("CARGO_BIN_EXE_tripword")]).output() else {
        eprintln!("SKIPPED: python3 is missing");
        return;
    };
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    eprintln!("{result}");
    assert!(result["words"].as_u64().unwrap() >= 20, "{result}");
    assert_eq!((&result["lost"], &result["odd"]), (&0.into(), &0.into()));
}
