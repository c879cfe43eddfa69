//! Events for whoever connects to a socket of this machine: lines of JSON, and the sound after a word for those that ask.
//!
//! One thread serves all clients; it waits for none of them. See [`client`] for what is said.

mod client;
mod server;

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};

use super::outbox::{Delivery, Destination, Failure};
use super::{About, ClientCounters, WakeEvent};
use crate::audio::history::AudioHistory;
use crate::sockets::bind_unix;

/// Events on their way to the thread.
const QUEUE_EVENTS: usize = 64;

/// A socket in the file system that streams events; only its owner may connect.
pub struct EventSocket {
    path: PathBuf,
    counters: Arc<ClientCounters>,
    // The order matters: the queue ends, then the waker says so, then the thread is joined.
    queue: Option<Sender<WakeEvent>>,
    waker: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl EventSocket {
    /// Listens at `path`.
    ///
    /// # Errors
    /// When somebody listens there already, or the folder refuses.
    pub fn bind(path: &Path, history: AudioHistory) -> io::Result<Self> {
        let listener = bind_unix(path)?;
        listener.set_nonblocking(true)?;
        let (waker, wakes) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        wakes.set_nonblocking(true)?;
        let (queue, events) = bounded(QUEUE_EVENTS);
        let counters = Arc::<ClientCounters>::default();
        let server = server::Server::new(listener, wakes, events, history, counters.clone());
        let thread = Builder::new().name("tw-socket-io".into()).spawn(move || server.run())?;
        Ok(Self { path: path.into(), counters, queue: Some(queue), waker: Some(waker), thread: Some(thread) })
    }

    /// What it is.
    pub fn about(&self) -> About {
        let sends = "each event as a line of JSON to every client; the sound after a word to clients that ask";
        About::new("socket", self.path.display().to_string(), sends).with_clients(self.counters.clone())
    }
}

impl Destination for EventSocket {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        let (Some(queue), Some(waker)) = (&self.queue, &mut self.waker) else { return Ok(Delivery::Done) };
        queue.try_send(event.clone()).map_err(|error| match error {
            TrySendError::Full(_) => Failure::Passing("the thread of the socket is behind".into()),
            TrySendError::Disconnected(_) => Failure::Lasting("the thread of the socket has ended".into()),
        })?;
        // If it is full, the thread is awake.
        let _ = waker.write(&[0]);
        Ok(Delivery::Done)
    }
}

impl Drop for EventSocket {
    fn drop(&mut self) {
        drop(self.queue.take());
        drop(self.waker.take());
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
        // It may have been replaced meanwhile; then it is not there any more.
        let _ = std::fs::remove_file(&self.path);
    }
}
