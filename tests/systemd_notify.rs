//! What systemd is told, on real datagram sockets.
#![cfg(target_os = "linux")]

mod common;

#[path = "common/binary.rs"]
mod binary;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use binary::{random_model, random_wav, send_signal, tripword};
use tripword::systemd::ServiceManager;

/// No wait is long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stands in for systemd.
struct Manager {
    socket: UnixDatagram,
    address: OsString,
    _folder: Option<tempfile::TempDir>,
}

impl Manager {
    fn in_a_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), address: path.into(), _folder: Some(folder) }
    }

    fn abstract_one() -> Self {
        let name = format!("tripword-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Self { socket, address: format!("@{name}").into(), _folder: None }
    }

    /// The next message within `patience`, by lines.
    fn hear(&self, patience: Duration) -> Option<Vec<String>> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        let n = self.socket.recv(&mut buffer).ok()?;
        Some(std::str::from_utf8(&buffer[..n]).unwrap().lines().map(str::to_owned).collect())
    }

    fn must_hear(&self) -> Vec<String> {
        self.hear(PATIENCE).expect("systemd is told")
    }

    /// Hears until a message has a line that begins so.
    fn hear_until(&self, start: &str) -> Vec<String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let lines = self.must_hear();
            if lines.iter().any(|line| line.starts_with(start)) {
                return lines;
            }
        }
        panic!("'{start}' was not told");
    }
}

