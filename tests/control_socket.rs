//! The control socket of a daemon in this process: what is asked and answered, and clients that mean no good.
#![cfg(unix)]

#[path = "common/fed.rs"]
mod fed;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use fed::Fed;
use proptest::prelude::*;
use serde_json::{Value, json};
use tripword::audio::history::AudioHistory;
use tripword::audio::{ChannelChoice, read_to_end, wav::WavSource};
use tripword::bundle::{Bundle, locate};
use tripword::control::{
    Client, ClientError, ControlServer, ControlSocket, Desk, Doors, Flow, LINE_BYTES, Part, Reloaded, Reply, Request,
};
use tripword::daemon::{Daemon, Overflow, Setup};
use tripword::events::{EventSink, WakeEvent};
use tripword::metrics::Page;
use tripword::units::Milliseconds;

/// Nothing takes so long, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Takes every event.
struct Nowhere;

impl EventSink for Nowhere {
    fn name(&self) -> &str {
        "nowhere"
    }

    fn deliver(&mut self, _: &WakeEvent) -> std::io::Result<()> {
        Ok(())
    }
}

/// A part such as a destination of events is one.
struct Diary;

impl Part for Diary {
    fn name(&self) -> &str {
        "diary"
    }

    fn status(&self) -> Value {
        json!({ "n_pages": 3 })
    }

    fn write_metrics(&self, page: &mut Page) {
        page.counter("tripword_diary_pages_total", "Pages of the diary.").value(&[], 3.0);
    }

    fn flows(&self) -> Vec<Flow> {
        vec![Flow::recorded("events", "the diary")]
    }
}

/// A daemon that hears the demo, and its socket.
struct Live {
    // The sound ends before the daemon, and that before its server, so that who follows is told.
    portions: Option<Sender<Vec<f32>>>,
    daemon: Option<Daemon>,
    server: Option<ControlServer>,
    desk: Arc<Desk>,
    demo: Vec<f32>,
    n_fed: usize,
    folder: tempfile::TempDir,
}

