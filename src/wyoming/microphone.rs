//! The daemon's own microphone, for clients: its words to those who ask, its sound to those who may have it.
//!
//! Each client that takes part has a thread for words and one for sound, which may wait for it; nobody else does. Between the daemon and
//! a client lie a queue of words and the daemon's [`AudioHistory`]: what a slow client does not take in time is lost to it and counted.

use std::borrow::Borrow;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde_json::{Value, json};

use super::client::{Writer, lock, tell};
use super::session::told;
use super::{AudioFormat, Event, Session};
use crate::audio::history::{AudioHistory, Followed};
use crate::bundle::Bundle;
use crate::units::SampleRate;

/// Its name among the programs, by which a client selects it.
pub const MICROPHONE_NAME: &str = "microphone";
/// What it sounds like.
pub const MICROPHONE_FORMAT: AudioFormat = AudioFormat { rate: SampleRate::MODEL.hz(), width: 2, channels: 1 };
/// Words under way to one client.
pub(super) const WORD_QUEUE: usize = 16;
/// Samples in a chunk at most, as other microphone services have it.
const CHUNK_SAMPLES: usize = 1024;
/// How often a thread that waits for sound looks whether its client is still there.
const LOOK_AROUND: Duration = Duration::from_millis(200);

/// What clients may have of the microphone.
#[derive(Clone)]
pub struct Microphone {
    /// Its sound.
    pub history: AudioHistory,
    /// Who gets what of it.
    pub given: Given,
}

/// Who gets what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Who asks for words (`detect`) and sends no sound is told of them.
    Words,
    /// Who selects the program [`MICROPHONE_NAME`] gets its sound, besides.
    SoundToWhoSelects,
    /// Whoever connects gets its sound, as clients of a microphone service expect, who say nothing.
    SoundToAll,
}

/// A word that the daemon heard.
#[derive(Clone)]
pub(super) struct Word {
    pub(super) name: String,
    pub(super) timestamp_ms: i64,
}

/// Tells a client of the words it wants, until nobody sends any more.
///
/// # Errors
/// When the client takes none.
pub(super) fn give_words<B: Borrow<Bundle> + Clone>(
    words: &Receiver<Word>,
    session: &Mutex<Session<B>>,
    writer: &Writer,
) -> io::Result<()> {
    while let Ok(word) = words.recv() {
        let context = lock(session).wants_of_microphone(&word.name);
        if let Some(context) = context {
            tell(writer, &told(&word.name, Some(word.timestamp_ms), context.as_ref()))?;
        }
    }
    Ok(())
}

/// Gives a client the sound from now on, until the stream ends or the client goes.
///
/// # Errors
/// When the client takes nothing.
pub(super) fn give_sound(
    history: &AudioHistory,
    writer: &Writer,
    is_gone: &AtomicBool,
    n_lost: &AtomicU64,
) -> io::Result<()> {
    let mut follower = history.follow(history.end());
    tell(writer, &Event::new("audio-start", format_at(follower.position())))?;
    while !is_gone.load(Ordering::Acquire) {
        let position = follower.position();
        match follower.next(CHUNK_SAMPLES, LOOK_AROUND) {
            Followed::Samples(samples) => {
                let payload = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                tell(writer, &Event { payload, ..Event::new("audio-chunk", format_at(position)) })?;
            }
            Followed::Lost(lost_samples) => {
                // The time of the next chunk says so, too.
                n_lost.fetch_add(lost_samples, Ordering::Relaxed);
                tracing::warn!(lost_samples, "a Wyoming client takes the microphone's sound too slowly");
            }
            Followed::TimedOut => {}
            Followed::End => {
                return tell(writer, &Event::new("audio-stop", json!({ "timestamp": timestamp_ms(position) })));
            }
        }
    }
    Ok(())
}

/// What the sound at `position` is, and when it was.
fn format_at(position: u64) -> Value {
    let AudioFormat { rate, width, channels } = MICROPHONE_FORMAT;
    json!({ "rate": rate, "width": width, "channels": channels, "timestamp": timestamp_ms(position) })
}

/// Milliseconds since the daemon's stream began.
fn timestamp_ms(position: u64) -> u64 {
    position * 1000 / u64::from(SampleRate::MODEL.hz())
}
