//! Messages on the wire: a line of JSON, then as many bytes of JSON as it says, then as many bytes of payload as it says.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Event;

/// The version of the protocol's library that this speaks like.
const VERSION: &str = "1.9.0";

/// How long the parts of a message may be. A length is never trusted: what would be longer is refused before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first line with its end.
    pub header_bytes: usize,
    /// The block of JSON after it, and the payload of what is no sound.
    pub data_bytes: usize,
    /// The payload of an `audio-chunk`. The service never holds so much: it hears it in pieces.
    pub payload_bytes: usize,
}

impl Default for Limits {
    /// A header of a quarter of what the reference reads, as JSON may take a hundred times its length in memory, and a payload of
    /// eight minutes at 16 kHz, which some clients push at once.
    fn default() -> Self {
        Self { header_bytes: 16 * 1024, data_bytes: 16 * 1024, payload_bytes: 16 * 1024 * 1024 }
    }
}

/// A message that cannot be read. The connection is of no use after it: nobody knows where the next one begins.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The first line is no header.
    #[error("not a Wyoming message: {0}")]
    Header(String),
    /// A part is too long.
    #[error("the {part} is {found} bytes, at most {most} are taken")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length, or what was read of it.
        found: u64,
        /// The limit.
        most: usize,
    },
    /// The connection failed, or ended within a message.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

/// The next message; none when the connection ends before one begins. Empty lines are passed over.
///
/// # Errors
/// When it is malformed, longer than `limits`, or the connection fails.
pub fn read_event(reader: &mut impl BufRead, limits: Limits) -> Result<Option<Event>, FramingError> {
    let Some((mut event, n_payload_bytes)) = read_head(reader, limits)? else { return Ok(None) };
    read_bytes(reader, n_payload_bytes, &mut event.payload)?;
    Ok(Some(event))
}

/// The next message but for its payload, whose length comes with it and whose bytes come next.
pub(super) fn read_head(reader: &mut impl BufRead, limits: Limits) -> Result<Option<(Event, usize)>, FramingError> {
    let header = loop {
        let mut line = Vec::new();
        let n_most = limits.header_bytes as u64;
        reader.by_ref().take(n_most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            if line.len() as u64 == n_most {
                return Err(FramingError::TooLong { part: "header", found: n_most, most: limits.header_bytes });
            }
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if !line.trim_ascii().is_empty() {
            break line;
        }
    };
    let header: Header = serde_json::from_slice(&header).map_err(|error| FramingError::Header(error.to_string()))?;
    let mut data = header.data.unwrap_or_default();
    let n_data_bytes = check_length("data", header.data_length, limits.data_bytes)?;
    let payload_bytes = if header.kind == "audio-chunk" { limits.payload_bytes } else { limits.data_bytes };
    let n_payload_bytes = check_length("payload", header.payload_length, payload_bytes)?;
    if n_data_bytes > 0 {
        let mut block = Vec::new();
        read_bytes(reader, n_data_bytes, &mut block)?;
        let block: Map<String, Value> =
            serde_json::from_slice(&block).map_err(|error| FramingError::Header(format!("its data: {error}")))?;
        // The block's keys win.
        data.extend(block);
    }
    Ok(Some((Event { kind: header.kind, data, payload: Vec::new() }, n_payload_bytes)))
}

fn check_length(part: &'static str, length: Option<u64>, most: usize) -> Result<usize, FramingError> {
    let found = length.unwrap_or(0);
    if found > most as u64 {
        return Err(FramingError::TooLong { part, found, most });
    }
    Ok(found as usize)
}

/// Replaces `bytes` by the next `length` bytes. They grow with what really comes, whatever was promised.
pub(super) fn read_bytes(reader: &mut impl BufRead, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    reader.by_ref().take(length as u64).read_to_end(bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes a message with one call, as the reference does: the data in a block of its own.
///
/// # Errors
/// When the connection fails.
pub fn write_event(writer: &mut impl Write, event: &Event) -> io::Result<()> {
    #[derive(Serialize)]
    struct Header<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        version: &'a str,
        #[serde(skip_serializing_if = "is_zero")]
        data_length: usize,
        #[serde(skip_serializing_if = "is_zero")]
        payload_length: usize,
    }
    fn is_zero(n: &usize) -> bool {
        *n == 0
    }
    let data = if event.data.is_empty() { Vec::new() } else { serde_json::to_vec(&event.data)? };
    let header =
        Header { kind: &event.kind, version: VERSION, data_length: data.len(), payload_length: event.payload.len() };
    let mut message = serde_json::to_vec(&header)?;
    message.push(b'\n');
    message.extend_from_slice(&data);
    message.extend_from_slice(&event.payload);
    writer.write_all(&message)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(bytes: &[u8]) -> Result<Option<Event>, FramingError> {
        read_event(&mut &bytes[..], Limits::default())
    }

    #[test]
    fn data_inline_and_in_a_block_are_one_and_the_block_wins() {
        let bytes = b"{\"type\":\"x\",\"version\":\"1\",\"data\":{\"a\":1,\"b\":1},\"data_length\":7,\"payload_length\":3}\n{\"b\":2}xyz";
        let event = read(bytes).unwrap().unwrap();
        assert_eq!((event.kind.as_str(), event.payload.as_slice()), ("x", &b"xyz"[..]));
        assert_eq!(Value::Object(event.data), json!({ "a": 1, "b": 2 }));
    }

    #[test]
    fn nulls_and_empty_lines_are_no_harm_and_an_end_between_messages_is_one() {
        let event = read(b"\n\r\n{\"type\":\"describe\",\"data\":null,\"data_length\":null}\n").unwrap().unwrap();
        assert_eq!(event, Event::new("describe", Value::Null));
        assert!(read(b"").unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], "not a Wyoming message"),
            (b"[1]\n", "not a Wyoming message"),
            (b"{\"type\":\"x\",\"data_length\":2}\n[]", "its data"),
            (b"{\"type\":\"x\",\"data_length\":-1}\n", "not a Wyoming message"),
            (b"{\"type\":\"x\",\"payload_length\":99999999999}\n", "the payload is 99999999999 bytes, at most 16384"),
            (b"{\"type\":\"x\",\"payload_length\":4}\nabc", "the connection broke"),
            (b"{\"type\":\"x\"", "the connection broke"),
        ] {
            let message = read(bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let message = read(&[b' '; 70_000]).unwrap_err().to_string();
        assert!(message.contains("the header is 16384 bytes"), "{message}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in "[a-z-]{1,12}", key in "\\PC{0,8}", text in "\\PC{0,40}", payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let event = Event { payload, ..Event::new(&kind, json!({ key: text, "n": null })) };
            let mut bytes = Vec::new();
            write_event(&mut bytes, &event).unwrap();
            write_event(&mut bytes, &Event::new("ping", Value::Null)).unwrap();
            let mut reader = &bytes[..];
            prop_assert_eq!(read_event(&mut reader, Limits::default()).unwrap(), Some(event));
            prop_assert_eq!(read_event(&mut reader, Limits::default()).unwrap().unwrap().kind, "ping");
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut reader = &bytes[..];
            while let Ok(Some(_)) = read_event(&mut reader, Limits::default()) {}
        }
    }
}