/// A detector that hears what the test writes to it.
fn listen(manager: &Manager, folder: &std::path::Path, watchdog: Option<&str>) -> Child {
    let mut command = tripword();
    command
        .args(["listen", "--input", "-", "--model"])
        .arg(random_model(folder))
        .env("NOTIFY_SOCKET", &manager.address);
    if let Some(usec) = watchdog {
        command.env("WATCHDOG_USEC", usec);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn ready_when_sound_has_passed_alive_while_it_flows_and_stopping_at_the_end() {
    for manager in [Manager::in_a_folder(), Manager::abstract_one()] {
        let folder = tempfile::tempdir().unwrap();
        let wav = std::fs::read(random_wav(folder.path(), "talk.wav", 1, 20.0)).unwrap();
        let mut child = listen(&manager, folder.path(), Some("600000"));
        let mut stdin = child.stdin.take().unwrap();
        // It listens, but no sound has come.
        assert_eq!(manager.hear(Duration::from_millis(1500)), None);
        let mut portions = wav[44..].chunks(2 * 1600);
        let mut play = |seconds: f64| {
            let mut heard = Vec::new();
            for portion in portions.by_ref().take((seconds * 10.0) as usize) {
                stdin.write_all(portion).unwrap();
                heard.extend(manager.hear(Duration::from_millis(100)));
            }
            heard
        };
        let told = play(3.0);
        assert_eq!(told[0][..2], ["READY=1", "WATCHDOG=1"], "{told:?}");
        assert!(told[1..].iter().flatten().any(|line| line == "WATCHDOG=1"), "{told:?}");
        // What still lies in the socket.
        while manager.hear(Duration::from_millis(200)).is_some() {}
        // Sound stops: so do the signs of life.
        assert_eq!(manager.hear(Duration::from_millis(1500)), None, "alive without sound");
        assert!(!play(1.0).is_empty(), "alive again with sound");
        send_signal(&child, "TERM").unwrap();
        let last = manager.hear_until("STOPPING=1");
        assert!(last.contains(&"STATUS=stopping".to_owned()), "{last:?}");
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(child.wait().unwrap().success(), "{log}");
        assert!(log.contains("the first sound has passed the model: ready"), "{log}");
    }
}

#[test]
fn the_first_message_says_ready_and_the_status_says_what_was_heard() {
    let manager = Manager::in_a_folder();
    let folder = tempfile::tempdir().unwrap();
    let wav = random_wav(folder.path(), "talk.wav", 1, 60.0);
    let mut child = tripword()
        .args(["listen", "--real-time", "--model"])
        .arg(random_model(folder.path()))
        .arg("--input")
        .arg(&wav)
        .env("NOTIFY_SOCKET", &manager.address)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = manager.must_hear();
    // Without a watchdog nobody is told that it is fed.
    assert_eq!(first, ["READY=1".to_owned(), format!("STATUS=listening on {}, 0 events", wav.display())]);
    let next = manager.must_hear();
    assert_eq!(next.len(), 1);
    assert!(next[0].starts_with(&format!("STATUS=listening on {}, ", wav.display())), "{next:?}");
    assert!(next[0].contains(" last '") && next[0].contains("' at 20") && !next[0].contains(", 0 events"), "{next:?}");
    send_signal(&child, "TERM").unwrap();
    manager.hear_until("STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_microphone_that_is_known_to_be_away_is_no_reason_to_start_anew() {
    let manager = Manager::in_a_folder();
    let told = ServiceManager::at(&manager.address, Some(Duration::from_millis(200)), "a\nmicrophone").unwrap();
    // Before the first sound: more time to start, and no word of being ready.
    told.alive_without_sound("not there yet");
    let lines = manager.must_hear();
    assert_eq!(lines[0], "EXTEND_TIMEOUT_USEC=30000000");
    assert!(
        lines[1].starts_with("STATUS=microphone away since 20") && lines[1].ends_with(": not there yet"),
        "{lines:?}"
    );
    told.alive_without_sound("not there yet");
    assert_eq!(manager.hear(Duration::from_millis(50)), None, "not more often than every five seconds");
    told.sound_passed();
    assert_eq!(manager.must_hear(), ["READY=1", "WATCHDOG=1", "STATUS=listening on a microphone, 0 events"]);
    told.sound_passed();
    assert_eq!(manager.hear(Duration::from_millis(50)), None);

    told.alive_without_sound("unplugged");
    let lines = manager.must_hear();
    assert!(lines.len() == 1 && lines[0].ends_with(": unplugged"), "{lines:?}");
    std::thread::park_timeout(Duration::from_millis(120));
    told.alive_without_sound("unplugged");
    assert_eq!(manager.must_hear(), ["WATCHDOG=1"]);
    // Who looks for it is stuck: nobody else says that it is alive.
    assert_eq!(manager.hear(Duration::from_millis(400)), None);
    told.sound_passed();
    assert_eq!(manager.must_hear(), ["WATCHDOG=1", "STATUS=listening on a microphone, 0 events"]);
}

#[test]
fn a_reload_is_told_from_its_beginning_to_its_end_with_the_time() {
    let manager = Manager::in_a_folder();
    let told = ServiceManager::at(&manager.address, None, "microphone").unwrap();
    told.reloading();
    told.reloaded("too early");
    assert_eq!(manager.hear(Duration::from_millis(50)), None, "what is not ready cannot reload");
    told.sound_passed();
    manager.must_hear();
    told.reloading();
    let lines = manager.must_hear();
    let time_us: i128 = lines[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(lines[0] == "RELOADING=1" && time_us > 0, "{lines:?}");
    told.reloaded("the configuration of 20:15 is in force");
    assert_eq!(manager.must_hear(), ["READY=1", "STATUS=the configuration of 20:15 is in force"]);
    told.stopping();
    assert_eq!(manager.must_hear(), ["STOPPING=1", "STATUS=stopping"]);
}

#[test]
fn a_manager_that_takes_nothing_or_has_gone_holds_up_nobody() {
    let manager = Manager::in_a_folder();
    let told = ServiceManager::at(&manager.address, None, "microphone").unwrap();
    // Nobody reads: the socket's queue is soon full.
    let began = Instant::now();
    for _ in 0..2000 {
        told.sound_passed();
        told.reloading();
        if began.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let one = Instant::now();
    told.reloading();
    assert!(one.elapsed() < Duration::from_millis(500), "{:?}", one.elapsed());
    drop(manager);
    told.sound_passed();
    told.stopping();
    // And one that was never there is no manager.
    assert!(ServiceManager::at("/nonexistent/notify".as_ref(), None, "x").is_err());
    assert!(ServiceManager::at("vsock:2:1".as_ref(), None, "x").is_err());
}

#[test]
fn systemd_itself_takes_it_for_ready() {
    let systemd_run = || {
        let mut command = Command::new("systemd-run");
        command.args(["--user", "--quiet", "--wait", "--collect"]);
        command
    };
    if !systemd_run().arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: systemd-run --user starts nothing here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let wav = random_wav(folder.path(), "talk.wav", 1, 3.0);
    // A service of this type that ends without having been ready has failed.
    let mut command = systemd_run();
    command.args(["--property=Type=notify", "--property=WatchdogSec=2", env!("CARGO_BIN_EXE_tripword")]);
    command.args(["listen", "--real-time", "--model"]).arg(random_model(folder.path())).arg("--input").arg(&wav);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_log_is_fit_for_the_journal_when_it_goes_there() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let wav = random_wav(folder.path(), "talk.wav", 1, 2.0);
    let log = |is_the_journal: bool, input: &std::path::Path| {
        let path = folder.path().join("log");
        let file = std::fs::File::create(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let inode = if is_the_journal { metadata.ino() } else { metadata.ino() + 1 };
        let mut command = tripword();
        command.args(["listen", "--set", "control.socket=\"\"", "--model"]).arg(&model).arg("--input").arg(input);
        command.env("JOURNAL_STREAM", format!("{}:{inode}", metadata.dev()));
        command.stdout(Stdio::null()).stderr(file).status().unwrap();
        std::fs::read_to_string(&path).unwrap()
    };
    let journal = log(true, &wav);
    assert!(journal.lines().count() > 2 && journal.lines().all(|line| line.starts_with("<6>")), "{journal}");
    assert!(journal.lines().any(|line| line.starts_with("<6>listening input=")), "{journal}");
    assert!(!journal.contains("INFO") && !journal.contains('\u{1b}'), "{journal}");
    let error = log(true, std::path::Path::new("not-there.wav"));
    assert!(error.lines().any(|line| line.starts_with("<3>tripword: ")), "{error}");
    // Standard error that was redirected from the journal is a file as any other.
    let file = log(false, &wav);
    assert!(file.contains("INFO listening") && !file.contains("<6>"), "{file}");
}
