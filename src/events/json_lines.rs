//! One JSON object a line, flushed at each line.

use std::io::{self, Write};

use super::{EventSink, WakeEvent};

/// Writes events to any writer; standard output in the daemon.
pub struct JsonLines<W> {
    writer: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// A sink over `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<W: Write + Send> EventSink for JsonLines<W> {
    fn name(&self) -> &str {
        "json lines"
    }

    fn deliver(&mut self, event: &WakeEvent) -> io::Result<()> {
        let mut line = event.to_json();
        line.push('\n');
        // One write a line: a reader never sees half an event of a healthy writer.
        self.writer.write_all(line.as_bytes())?;
        self.writer.flush()
    }
}
