//! The Wyoming service on real sockets, and what is wrong in other services.

#[path = "common/wyoming.rs"]
mod client;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Client, s16};
use proptest::prelude::*;
use serde_json::{Value, json};
use tripword::audio::history::AudioHistory;
use tripword::audio::{ChannelChoice, read_to_end, resample::resample, wav::WavSource};
use tripword::bundle::{Bundle, locate};
use tripword::units::{Milliseconds, SampleRate};
use tripword::wyoming::{Event, Microphone, Server, Service, Session};

const DEMO: [&str; 6] = ["computer", "smart_mirror", "jarvis", "snowboy", "alexa", "view_glass"];

fn six_words() -> Arc<Bundle> {
    Arc::new(Bundle::load(&locate("six-words", None).unwrap()).unwrap())
}

fn server(n_clients_most: usize) -> Server {
    let bundle = six_words();
    let microphone =
        Some(Microphone { history: AudioHistory::new(Milliseconds(1000)), given: tripword::wyoming::Given::Words });
    let service = Service { model: Box::new(move || bundle.clone()), microphone, n_clients_most };
    Server::start(&"tcp://127.0.0.1:0".parse().unwrap(), service).unwrap()
}

fn demo() -> Vec<f32> {
    let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().filter(|event| event.kind == "detection").map(|event| event.data["name"].as_str().unwrap()).collect()
}

