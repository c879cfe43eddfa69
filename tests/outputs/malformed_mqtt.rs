//! A broker that sends anything at all: no crash, and no memory to speak of.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tripword::events::{Mqtt, MqttConfig, Outbox, RetryPolicy};

use crate::common::Random;

/// The broker's welcome.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// One connection that answers with what a seed says: random bytes, packets with random bodies, packets that promise too much.
fn answer(mut stream: TcpStream, seed: u64) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    let mut random = Random::new(seed);
    let mut bytes = [0; 4096];
    // Whatever it says is answered alike.
    let _ = stream.read(&mut bytes)?;
    if random.below(8) > 0 {
        stream.write_all(&CONNACK)?;
    }
    let mut sent = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(4) {
            0 => sent.extend((0..random.below(300)).map(|_| random.below(256) as u8)),
            // A packet of some type with flags; its body is random, its length is right.
            1 => {
                let n = random.below(120);
                sent.extend([random.below(256) as u8, n as u8]);
                sent.extend((0..n).map(|_| random.below(256) as u8));
            }
            // Acknowledgements that nobody asked for, of small numbers.
            2 => sent.extend([[0x40, 0x50, 0x62, 0x70, 0x90, 0xb0][random.below(6)], 2, 0, random.below(20) as u8]),
            // A publication that Hermes would send, torn or whole, or one of 256 MB.
            _ => match random.below(2) {
                0 => {
                    let body = b"\x00\x17hermes/hotword/toggleOff{\"siteId\": \"default\"}";
                    sent.extend([0x30, body.len() as u8]);
                    sent.extend(&body[..random.below(body.len() + 1)]);
                }
                _ => sent.extend([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 4]),
            },
        }
    }
    stream.write_all(&sent)?;
    // Sometimes it stays silent and open for a moment.
    if random.below(4) == 0 {
        while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
    }
    Ok(())
}

/// Memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn whatever_the_broker_sends_nothing_breaks_and_nothing_grows() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let n_connections = Arc::new(AtomicU64::new(0));
    let counted = n_connections.clone();
    std::thread::spawn(move || {
        for stream in server.incoming().map_while(Result::ok) {
            let seed = counted.fetch_add(1, Ordering::Relaxed);
            // It may hang up in the middle.
            let _ = answer(stream, seed);
        }
    });
    let config = MqttConfig {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        credentials: None,
        client_id: "test".into(),
        topic_prefix: "tripword".into(),
        site_id: "default".into(),
        hermes: true,
        discovery_prefix: Some("homeassistant".into()),
        words: Arc::new(|| (0..20).map(|i| (format!("word {i}"), 0.5)).collect()),
        longest_pause: Duration::from_millis(1),
    };
    let mqtt = Mqtt::start(config, Box::new(|_| {})).unwrap();
    let about = mqtt.about();
    let outbox = Outbox::start(about, RetryPolicy::within(Duration::from_secs(1)), Box::new(mqtt)).unwrap();
    let began = Instant::now();
    let mut memory_at_first = None;
    while n_connections.load(Ordering::Relaxed) < 1000 {
        assert!(began.elapsed() < Duration::from_secs(240), "{n_connections:?} connections");
        std::thread::sleep(Duration::from_millis(10));
        if n_connections.load(Ordering::Relaxed) > 200 {
            memory_at_first.get_or_insert_with(resident_bytes);
        }
    }
    let grown = resident_bytes().saturating_sub(memory_at_first.unwrap());
    assert!(grown < 30_000_000, "{grown} bytes");
    drop(outbox);
    // Other tests of this process run meanwhile; the thread is still ours to end.
    assert!(began.elapsed() < Duration::from_secs(300));
}
