//! `tripword ctl` with a listener on the other side.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// A listener with its socket in a folder of its own, fed on standard input.
struct Listener {
    child: Child,
    folder: tempfile::TempDir,
    wav: Vec<u8>,
    n_fed: usize,
}

impl Listener {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = random_model(folder.path());
        let wav = std::fs::read(random_wav(folder.path(), "talk.wav", 1, 30.0)).unwrap()[44..].to_vec();
        let child = tripword()
            .args(["listen", "--input", "-", "--model"])
            .arg(model)
            .args(args)
            .env("XDG_RUNTIME_DIR", folder.path().join("run"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut listener = Self { child, folder, wav, n_fed: 0 };
        listener.wait_for_log(if args.iter().any(|arg| arg.contains("metrics")) {
            "metrics at"
        } else {
            "control socket"
        });
        listener
    }

    fn wait_for_log(&mut self, text: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut log = String::new();
        // Byte by byte: what comes after the line stays there.
        while !(log.ends_with('\n') && log.lines().last().is_some_and(|line| line.contains(text))) {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "'{text}' is not in: {log}");
            log.push(char::from(byte[0]));
        }
        log.lines().last().unwrap().to_owned()
    }

    fn hear(&mut self, seconds: f64) {
        let n_bytes = (seconds * 32_000.0) as usize / 2 * 2;
        self.child.stdin.as_mut().unwrap().write_all(&self.wav[self.n_fed..][..n_bytes]).unwrap();
        self.n_fed += n_bytes;
        let began = Instant::now();
        while self.status()["counts"]["audio_s"].as_f64().unwrap() < self.n_fed as f64 / 32_000.0 - 0.2 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is heard any more");
        }
    }

    fn ctl(&self, args: &[&str]) -> Ran {
        run(tripword().arg("ctl").args(args).env("XDG_RUNTIME_DIR", self.folder.path().join("run")))
    }

    fn status(&self) -> serde_json::Value {
        let ran = self.ctl(&["status", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/tripword/control.sock")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_command_does_what_it_says_in_words_and_in_json() {
    let mut listener = Listener::start(&[]);
    listener.hear(6.0);
    let said = |args: &[&str], parts: &[&str]| {
        let ran = listener.ctl(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert!(parts.iter().all(|part| ran.stdout.contains(part)), "{args:?}: {}", ran.stdout);
    };
    said(
        &["status"],
        &["listens to -", "model random", "alpha", "threshold", "events sent to standard output", "sent to this user"],
    );
    said(&["mute", "--for", "1h 30m"], &["muted for 1 h 29 min"]);
    said(&["status"], &["muted for 1 h 29 min"]);
    said(&["unmute"], &["words are told"]);
    said(
        &["threshold", "Alpha", "0.9"],
        &["alpha: threshold 0.9, was 0.5", "brings back 0.5", "[trigger.words.\"alpha\"]"],
    );
    said(&["disable", "beta"], &["beta is not told any more"]);
    said(&["status"], &["(configured: 0.5000)", "switched off"]);
    said(&["enable", "beta"], &["beta is told"]);
    said(&["events", "-n", "2"], &["score 0.", "after the word"]);
    said(&["reload"], &["read anew", "alpha: threshold 0.5 in the place of 0.9"]);
    said(&["status"], &["last reload", ": done"]);
    let json = |args: &[&str]| serde_json::from_str::<serde_json::Value>(&listener.ctl(args).stdout).unwrap();
    let answer = json(&["--json", "threshold", "beta", "0.25"]);
    assert_eq!(
        (&answer["version"], &answer["kind"], &answer["before"], &answer["threshold"]),
        (&1.into(), &"threshold".into(), &0.5.into(), &0.25.into())
    );
    assert_eq!(json(&["mute", "--json"])["is_muted"], true);
    let events = json_lines(&listener.ctl(&["events", "-n", "200", "--json"]).stdout);
    assert!(
        !events.is_empty() && events.iter().all(|line| line["kind"] == "event" && line["event"]["word"].is_string())
    );
    let status = listener.status();
    assert_eq!(status["counts"]["n_events"], events.len());
    assert!(status["resident_bytes"].as_u64().is_none_or(|bytes| bytes > 1_000_000));

    for (args, code, parts) in [
        (&["threshold", "gamma", "0.5"][..], 1, &["'gamma'", "alpha, beta"][..]),
        (&["threshold", "alpha", "1.5"], 1, &["above 0 and at most 1"]),
        (&["device", "attic"], 1, &["cannot listen to 'attic'", "listen --input attic"]),
        (&["mute", "--for", "ever"], 2, &["expected a time"]),
        (&["events", "-n", "1000"], 1, &["the last 200 are kept"]),
        (&["stats"], 2, &["status"]),
    ] {
        let ran = listener.ctl(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(parts.iter().all(|part| ran.stderr.contains(part)), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn who_follows_is_told_every_event_and_the_end() {
    let mut listener = Listener::start(&[]);
    let follow = |args: &[&str]| {
        let mut command = tripword();
        command.arg("ctl").args(args).env("XDG_RUNTIME_DIR", listener.folder.path().join("run"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (events, levels) = (follow(&["--json", "events", "--follow"]), follow(&["level", "-n", "50"]));
    // Until both are there.
    std::thread::park_timeout(Duration::from_millis(500));
    listener.hear(20.0);
    drop(listener.child.stdin.take());
    let mut stdout = String::new();
    listener.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(listener.child.wait().unwrap().success());
    let ended = |child: Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let followed: Vec<serde_json::Value> =
        json_lines(&ended(events)).into_iter().map(|line| line["event"].clone()).collect();
    assert!(followed.len() > 3);
    assert_eq!(followed, json_lines(&stdout));
    let levels = ended(levels);
    assert!(
        levels.lines().count() > 3 && levels.lines().all(|line| line.contains(" s: ") || line.contains("no sound")),
        "{levels}"
    );
    assert!(levels.contains("dBFS, peak"), "{levels}");
}

#[test]
fn without_a_listener_it_says_how_to_start_one_and_a_second_one_is_told_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = run(tripword().args(["ctl", "status"]).env("XDG_RUNTIME_DIR", folder.path()));
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.stderr.contains("tripword/control.sock") && nobody.stderr.contains("tripword listen"),
        "{}",
        nobody.stderr
    );
    let listener = Listener::start(&[]);
    let model = random_model(folder.path());
    let second = |set: &str| {
        let mut command = tripword();
        command.args(["listen", "--input", "-", "--set", set, "--model"]).arg(&model);
        run(command.env("XDG_RUNTIME_DIR", listener.folder.path().join("run")).stdin(Stdio::null()))
    };
    // A socket that was asked for is not done without; a recording does without the usual one.
    let refused = second(&format!("control.socket={:?}", listener.socket()));
    assert!(refused.code == 1 && refused.stderr.contains("another tripword listens already"), "{}", refused.stderr);
    let other = second("control.socket=\"auto\"");
    assert!(other.code == 0 && other.stderr.contains("no control socket"), "{}", other.stderr);
    assert_eq!(second("control.socket=\"\"").code, 0);
    assert_eq!(listener.ctl(&["unmute"]).code, 0, "the first has kept its socket");
    // By its path, too.
    let ran = run(tripword().args(["ctl", "unmute", "--socket"]).arg(listener.socket()));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_broken_configuration_is_no_reason_not_to_be_asked() {
    let listener = Listener::start(&[]);
    let config = listener.folder.path().join("tripword");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("config.toml"), "broken").unwrap();
    let mut command = tripword();
    command.args(["ctl", "unmute"]).env("XDG_CONFIG_HOME", listener.folder.path());
    let ran = run(command.env("XDG_RUNTIME_DIR", listener.folder.path().join("run")));
    assert!(ran.code == 0 && ran.stderr.contains("not valid TOML"), "{}", ran.stderr);
}

#[test]
fn nothing_is_open_that_was_not_asked_for() {
    let listener = Listener::start(&["--set", "control.socket=\"auto\""]);
    let status = listener.status();
    let flows: Vec<&str> =
        status["recorded_or_sent"].as_array().unwrap().iter().map(|flow| flow["what"].as_str().unwrap()).collect();
    assert_eq!(flows, ["events", "status, events and levels"]);
    let parts = status["parts"].as_object().unwrap();
    assert_eq!(parts["openings"]["metrics"], serde_json::Value::Null);
    // No socket of the network: neither listening nor connected.
    #[cfg(target_os = "linux")]
    {
        let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", listener.child.id()))
            .unwrap()
            .filter_map(|entry| {
                std::fs::read_link(entry.ok()?.path())
                    .ok()?
                    .to_str()?
                    .strip_prefix("socket:[")
                    .map(|i| i.trim_end_matches(']').to_owned())
            })
            .collect();
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let Ok(text) = std::fs::read_to_string(format!("/proc/{}/net/{table}", listener.child.id())) else {
                continue;
            };
            let found = text
                .lines()
                .skip(1)
                .filter(|line| line.split_whitespace().nth(9).is_some_and(|i| inodes.iter().any(|own| own == i)));
            assert_eq!(found.collect::<Vec<_>>(), [""; 0], "{table}");
        }
        assert!(!inodes.is_empty(), "the control socket is one");
    }
}

#[test]
fn the_page_of_metrics_is_there_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut listener = Listener::start(&["--set", &format!("metrics.address=\"127.0.0.1:{port}\"")]);
    listener.hear(10.0);
    let get = |request: &str| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", page.len())), "{head}");
    assert!(
        page.contains("\ntripword_events_total{word=\"alpha\"} ") && page.contains("# TYPE tripword_score histogram"),
        "{page}"
    );
    assert!(get("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(get("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(get("\x16\x03\x01\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert!(get(&format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(8166))).starts_with("HTTP/1.1 431"));
    let flows = listener.status()["recorded_or_sent"].to_string();
    assert!(flows.contains(&format!("http://127.0.0.1:{port}/metrics")), "{flows}");
    let page_file = folder.path().join("page.txt");
    std::fs::write(&page_file, page).unwrap();
    check_with_the_clients_own_parser(&page_file);
    let taken = run(tripword()
        .args(["listen", "--input", "-", "--set", &format!("metrics.address=\"127.0.0.1:{port}\""), "--model"])
        .arg(random_model(folder.path()))
        .stdin(Stdio::null()));
    assert!(taken.code == 1 && taken.stderr.contains("metrics.address is"), "{}", taken.stderr);
}

/// Reads a page with the parser of Prometheus' Python client, which `tests/prometheus-venv` installs.
fn check_with_the_clients_own_parser(page: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/prometheus-venv/bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: the parser of Prometheus' client is missing; make it with tests/prometheus-venv");
        return;
    }
    let ran = run(Command::new(python).arg(root.join("tests/data/prometheus_page.py")).arg(page));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for line in [
        "counter tripword_events word",
        "histogram tripword_score word",
        "histogram tripword_event_latency_seconds",
        "gauge tripword_word_threshold word",
        "counter tripword_audio_seconds",
        "gauge process_resident_memory_bytes",
    ] {
        assert!(ran.stdout.lines().any(|found| found.trim_end() == line), "{line} in:\n{}", ran.stdout);
    }
}
