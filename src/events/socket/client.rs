//! One client of the socket: what waits to be sent to it, and what it asks.
//!
//! Every event is a line of JSON. A client may send lines of JSON itself: `{"audio": true}` asks for the sound after each word from now
//! on, `{"audio": true, "seconds": 5}` for so much of it, `{"audio": false}` for no more. Sound comes as a line
//! `{"audio": {"word": …, "time_sample": …, "start_sample": …, "rate_hz": 16000, "format": "s16le", "n_bytes": N}}`, and after it as many
//! bytes; 0 bytes are its end. `word` and `time_sample` are those of the event. What cannot be understood is answered by `{"error": …}`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::Deserialize;
use serde_json::json;

use super::super::WakeEvent;
use super::super::audio_tail::{AudioTail, Piece, s16le};
use crate::audio::history::AudioHistory;
use crate::units::SampleRate;

/// What may wait for a client: eight seconds of sound, or a thousand events. One that has not read for longer is let go.
pub(super) const OUTGOING_BYTES: usize = 256 * 1024;
/// The longest line that a client may send.
const INCOMING_LINE_BYTES: usize = 4096;
/// Sound after a word, in seconds, where a client does not say, and at most.
const DEFAULT_SECONDS: f64 = 10.0;
const MAX_SECONDS: f64 = 60.0;
/// Words that a client hears the sound after at a time.
const MAX_TAILS: usize = 8;
/// Samples that are sent at a time: 40 ms.
const PIECE_SAMPLES: usize = 640;

/// What a client may ask.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    audio: bool,
    seconds: Option<f64>,
}

/// Why a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// It left.
    Left,
    /// It did not read what it was sent.
    DoesNotRead,
}

pub(super) struct Client {
    stream: UnixStream,
    outgoing: VecDeque<u8>,
    incoming: Vec<u8>,
    audio_seconds: Option<f64>,
    tails: Vec<Tail>,
}

struct Tail {
    word: String,
    time_sample: u64,
    position: u64,
    sound: AudioTail,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, outgoing: VecDeque::new(), incoming: Vec::new(), audio_seconds: None, tails: Vec::new() })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(super) fn follows_sound(&self) -> bool {
        !self.tails.is_empty()
    }

    /// Sends an event, and the sound after it if it was asked for.
    pub(super) fn tell(&mut self, event: &WakeEvent, line: &[u8], history: &AudioHistory) -> Result<(), Parting> {
        self.send(line)?;
        if let Some(seconds) = self.audio_seconds {
            if self.tails.len() >= MAX_TAILS {
                let text = format!("the sound after {MAX_TAILS} words is under way; not that after this one");
                return self.send(&error_line(&text));
            }
            self.tails.push(Tail {
                word: event.word.clone(),
                time_sample: event.time_sample,
                position: event.end_sample,
                sound: AudioTail::new(history, event.end_sample, SampleRate::MODEL.samples(seconds)),
            });
        }
        self.pump_sound()
    }

    /// Sends what is new of the sound after words.
    pub(super) fn pump_sound(&mut self) -> Result<(), Parting> {
        let mut tails = std::mem::take(&mut self.tails);
        let mut result = Ok(());
        tails.retain_mut(|tail| {
            loop {
                let (bytes, is_over) = match tail.sound.next(PIECE_SAMPLES) {
                    Piece::Samples(samples) => (s16le(&samples), false),
                    Piece::NothingYet => break true,
                    Piece::End => (Vec::new(), true),
                };
                let header = json!({"audio": {
                    "word": tail.word, "time_sample": tail.time_sample, "start_sample": tail.position,
                    "rate_hz": SampleRate::MODEL.hz(), "format": "s16le", "n_bytes": bytes.len(),
                }});
                tail.position += bytes.len() as u64 / 2;
                let mut frame = header.to_string().into_bytes();
                frame.push(b'\n');
                frame.extend(bytes);
                result = result.and_then(|()| self.send(&frame));
                if is_over || result.is_err() {
                    break false;
                }
            }
        });
        self.tails = tails;
        result
    }

    /// Queues bytes and sends what the client takes now.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Parting> {
        if self.outgoing.len() + bytes.len() > OUTGOING_BYTES {
            return Err(Parting::DoesNotRead);
        }
        self.outgoing.extend(bytes);
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), Parting> {
        while !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(0) => return Err(Parting::Left),
                Ok(n) => drop(self.outgoing.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Parting::Left),
            }
        }
        Ok(())
    }

    /// Reads what the client says. To leave is to close the connection; one that only closes its writing half stays a listener.
    pub(super) fn read(&mut self) -> Result<Hearing, Parting> {
        let mut bytes = [0; 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Ok(Hearing::Over),
            Ok(n) => self.incoming.extend(&bytes[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Parting::Left),
        }
        while let Some(end) = self.incoming.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.incoming.drain(..=end).collect();
            self.obey(&line)?;
        }
        if self.incoming.len() > INCOMING_LINE_BYTES {
            self.incoming = Vec::new();
            self.send(&error_line(&format!("a line is longer than {INCOMING_LINE_BYTES} bytes")))?;
        }
        Ok(Hearing::On)
    }

    fn obey(&mut self, line: &[u8]) -> Result<(), Parting> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        match serde_json::from_slice::<Request>(line) {
            Ok(Request { audio, seconds }) => {
                let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
                if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
                    let text = format!("seconds is {seconds}; expected above 0 and at most {MAX_SECONDS}");
                    return self.send(&error_line(&text));
                }
                self.audio_seconds = audio.then_some(seconds);
                Ok(())
            }
            Err(error) => {
                let text = format!("{error}; expected {{\"audio\": true or false, \"seconds\": optional}}");
                self.send(&error_line(&text))
            }
        }
    }
}

/// Whether a client may say something more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    On,
    Over,
}

fn error_line(text: &str) -> Vec<u8> {
    let mut line = json!({ "error": text }).to_string().into_bytes();
    line.push(b'\n');
    line
}
