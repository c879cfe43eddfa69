//! One connection: its messages in, its answers out.

use std::borrow::Borrow;
use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::framing::{read_bytes, read_head};
use super::session::Wishes;
use super::{Event, FramingError, Limits, Session, write_event};
use crate::bundle::Bundle;

/// Sound is heard in pieces of so much, so that a client costs no more memory, however much it sends at once: half a second at 16 kHz.
const PIECE_BYTES: usize = 16 * 1024;

/// The writing half of a connection: the client's own thread answers, others tell it of the daemon's microphone.
pub(super) type Writer = Arc<Mutex<Box<dyn Write + Send>>>;

/// Locks what a thread may have left by a panic: none leaves it half done.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a message whole, whoever else writes.
///
/// # Errors
/// When the client is gone or takes nothing; part of the message may have gone out, so that nothing can follow it.
pub(super) fn tell(writer: &Writer, event: &Event) -> io::Result<()> {
    write_event(&mut *lock(writer), event)
}

/// Serves a client until it leaves. `session` is locked for each of its messages; `grant` is told after each what the client would have
/// of the microphone.
///
/// # Errors
/// When its messages cannot be read, which it is told, or it takes no answers.
pub(super) fn serve<B: Borrow<Bundle> + Clone>(
    reader: impl Read,
    writer: &Writer,
    session: &Mutex<Session<B>>,
    limits: Limits,
    grant: &mut dyn FnMut(Wishes),
) -> Result<(), FramingError> {
    let mut reader = BufReader::new(reader);
    loop {
        let (mut event, mut n_payload_bytes) = match read_head(&mut reader, limits) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(()),
            Err(error) => {
                if !matches!(error, FramingError::Io(_)) {
                    tell(writer, &Event::error("bad-message", &error.to_string()))?;
                }
                return Err(error);
            }
        };
        let mut is_refused = false;
        loop {
            let is_sound = event.kind == "audio-chunk";
            let n_bytes = if is_sound { n_payload_bytes.min(PIECE_BYTES) } else { n_payload_bytes };
            read_bytes(&mut reader, n_bytes, &mut event.payload)?;
            n_payload_bytes -= n_bytes;
            // What is refused is refused once, and the rest of it passed over.
            if !is_refused {
                let mut result = Ok(());
                let mut session = lock(session);
                session.handle(&event, &mut |answer| {
                    is_refused |= answer.kind == "error";
                    if result.is_ok() {
                        result = tell(writer, &answer);
                    }
                });
                let wishes = session.wishes();
                drop(session);
                result?;
                grant(wishes);
            }
            if n_payload_bytes == 0 {
                break;
            }
        }
    }
}
