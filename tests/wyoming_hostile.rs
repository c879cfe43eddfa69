//! Clients of the Wyoming service that mean no good: it stays, and stays small.
#![cfg(target_os = "linux")] // where it can be seen how much memory a process has

mod common;

#[path = "common/binary.rs"]
mod binary;
#[path = "common/wyoming.rs"]
mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use binary::{send_signal, tripword};
use client::Client;
use serde_json::json;

/// Clients of each kind at a time.
const N_CLIENTS: usize = 8;
/// What all of them together may cost: a good part of it are the hidden states, features and stacks of honest work.
const MEMORY_MOST_KIB: u64 = 32 * 1024;

struct Service {
    process: Child,
    place: String,
}

impl Service {
    fn start() -> Self {
        let mut process = tripword()
            .args(["wyoming", "--address", "tcp://127.0.0.1:0", "--log", "info"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = log.find(|line| line.as_ref().unwrap().contains("listening at")).unwrap().unwrap();
        let place = line.split_whitespace().find_map(|word| word.strip_prefix("address=tcp://")).unwrap().to_owned();
        Self { process, place }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.place).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// The most memory that it ever had, in KiB.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// A header of so many bytes of JSON within JSON.
fn nested(open: &str, close: &str, n: usize) -> Vec<u8> {
    format!("{{\"type\":\"detect\",\"data\":{{\"context\":{}1{}}}}}\n", open.repeat(n), close.repeat(n)).into_bytes()
}

#[test]
fn whatever_clients_send_it_stays_and_stays_small() {
    let mut service = Service::start();
    let mut honest = Client::connect_to(&service.place);
    honest.settle();
    let before_kib = service.peak_kib();
    let mut random = 88_172_645_463_325_252u64;
    let mut noise = |n: usize| -> Vec<u8> {
        (0..n)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 24) as u8
            })
            .collect()
    };
    let many_maps = format!("[{}1]", "{\"\":0},".repeat(2200));
    let kinds: Vec<(&str, Vec<u8>)> = vec![
        ("a header without an end", vec![b' '; 8 << 20]),
        ("a string without an end", [b"{\"type\":\"".to_vec(), vec![b'x'; 8 << 20]].concat()),
        ("ten gigabytes of sound", b"{\"type\":\"audio-chunk\",\"payload_length\":10000000000}\n".to_vec()),
        ("more than there are numbers", b"{\"type\":\"audio-chunk\",\"payload_length\":99999999999999999999999}\n".to_vec()),
        ("a gigabyte of data", b"{\"type\":\"detect\",\"data_length\":1000000000}\n{\"names\":".to_vec()),
        ("a payload to a ping", b"{\"type\":\"ping\",\"payload_length\":16000000}\n".to_vec()),
        ("a payload that is promised and never comes", b"{\"type\":\"audio-chunk\",\"data\":{\"rate\":16000,\"width\":2,\"channels\":1},\"payload_length\":16000000}\nab".to_vec()),
        ("lists within lists", nested("[", "]", 8000)),
        ("objects within objects", nested("{\"a\":", "}", 2300)),
        ("a context of many objects", format!("{{\"type\":\"detect\",\"data\":{{\"context\":{many_maps}}}}}\n").into_bytes()),
        ("an odd format", b"{\"type\":\"audio-start\",\"data\":{\"rate\":4294967295,\"width\":2,\"channels\":64}}\n".to_vec()),
        ("noise", noise(1 << 20)),
        ("noise with ends of lines", noise(1 << 20).iter().map(|b| if b % 16 == 0 { b'\n' } else { b % 128 }).collect()),
        ("a page", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in &kinds {
        let mut clients: Vec<TcpStream> = (0..N_CLIENTS).map(|_| service.connect()).collect();
        for client in &mut clients {
            // It may be let go in the middle of it.
            let _ = client.write_all(bytes);
        }
        // Half of them hang up, the others stay until the next kind.
        clients.truncate(N_CLIENTS / 2);
        honest.say("ping", json!({ "text": what }), Vec::new());
        assert_eq!(honest.hear().data["text"], json!(what));
    }

    // A quarter of an hour of sound at once, from each: it costs time, but not memory.
    let header =
        b"{\"type\":\"audio-chunk\",\"data\":{\"rate\":8000,\"width\":1,\"channels\":1},\"payload_length\":8000000}\n";
    let mut clients: Vec<TcpStream> = (0..N_CLIENTS).map(|_| service.connect()).collect();
    for client in &mut clients {
        client.write_all(header).unwrap();
        client.write_all(&vec![128; 8_000_000]).unwrap();
        client.write_all(b"{\"type\":\"audio-stop\"}\n").unwrap();
    }
    for client in clients {
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        assert!(line.contains("not-detected"), "{line}");
    }
    let grown_kib = service.peak_kib() - before_kib;
    eprintln!("{N_CLIENTS} clients of {} kinds cost {grown_kib} KiB at most, over {before_kib} KiB", kinds.len() + 1);
    assert!(grown_kib < MEMORY_MOST_KIB, "{grown_kib} KiB more than the {before_kib} KiB before");
    honest.settle();
    drop(honest);
    let began = Instant::now();
    send_signal(&service.process, "TERM").unwrap();
    assert!(service.process.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn who_is_refused_is_told_why_and_let_go() {
    let mut service = Service::start();
    for (bytes, expected) in [
        (&b"{\"type\":\"ping\",\"payload_length\":16385}\n"[..], "the payload is 16385 bytes, at most 16384 are taken"),
        (b"{\"type\":\"detect\",\"data_length\":16385}\n", "the data is 16385 bytes"),
        (b"{\"type\":\"audio-chunk\",\"payload_length\":16777217}\n", "the payload is 16777217 bytes"),
        (b"{\"type\":\"detect\",\"data_length\":3}\n[1]", "its data"),
    ] {
        let mut client = service.connect();
        client.write_all(bytes).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(expected) && answer.contains("bad-message"), "{answer}");
    }
    // A long chunk of what cannot be heard is refused once.
    let mut client = Client::connect_to(&service.place);
    client.say("audio-chunk", json!({ "rate": 16_000, "width": 9, "channels": 1 }), vec![0; 100_000]);
    assert_eq!(client.hear().data["code"], json!("bad-audio"));
    client.say("ping", json!({}), Vec::new());
    assert_eq!(client.hear().kind, "pong");
    // A context is given back, so it is not to be a heap.
    let mut client = Client::connect_to(&service.place);
    client.say("detect", json!({ "context": "x".repeat(5000) }), Vec::new());
    let answer = client.hear();
    assert_eq!((answer.kind.as_str(), &answer.data["code"]), ("error", &json!("context-too-long")));
    client.say("audio-stop", json!({}), Vec::new());
    assert_eq!(client.hear().data.len(), 0);
    send_signal(&service.process, "TERM").unwrap();
    service.process.wait().unwrap();
}
