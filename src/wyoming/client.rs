//! One connection: its messages in, its answers out.

use std::borrow::Borrow;
use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Event, FramingError, Limits, Session, read_event, write_event};
use crate::bundle::Bundle;

/// The writing half of a connection: the client's own thread answers, another may tell it of the daemon's microphone.
pub(super) type Writer = Arc<Mutex<Box<dyn Write + Send>>>;

/// Writes a message whole, whoever else writes.
///
/// # Errors
/// When the client is gone or takes nothing.
pub(super) fn tell(writer: &Writer, event: &Event) -> io::Result<()> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    write_event(&mut *writer, event)
}

/// Serves a client until it leaves. `session` is locked for each of its messages.
///
/// # Errors
/// When its messages cannot be read, which it is told, or it takes no answers.
pub(super) fn serve<B: Borrow<Bundle> + Clone>(
    reader: impl Read,
    writer: &Writer,
    session: &Mutex<Session<B>>,
    limits: Limits,
) -> Result<(), FramingError> {
    let mut reader = BufReader::new(reader);
    loop {
        let event = match read_event(&mut reader, limits) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(error) => {
                if !matches!(error, FramingError::Io(_)) {
                    tell(writer, &Event::error("bad-message", &error.to_string()))?;
                }
                return Err(error);
            }
        };
        let mut result = Ok(());
        session.lock().unwrap_or_else(PoisonError::into_inner).handle(&event, &mut |answer| {
            if result.is_ok() {
                result = tell(writer, &answer);
            }
        });
        result?;
    }
}