impl Live {
    fn new() -> Self {
        let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
        let demo = read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap();
        let (portions, fed) = bounded(0);
        let history = AudioHistory::new(Milliseconds(6000));
        let daemon = Daemon::start(Setup {
            source: Box::new(Fed(fed, Vec::new())),
            stop_handle: Box::new(()),
            bundle: Arc::new(Bundle::load(&locate("six-words", None).unwrap()).unwrap()),
            sinks: vec![Box::new(Nowhere)],
            overflow: Overflow::Wait,
            history: history.clone(),
            heartbeat: Box::new(|_| {}),
        })
        .unwrap();
        let doors = Doors {
            ask_for_device: Box::new(|device| match device {
                "attic" => Ok("opening attic".to_owned()),
                other => Err(format!("no device '{other}'")),
            }),
            reload: {
                let has_failed = std::sync::atomic::AtomicBool::new(false);
                Box::new(move || {
                    if has_failed.swap(true, std::sync::atomic::Ordering::Relaxed) {
                        Ok(Reloaded { changes: vec!["x".into()], needs_restart: vec!["y".into()] })
                    } else {
                        Err("config.toml: no".to_owned())
                    }
                })
            },
        };
        let desk = Arc::new(Desk::new(&daemon, history, "fed".into(), doors, vec![Box::new(Diary)]));
        let folder = tempfile::tempdir().unwrap();
        let socket = ControlSocket::bind(&folder.path().join("run/control.sock")).unwrap();
        let server = ControlServer::start(socket, desk.clone()).unwrap();
        Self { daemon: Some(daemon), portions: Some(portions), server: Some(server), desk, demo, n_fed: 0, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.path()).unwrap()
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    fn ask(&self, request: Request) -> Reply {
        let mut client = self.client();
        client.ask(&request, false).unwrap();
        client.next_line().unwrap().1
    }

    fn status(&self) -> tripword::control::Status {
        match self.ask(Request::Status {}) {
            Reply::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// Feeds up to `time_s` and waits until it is heard.
    fn hear_until(&mut self, time_s: f64) {
        let end = ((time_s * 16_000.0) as usize).min(self.demo.len());
        for portion in self.demo[self.n_fed..end].chunks(777) {
            self.portions.as_ref().unwrap().send(portion.to_vec()).unwrap();
        }
        self.n_fed = end;
        let began = Instant::now();
        // The features of the last step may lack a few samples.
        while self.daemon.as_ref().unwrap().stats().n_steps.get() + 1 < (end / 1280) as u64 {
            assert!(began.elapsed() < DEADLINE, "the daemon hears nothing any more");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn stop(&mut self) {
        drop(self.portions.take());
        self.daemon.take().unwrap().stop().1.unwrap();
    }
}

#[test]
fn the_status_tells_words_scores_counts_parts_and_what_is_recorded() {
    let mut live = Live::new();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(live.path()), mode(live.folder.path().join("run"))), (0o600, 0o700));
    // The computer at 5.2 s is the last event, and its score is still known at 12 s; smart_mirror follows at 10.7.
    live.hear_until(12.0);
    let status = live.status();
    let word = |name: &str| status.words.iter().find(|word| word.name == name).unwrap();
    assert_eq!(status.words.len(), 6);
    assert_eq!((word("computer").n_events, word("smart_mirror").n_events, word("alexa").n_events), (1, 1, 0));
    assert!(word("computer").highest_score > 0.9 && word("alexa").highest_score < 0.6, "{:?}", status.words);
    assert!(status.words.iter().all(|word| word.is_enabled && word.threshold == word.configured_threshold));
    assert_eq!((status.source.as_str(), status.model.as_str(), status.counts.n_events), ("fed", "six-words", 2));
    assert_eq!((status.latency.n_events, status.pid), (2, std::process::id()));
    assert!((80..300).contains(&status.latency.median_ms.unwrap()), "{:?}", status.latency);
    assert!(!status.mute.is_muted && status.last_reload.is_none());
    assert!(status.counts.real_time_factor > 0.0 && status.counts.audio_s > 11.9);
    assert_eq!(status.parts["diary"], json!({ "n_pages": 3 }));
    assert_eq!(status.recorded_or_sent, [Flow::recorded("events", "the diary")]);
    // Ten seconds later the computer is forgotten, its event is not.
    live.hear_until(16.4);
    let status = live.status();
    let computer = status.words.iter().find(|word| word.name == "computer").unwrap();
    assert!(computer.highest_score < 0.9 && computer.n_events == 1, "{computer:?}");
}

#[test]
fn wishes_take_effect_and_are_told_and_others_are_refused_with_the_choices() {
    let mut live = Live::new();
    let Reply::Mute(mute) = live.ask(Request::Mute { for_s: Some(3600.0) }) else { panic!() };
    assert!(mute.is_muted && mute.remaining_s.unwrap() > 3590.0 && mute.until.is_some(), "{mute:?}");
    live.hear_until(7.0);
    assert_eq!((live.status().counts.n_events, live.status().counts.n_muted_events), (0, 1));
    assert!(live.status().mute.is_muted);
    assert!(matches!(live.ask(Request::Unmute {}), Reply::Mute(mute) if !mute.is_muted));
    // A mute that is over by itself.
    assert!(matches!(live.ask(Request::Mute { for_s: Some(0.001) }), Reply::Mute(_)));
    std::thread::park_timeout(Duration::from_millis(20));
    assert!(!live.status().mute.is_muted);

    let Reply::Threshold { word, before, threshold, configured } =
        live.ask(Request::Threshold { word: "Smart Mirror".into(), threshold: 1.0 })
    else {
        panic!()
    };
    assert_eq!((word.as_str(), threshold, configured), ("smart_mirror", 1.0, before));
    let jarvis = Request::Disable { word: "jarvis".into() };
    assert_eq!(live.ask(jarvis), Reply::Enabled { word: "jarvis".into(), is_enabled: false });
    live.hear_until(24.0);
    let status = live.status();
    let told: Vec<&str> = status.words.iter().filter(|word| word.n_events > 0).map(|word| word.name.as_str()).collect();
    assert_eq!((told, status.counts.n_muted_events), (vec!["snowboy"], 2));
    let mirror = status.words.iter().find(|word| word.name == "smart_mirror").unwrap();
    assert_eq!((mirror.threshold, mirror.configured_threshold), (1.0, configured));

    let refused = |request: Request, parts: &[&str]| {
        let Reply::Error { message } = live.ask(request) else { panic!() };
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    refused(Request::Enable { word: "jervis".into() }, &["'jervis'", "alexa", "did you mean 'jarvis'?"]);
    refused(Request::Threshold { word: "alexa".into(), threshold: 1.5 }, &["1.5", "above 0 and at most 1"]);
    refused(Request::Device { device: "cellar".into() }, &["no device 'cellar'"]);
    assert_eq!(live.ask(Request::Device { device: "attic".into() }), Reply::Device { text: "opening attic".into() });
    refused(Request::Reload {}, &["config.toml: no"]);
    assert_eq!(live.status().last_reload.unwrap().error.as_deref(), Some("config.toml: no"));
    assert!(matches!(live.ask(Request::Reload {}), Reply::Reloaded(reloaded) if reloaded.changes == ["x"]));
    assert_eq!(live.status().last_reload.unwrap().error, None);
    let page = live.desk.metrics_page();
    for line in [
        "tripword_reloads_total{result=\"failed\"} 1",
        "tripword_events_total{word=\"snowboy\"} 1",
        "tripword_muted_events_total 2",
        "tripword_word_enabled{word=\"jarvis\"} 0",
        "tripword_word_threshold{word=\"smart_mirror\"} 1",
        "tripword_event_latency_seconds_count 1",
        "tripword_diary_pages_total 3",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in:\n{page}");
    }
}

#[test]
fn events_are_told_afterwards_and_as_they_come_and_the_end_is_told() {
    let mut live = Live::new();
    live.hear_until(12.0);
    let mut follows = live.client();
    follows.ask(&Request::Events { n_events: Some(1), follow: true }, true).unwrap();
    let mut next = |expected: &str| match follows.next_line().unwrap().1 {
        Reply::Event { event } => assert_eq!(event.word, expected),
        other => panic!("{other:?}"),
    };
    next("smart_mirror");
    live.hear_until(18.0);
    next("jarvis");
    let mut asks = live.client();
    asks.ask(&Request::Events { n_events: None, follow: false }, false).unwrap();
    let mut words = Vec::new();
    let end = loop {
        match asks.next_line().unwrap().1 {
            Reply::Event { event } => words.push(event.word),
            other => break other,
        }
    };
    assert_eq!((words, end), (["computer", "smart_mirror", "jarvis"].map(String::from).to_vec(), Reply::End {}));
    // The same client may go on.
    asks.ask(&Request::Events { n_events: Some(0), follow: false }, false).unwrap();
    assert_eq!(asks.next_line().unwrap().1, Reply::End {});
    let mut levels = live.client();
    levels.ask(&Request::Level {}, true).unwrap();
    live.stop();
    assert_eq!(follows.next_line().unwrap().1, Reply::End {});
    loop {
        match levels.next_line().unwrap().1 {
            Reply::Level(_) | Reply::NoSound { .. } => {}
            other => break assert_eq!(other, Reply::End {}),
        }
    }
    live.server.take();
    assert!(matches!(follows.next_line(), Err(ClientError::Gone)));
    assert!(!live.path().exists());
    let error = Client::connect(&live.path()).err().unwrap().to_string();
    assert!(error.contains("start one with 'tripword listen'") && error.contains("control.sock"), "{error}");
}

#[test]
fn the_level_is_that_of_the_sound() {
    let mut live = Live::new();
    let mut client = live.client();
    client.ask(&Request::Level {}, true).unwrap();
    let mut next = || client.next_line().unwrap().1;
    assert!(matches!(next(), Reply::NoSound { waited_s } if waited_s == 1.0));
    live.hear_until(2.0);
    let Reply::Level(first) = next() else { panic!() };
    // The demo begins with silence that is not digital.
    assert!((0.0..1.0).contains(&first.time_s) && (-100.0..-20.0).contains(&first.rms_dbfs), "{first:?}");
    let Reply::Level(second) = next() else { panic!() };
    assert!((second.time_s - first.time_s - 0.1).abs() < 1e-9);
}

#[test]
fn what_is_no_request_is_answered_and_the_next_one_is_too() {
    let live = Live::new();
    let mut stream = live.connect();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |line: &[u8]| {
        stream.write_all(line).unwrap();
        serde_json::from_str::<Value>(&answers.next().unwrap().unwrap()).unwrap()
    };
    for (line, expected) in [
        (&b"hello\n"[..], "not a JSON object"),
        (b"\xff\xfe\x00\n", "not a JSON object"),
        (b"{\"command\":\"reboot\"}\n", "expected one of status"),
        (b"\n\r\n{\"command\":\"mute\",\"for_s\":\"long\"}\n", "mute: invalid type"),
    ] {
        let answer = say(line);
        assert!(answer["kind"] == "error" && answer["message"].as_str().unwrap().contains(expected), "{answer}");
    }
    assert_eq!(say(b"{\"command\":\"status\"}\n")["model"], "six-words");
    // The last byte of a line that is just too long is never read: answered, and let go.
    let mut long = vec![b'x'; LINE_BYTES];
    let answer = say(&long);
    assert!(answer["message"].as_str().unwrap().contains("longer than 16384 bytes"), "{answer}");
    assert!(answers.next().is_none_or(|rest| rest.is_err()));
    // Without an end of line the end of the connection is one.
    let mut stream = live.connect();
    long.fill(b'[');
    long.truncate(LINE_BYTES - 1);
    long[..5].copy_from_slice(b"{\"x\":");
    stream.write_all(&long).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("recursion limit"), "{answer}");
}

#[test]
fn a_hundred_clients_and_those_who_say_nothing_or_read_nothing_harm_nobody() {
    let mut live = Live::new();
    let memory_mb = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0").to_owned();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    };
    let before_mb = memory_mb();
    // One asks and never reads; its answers fill the socket, and it is let go after the time for it.
    let mut deaf = live.connect();
    deaf.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) && deaf.write_all(b"{\"command\":\"status\"}\n").is_ok() {}
    // One begins a line and goes no further.
    let mut half = live.connect();
    half.write_all(b"{\"command\":").unwrap();
    let mut clients: Vec<UnixStream> = (0..100).map(|_| live.connect()).collect();
    let mut n_refused = 0;
    for client in &mut clients {
        // Who is refused is told so, and then gone.
        if client.write_all(b"{\"command\":\"unmute\"}\n").is_err() {
            n_refused += 1;
            continue;
        }
        let mut line = String::new();
        match BufReader::new(&*client).read_line(&mut line) {
            Ok(_) if line.contains("\"kind\":\"mute\"") => {}
            Ok(_) => {
                assert!(line.contains("clients are here already"), "{line}");
                n_refused += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                n_refused += 1;
            }
        }
    }
    // There are 32 places, two of them taken, unless the machine is so slow that the deaf one is gone already.
    assert!((69..=70).contains(&n_refused), "{n_refused}");
    // Detection does not care.
    live.hear_until(7.0);
    drop(clients);
    let began = Instant::now();
    loop {
        let mut client = live.client();
        client.ask(&Request::Status {}, false).unwrap();
        if let Ok((_, Reply::Status(status))) = client.next_line() {
            assert_eq!(status.counts.n_events, 1);
            break;
        }
        assert!(began.elapsed() < DEADLINE, "places do not become free");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert!(memory_mb() - before_mb < 60.0, "{before_mb} MB before, {} MB now", memory_mb());
    // Nobody can keep it from ending.
    let began = Instant::now();
    live.stop();
    live.server.take();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_second_daemon_is_refused_a_dead_ones_socket_is_taken_and_a_strangers_is_left() {
    let mut live = Live::new();
    let error = ControlSocket::bind(&live.path()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("somebody listens at"), "{error}");
    // One that was killed leaves its socket behind.
    let dead = live.folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert!(dead.exists());
    drop(ControlSocket::bind(&dead).unwrap());
    assert!(!dead.exists());
    // What another has put in its place is not removed.
    let path = live.path();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    live.stop();
    live.server.take();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is written in whatever portions, every answer is a line of JSON, and the next client is served.
    #[test]
    fn whatever_is_written_is_answered_line_by_line(
        portions in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                Just(b"{\"command\":\"status\"}\n".to_vec()),
                Just(b"{\"command\":\"events\",\"n_events\":2}\n".to_vec()),
                Just(b"{\"command\":\"threshold\",\"word\":\"".to_vec()),
                Just(vec![b'['; 3000]),
            ],
            0..12,
        ),
    ) {
        // One daemon for all cases.
        static LIVE: std::sync::LazyLock<std::sync::Mutex<Live>> =
            std::sync::LazyLock::new(|| std::sync::Mutex::new(Live::new()));
        let live = LIVE.lock().unwrap();
        let mut stream = live.connect();
        for portion in &portions {
            if stream.write_all(portion).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answers = Vec::new();
        let ended = stream.read_to_end(&mut answers);
        prop_assert!(ended.is_ok() || ended.unwrap_err().kind() == ErrorKind::ConnectionReset);
        for line in String::from_utf8(answers).unwrap().lines() {
            let answer: Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(&answer["version"], 1);
        }
        let is_answered = matches!(live.ask(Request::Unmute {}), Reply::Mute(_));
        prop_assert!(is_answered);
    }
}
