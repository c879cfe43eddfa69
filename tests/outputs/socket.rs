//! The socket: many clients, clients that never read, clients that talk nonsense.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;
use tripword::audio::history::AudioHistory;
use tripword::events::{About, Destination, EventSocket, Outbox, RetryPolicy, WakeEvent};
use tripword::units::Milliseconds;

use crate::common::Random;
use crate::listener::wait_until;

fn event(i: u64) -> WakeEvent {
    serde_json::from_value(serde_json::json!({
        "version": 1, "file": "x", "word": "word", "score": 0.9, "start_s": 0.0, "end_s": 0.0, "time_s": 0.0, "start_sample": 0,
        "end_sample": 8000, "time_sample": i, "detection_latency_ms": 0, "model": "m",
    }))
    .unwrap()
}

fn n_clients(about: &About) -> (u64, u64) {
    // The counts are seen as the daemon sees them.
    struct Nobody;
    impl Destination for Nobody {
        fn deliver(&mut self, _: &WakeEvent) -> Result<tripword::events::Delivery, tripword::events::Failure> {
            unreachable!("it is sent nothing")
        }
    }
    let policy = RetryPolicy::within(Duration::ZERO);
    let status = Outbox::start(about.clone(), policy, Box::new(Nobody)).unwrap().view().status();
    (status.n_clients.unwrap(), status.n_clients_let_go.unwrap())
}

#[test]
fn two_hundred_clients_get_everything_and_one_that_never_reads_is_let_go() {
    const N_EVENTS: u64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut socket = EventSocket::bind(&path, AudioHistory::new(Milliseconds(1000))).unwrap();
    let about = socket.about();
    let mut clients: Vec<_> = (0..200).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let mut never_reads = UnixStream::connect(&path).unwrap();
    wait_until("all are connected", || n_clients(&about).0 == 201);
    // Those who have left are noticed without an event.
    clients.truncate(100);
    wait_until("half of them have left", || n_clients(&about).0 == 101);
    let readers: Vec<_> = clients
        .into_iter()
        .map(|client| {
            std::thread::spawn(move || {
                let lines = BufReader::new(client).lines().map(Result::unwrap);
                let samples = lines.map(|line| serde_json::from_str::<WakeEvent>(&line).unwrap().time_sample);
                samples.take(N_EVENTS as usize).eq(0..N_EVENTS)
            })
        })
        .collect();
    for i in 0..N_EVENTS {
        // The outbox would try again, too.
        wait_until("it takes the event", || socket.deliver(&event(i)).is_ok());
        if i % 64 == 0 {
            // Readers on a busy machine may be slow; one that never reads is slower.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(readers.into_iter().all(|reader| reader.join().unwrap()));
    wait_until("the one is let go", || n_clients(&about).1 == 1);
    // What it was sent before ends; it is not half an hour of events.
    let mut rest = Vec::new();
    let _ = never_reads.read_to_end(&mut rest);
    assert!(rest.len() < 2_000_000, "{}", rest.len());
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn nonsense_is_answered_and_the_next_event_comes_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut socket = EventSocket::bind(&path, AudioHistory::new(Milliseconds(1000))).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
    let mut ask = |text: &[u8]| {
        (&client).write_all(text).unwrap();
        let line = lines.next().unwrap().unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["error"].as_str().unwrap().to_owned()
    };
    assert!(ask(b"hello\n").contains("expected {\"audio\""));
    assert!(ask(b"{\"audio\": 1}\n").contains("expected"));
    assert!(ask(b"{\"audio\": true, \"volume\": 1}\n").contains("volume"));
    assert!(ask(b"{\"audio\": true, \"seconds\": -1}\n").contains("above 0"));
    assert!(ask(b"{\"audio\": true, \"seconds\": 1e300}\n").contains("at most 60"));
    assert!(ask(&[b'x'; 6000]).contains("longer than"));
    (&client).write_all(b"\n{\"audio\": false}\n").unwrap();
    socket.deliver(&event(7)).unwrap();
    // What is left of the long line is nonsense, too.
    let next = lines.find(|line| !line.as_ref().unwrap().contains("error")).unwrap().unwrap();
    assert_eq!(serde_json::from_str::<WakeEvent>(&next).unwrap().time_sample, 7);
}

#[test]
fn random_bytes_do_not_harm_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut socket = EventSocket::bind(&path, AudioHistory::new(Milliseconds(1000))).unwrap();
    let good = UnixStream::connect(&path).unwrap();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut bad = UnixStream::connect(&path).unwrap();
        let letters = b"{}\":,audiotruefalseseconds 0123456789e-\n\n\0\xff";
        let bytes: Vec<u8> = (0..random.below(9000)).map(|_| letters[random.below(letters.len())]).collect();
        // It may be thrown out meanwhile, for it does not read the answers.
        let _ = bad.write_all(&bytes);
    }
    socket.deliver(&event(1)).unwrap();
    let line = BufReader::new(good).lines().next().unwrap().unwrap();
    assert_eq!(serde_json::from_str::<WakeEvent>(&line).unwrap().time_sample, 1);
}
