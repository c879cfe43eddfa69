//! A client of the Wyoming service.
#![allow(dead_code)] // each test file uses its part

use std::io::BufReader;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tripword::wyoming::{Address, Event, Limits, Server, read_event, write_event};

pub(crate) struct Client {
    pub(crate) reader: BufReader<TcpStream>,
    pub(crate) writer: TcpStream,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        let Address::Tcp(host, port) = server.address() else { panic!("{:?}", server.address()) };
        Self::connect_to((host.as_str(), *port))
    }

    pub(crate) fn connect_to(place: impl std::net::ToSocketAddrs) -> Self {
        let writer = TcpStream::connect(place).unwrap();
        writer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { reader: BufReader::new(writer.try_clone().unwrap()), writer }
    }

    pub(crate) fn say(&mut self, kind: &str, data: Value, payload: Vec<u8>) {
        write_event(&mut self.writer, &Event { payload, ..Event::new(kind, data) }).unwrap();
    }

    pub(crate) fn hear(&mut self) -> Event {
        read_event(&mut self.reader, Limits::default()).unwrap().expect("the service is still there")
    }

    pub(crate) fn play(&mut self, samples: &[f32]) {
        let format = json!({ "rate": 16_000, "width": 2, "channels": 1 });
        for chunk in samples.chunks(1024) {
            self.say("audio-chunk", format.clone(), s16(chunk));
        }
    }

    /// Waits until the service has done all that was said.
    pub(crate) fn settle(&mut self) {
        self.say("ping", json!({}), Vec::new());
        while self.hear().kind != "pong" {}
    }
}

pub(crate) fn s16(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()).collect()
}
