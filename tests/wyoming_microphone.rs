//! The daemon's own microphone, for clients of the Wyoming service.

#[path = "common/wyoming.rs"]
mod client;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};
use tripword::audio::history::AudioHistory;
use tripword::bundle::{Bundle, locate};
use tripword::units::Milliseconds;
use tripword::wyoming::{Event, Given, Microphone, Server, Service};

/// A server beside a microphone of which the last second is kept.
fn beside(given: Given) -> (Server, AudioHistory) {
    let bundle = Arc::new(Bundle::load(&locate("six-words", None).unwrap()).unwrap());
    let history = AudioHistory::new(Milliseconds(1000));
    let service = Service {
        model: Box::new(move || bundle.clone()),
        microphone: Some(Microphone { history: history.clone(), given }),
        n_clients_most: 8,
    };
    (Server::start(&"tcp://127.0.0.1:0".parse().unwrap(), service).unwrap(), history)
}

/// A ramp that tells each of the first 30000 samples from the others; sample `i` goes out as `i`.
fn ramp(range: std::ops::Range<usize>) -> Vec<f32> {
    range.map(|i| i as f32 / 32_767.0).collect()
}

fn samples_of(event: &Event) -> Vec<i16> {
    event.payload.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn who_selects_the_microphone_hears_it_from_then_on_to_the_end() {
    let (server, history) = beside(Given::SoundToWhoSelects);
    history.push(&ramp(0..4000));
    let mut client = Client::connect(&server);
    client.say("describe", Value::Null, Vec::new());
    let info = client.hear();
    assert_eq!(info.data["mic"][0]["name"], "microphone");
    assert_eq!(info.data["mic"][0]["mic_format"], json!({ "rate": 16_000, "width": 2, "channels": 1 }));
    client.say("select-program", json!({ "name": "tripword" }), Vec::new());
    client.say("ping", json!({}), Vec::new());
    assert_eq!(client.hear().kind, "pong", "the wake service is another program");

    client.say("select-program", json!({ "name": "microphone" }), Vec::new());
    let start = client.hear();
    assert_eq!(
        (start.kind.as_str(), &start.data["rate"], &start.data["timestamp"]),
        ("audio-start", &json!(16_000), &json!(250))
    );
    let mut heard: Vec<i16> = Vec::new();
    for from in (4000..12_000).step_by(800) {
        history.push(&ramp(from..from + 800));
        while heard.len() < from + 800 - 4000 {
            let chunk = client.hear();
            assert_eq!(chunk.kind, "audio-chunk");
            assert_eq!(chunk.data["timestamp"], json!((4000 + heard.len()) * 1000 / 16_000));
            heard.extend(samples_of(&chunk));
        }
    }
    assert!(heard.iter().copied().eq(4000..12_000));
    history.finish();
    assert_eq!(client.hear().kind, "audio-stop");
    assert_eq!(server.counts().n_lost_samples, 0);
}

#[test]
fn a_satellite_says_nothing_and_hears_the_microphone() {
    let (server, history) = beside(Given::SoundToAll);
    let mut client = Client::connect(&server);
    assert_eq!(client.hear().kind, "audio-start");
    history.push(&ramp(0..300));
    assert!(samples_of(&client.hear()).into_iter().eq(0..300));
    drop(server);
    let mut rest = Vec::new();
    client.reader.read_to_end(&mut rest).unwrap();
}

#[test]
fn the_sound_is_not_given_away_by_who_only_tells_words() {
    let (server, history) = beside(Given::Words);
    let mut client = Client::connect(&server);
    client.say("describe", Value::Null, Vec::new());
    assert_eq!(client.hear().data["mic"], json!([]));
    client.say("select-program", json!({ "name": "microphone" }), Vec::new());
    let refused = client.hear();
    assert_eq!((refused.kind.as_str(), &refused.data["code"]), ("error", &json!("no-microphone")));
    history.push(&ramp(0..8000));
    client.say("ping", json!({}), Vec::new());
    assert_eq!(client.hear().kind, "pong");
}

#[test]
fn who_takes_nothing_keeps_nobody_waiting_loses_what_is_counted_and_is_let_go() {
    let (server, history) = beside(Given::SoundToWhoSelects);
    let mut stuck = Client::connect(&server);
    stuck.say("detect", json!({}), Vec::new());
    stuck.say("select-program", json!({ "name": "microphone" }), Vec::new());
    assert_eq!(stuck.hear().kind, "audio-start");
    let mut well = Client::connect(&server);
    well.say("detect", json!({ "names": ["jarvis"] }), Vec::new());
    well.settle();
    let teller = server.microphone_teller();
    // Sound as fast as it goes until the connection is full and the ring has gone on without it; a word now and then.
    let began = Instant::now();
    let mut n_told = 0;
    while server.counts().n_clients == 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", server.counts());
        for _ in 0..20 {
            history.push(&[0.5; 1600]);
        }
        let telling = Instant::now();
        teller.tell("jarvis", n_told);
        assert!(telling.elapsed() < Duration::from_millis(500), "{:?}", telling.elapsed());
        let told = well.hear();
        assert_eq!((told.kind.as_str(), &told.data["timestamp"]), ("detection", &json!(n_told)));
        n_told += 1;
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(n_told > 16, "{n_told}");
    let counts = server.counts();
    assert!(counts.n_lost_samples > 0 && counts.n_untold_words > 0, "{counts:?}");
    // It can be served again.
    let mut again = Client::connect(&server);
    again.settle();
    wait_until("both are there", || server.counts().n_clients == 2);
}

#[test]
fn the_last_words_are_told_before_all_are_let_go() {
    let (server, _history) = beside(Given::Words);
    let mut client = Client::connect(&server);
    client.say("detect", json!({ "context": { "a": 1 } }), Vec::new());
    client.settle();
    let teller = server.microphone_teller();
    for time_ms in 0..10 {
        teller.tell("alexa", time_ms);
    }
    drop(server);
    for time_ms in 0..10 {
        let told = client.hear();
        assert_eq!((&told.data["timestamp"], &told.data["context"]), (&json!(time_ms), &json!({ "a": 1 })));
    }
    let mut rest = Vec::new();
    client.reader.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}