#[test]
fn as_home_assistant_does_it() {
    let server = server(8);
    let mut client = Client::connect(&server);
    client.say("describe", Value::Null, Vec::new());
    let info = client.hear();
    let program = &info.data["wake"][0];
    assert_eq!(info.data["wake"].as_array().unwrap().len(), 1, "clients look at the first program only");
    let words: Vec<&str> = program["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(words.len(), 6);
    for key in ["name", "attribution", "installed", "description", "version"] {
        assert!(!program[key].is_null() && !program["models"][0][key].is_null(), "{key}");
    }

    // A connection of its own, one word, and gone after it without an audio-stop.
    let mut client = Client::connect(&server);
    client.say("detect", json!({ "names": ["jarvis"], "context": { "room": "hall" } }), Vec::new());
    client.say("audio-start", json!({ "rate": 16_000, "width": 2, "channels": 1, "timestamp": 5000 }), Vec::new());
    client.play(&demo());
    let event = client.hear();
    assert_eq!((event.kind.as_str(), &event.data["name"]), ("detection", &json!("jarvis")));
    assert_eq!((&event.data["speaker"], &event.data["context"]), (&Value::Null, &json!({ "room": "hall" })));
    let timestamp = event.data["timestamp"].as_i64().unwrap();
    assert!((5000 + 17_000..5000 + 18_000).contains(&timestamp), "{timestamp}");
    drop(client);
}

#[test]
fn a_whole_file_at_once_without_detect_is_answered() {
    let server = server(8);
    let mut client = Client::connect(&server);
    client.say("audio-start", json!({ "rate": 16_000, "width": 2, "channels": 1 }), Vec::new());
    client.say("audio-chunk", json!({ "rate": 16_000, "width": 2, "channels": 1 }), s16(&demo()));
    client.say("audio-stop", json!({}), Vec::new());
    let heard: Vec<Event> = (0..6).map(|_| client.hear()).collect();
    assert_eq!(names(&heard), DEMO);
    assert_eq!(heard[0].data["timestamp"], Value::Null, "the client gave no time");
    // The next sound on the same connection begins anew, and has no word.
    client.say("audio-start", json!({ "rate": 16_000, "width": 2, "channels": 1 }), Vec::new());
    client.play(&vec![0.0; 16_000]);
    client.say("audio-stop", json!({}), Vec::new());
    assert_eq!(client.hear(), Event::new("not-detected", json!({})));
    // And one without any sound is answered, too.
    client.say("audio-stop", json!({}), Vec::new());
    assert_eq!(client.hear().kind, "not-detected");
    client.say("ping", json!({ "text": "still there?" }), Vec::new());
    assert_eq!(client.hear(), Event::new("pong", json!({ "text": "still there?" })));
}

#[test]
fn a_word_at_the_very_end_is_told_before_the_end_is_answered() {
    let demo = demo();
    // To the last sample of "alexa".
    let end = (28.65 * 16_000.0) as usize;
    let mut session = Session::new(six_words());
    let mut told = Vec::new();
    let format = json!({ "rate": 16_000, "width": 2, "channels": 1 });
    session.handle(&Event::new("detect", json!({ "names": ["alexa"] })), &mut |event| told.push(event));
    session.handle(&Event::new("audio-start", format.clone()), &mut |event| told.push(event));
    let chunk = Event { payload: s16(&demo[end - 48_000..end]), ..Event::new("audio-chunk", format) };
    session.handle(&chunk, &mut |event| told.push(event));
    session.handle(&Event::new("audio-stop", Value::Null), &mut |event| told.push(event));
    assert_eq!(names(&told), ["alexa"]);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn any_rate_width_and_number_of_channels_is_heard() {
    let demo = demo();
    for (rate, width, channels) in [(44_100, 2, 2), (8000, 2, 1), (48_000, 4, 1), (16_000, 3, 1)] {
        let samples = resample(&demo, SampleRate::MODEL, SampleRate::new(rate)).unwrap();
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|sample| {
                let wide = ((f64::from(*sample) * 2_147_483_647.0) as i32).to_le_bytes();
                std::iter::repeat_n(wide[4 - width..].to_vec(), channels).flatten()
            })
            .collect();
        let format = json!({ "rate": rate, "width": width, "channels": channels });
        let mut session = Session::new(six_words());
        let mut told = Vec::new();
        // No audio-start: the sound says itself what it is. Portions that cut samples in two.
        for portion in bytes.chunks(3333) {
            let chunk = Event { payload: portion.to_vec(), ..Event::new("audio-chunk", format.clone()) };
            session.handle(&chunk, &mut |event| told.push(event));
        }
        session.handle(&Event::new("audio-stop", Value::Null), &mut |event| told.push(event));
        // Telephone sound lacks half of the spectrum.
        let n_least = if rate == 8000 { 1 } else { 6 };
        assert!(names(&told).len() >= n_least, "{rate} Hz: {:?}", names(&told));
    }
}

#[test]
fn what_cannot_be_is_answered_with_an_error() {
    let server = server(8);
    let mut client = Client::connect(&server);
    let mut refused = |kind: &str, data: Value, expected: &str| {
        client.say(kind, data, Vec::new());
        let event = client.hear();
        let text = event.data["text"].as_str().unwrap_or_default().to_owned();
        assert!(event.kind == "error" && text.contains(expected), "{event:?}");
    };
    refused("detect", json!({ "names": ["hal"] }), "none of the words hal is known; this service hears");
    refused("audio-start", json!({ "rate": 16_000, "width": 7, "channels": 1 }), "width is 7; expected 1, 2, 3 or 4");
    refused("audio-start", json!({ "rate": 16_000, "width": 2 }), "channels");
    refused("audio-start", json!({ "rate": 1, "width": 2, "channels": 1 }), "rate");
    refused("audio-start", json!({ "rate": 16_000, "width": 2, "channels": 0 }), "channels are 0; expected 1 to 64");
    // What is no message at all ends the connection, with a word.
    client.writer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(client.hear().data["text"].as_str().unwrap().contains("not a Wyoming message"));
    let mut rest = Vec::new();
    client.reader.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

#[test]
fn those_who_are_too_many_are_turned_away_and_places_become_free() {
    let server = server(2);
    let clients = [Client::connect(&server), Client::connect(&server)];
    let wait_for = |n_clients: usize, n_refused: u64| {
        let began = Instant::now();
        while (server.counts().n_clients, server.counts().n_refused) != (n_clients, n_refused) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", server.counts());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    };
    wait_for(2, 0);
    let mut third = Client::connect(&server);
    let mut rest = Vec::new();
    let _ = third.reader.read_to_end(&mut rest);
    assert!(rest.is_empty());
    wait_for(2, 1);
    drop(clients);
    wait_for(0, 1);
    let mut fourth = Client::connect(&server);
    fourth.say("ping", json!({}), Vec::new());
    assert_eq!(fourth.hear().kind, "pong");
}

#[test]
fn clients_do_not_hear_each_other_and_the_end_of_the_service_lets_all_go() {
    let server = server(64);
    let demo = demo();
    // Each another stretch of the demo, so that a state that is shared would show; none begins within a word.
    let starts_s = [0, 1, 2, 3, 4, 6, 7, 8, 9, 12, 14, 16];
    let threads: Vec<_> = starts_s
        .into_iter()
        .map(|start_s| {
            let (mut client, demo) = (Client::connect(&server), demo.clone());
            std::thread::Builder::new()
                .spawn(move || {
                    let start = start_s * 16_000;
                    client.play(&demo[start..]);
                    client.say("audio-stop", json!({}), Vec::new());
                    client.play(&demo[start..]);
                    client.say("audio-stop", json!({}), Vec::new());
                    client
                })
                .unwrap()
        })
        .collect();
    let mut clients: Vec<Client> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (client, start_s) in clients.iter_mut().zip(starts_s) {
        let words_s = [4.3, 9.8, 16.7, 22.1, 28.0, 29.9];
        let expected: Vec<&str> =
            DEMO.iter().zip(words_s).filter(|(_, word_s)| *word_s > start_s as f64).map(|(word, _)| *word).collect();
        let heard: Vec<Event> = (0..2 * expected.len()).map(|_| client.hear()).collect();
        assert_eq!(names(&heard), [&expected[..], &expected].concat(), "from {start_s} s on");
    }
    drop(server);
    for client in &mut clients {
        let mut rest = Vec::new();
        let _ = client.reader.read_to_end(&mut rest);
    }
}

#[test]
fn whoever_sends_no_sound_is_told_of_the_microphone() {
    let server = server(8);
    let mut asks = Client::connect(&server);
    asks.say("detect", json!({ "names": ["snowboy"], "context": 7 }), Vec::new());
    let mut sends = Client::connect(&server);
    sends.say("detect", json!({}), Vec::new());
    sends.play(&[0.0; 1024]);
    // Answers come when all before them is done.
    for client in [&mut asks, &mut sends] {
        client.say("ping", json!({}), Vec::new());
        assert_eq!(client.hear().kind, "pong");
    }
    let teller = server.microphone_teller();
    teller.tell("jarvis", 1);
    teller.tell("Snowboy", 2);
    let told = asks.hear();
    assert_eq!(
        (&told.data["name"], &told.data["timestamp"], &told.data["context"]),
        (&json!("Snowboy"), &json!(2), &json!(7))
    );
    sends.say("ping", json!({}), Vec::new());
    assert_eq!(sends.hear().kind, "pong", "who sends sound hears for itself");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Chunks of any size and messages of any kind between them change nothing of what is heard, and nothing panics.
    #[test]
    fn a_session_takes_any_messages(seed in any::<u64>(), kinds in prop::collection::vec(0usize..8, 1..60)) {
        let bundle = six_words();
        let mut session = Session::new(bundle);
        let mut random = seed;
        for kind in kinds {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let n = (random >> 40) as usize % 5000;
            let weird = [json!(null), json!(-1), json!("x"), json!(1e300), json!([]), json!({})][n % 6].clone();
            let event = match kind {
                0 => Event::new("detect", json!({ "names": weird })),
                1 => Event::new("audio-start", json!({ "rate": weird, "width": 2, "channels": 1 })),
                2 => Event::new("audio-start", json!({ "rate": 8000 + n, "width": 1 + n % 4, "channels": 1 + n % 3, "timestamp": weird })),
                3 => Event::new("audio-stop", weird),
                4 => Event::new("describe", Value::Null),
                5 => Event::new("audio-chunk", weird),
                _ => Event { payload: vec![n as u8; n], ..Event::new("audio-chunk", json!({ "rate": 16_000, "width": 2, "channels": 1 })) },
            };
            let mut n_answers = 0;
            session.handle(&event, &mut |_| n_answers += 1);
            prop_assert!(n_answers <= 10);
            if kind == 3 {
                prop_assert!(n_answers >= 1, "whoever waits is answered");
            }
        }
    }
}
