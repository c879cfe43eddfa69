//! The desk on its socket.

use std::fs::Metadata;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::meter::Measured;
use super::{Desk, Reply, Request};
use crate::daemon::{FollowedEvent, RECENT_EVENTS};
use crate::serving::{Bounds, Connection, Serve, Service, has_left};
use crate::sockets::bind_unix;

/// The longest line that is read, with its end.
pub const LINE_BYTES: usize = 16 * 1024;
/// A client that says nothing for so long is let go, unless it follows; so is one that takes nothing.
const BOUNDS: Bounds =
    Bounds { n_clients: 32, read_patience: Duration::from_secs(60), write_patience: Duration::from_secs(5) };
/// How often it is looked whether a client that follows is still there.
const FOLLOWER_PATIENCE: Duration = Duration::from_millis(500);

/// A socket that nobody is answered at yet: those who come wait.
pub struct ControlSocket {
    listener: UnixListener,
    name: SocketName,
}

/// A socket's place in the file system, free again when this goes.
struct SocketName {
    path: PathBuf,
    metadata: Metadata,
}

impl ControlSocket {
    /// Takes `path`, for the owner alone. A socket that nobody listens at any more is replaced.
    ///
    /// # Errors
    /// When somebody listens there ([`ErrorKind::AddrInUse`]), something else is there, or the folder refuses.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let listener = bind_unix(path)?;
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self { listener, name: SocketName { path: path.to_owned(), metadata } })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.name.path
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        // Unless somebody has put another in its place.
        let is_ours = |now: Metadata| (now.dev(), now.ino()) == (self.metadata.dev(), self.metadata.ino());
        if std::fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A running server. Dropping it lets all clients go and joins the threads.
pub struct ControlServer {
    // Field order is drop order: nobody finds the socket while the last are let go.
    name: SocketName,
    _service: Service<UnixStream>,
}

impl ControlServer {
    /// Answers those who come.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(socket: ControlSocket, desk: Arc<Desk>) -> io::Result<Self> {
        let serve: Serve<UnixStream> = Box::new(move |connection| {
            if let Err(error) = converse(connection, &desk) {
                tracing::debug!(%error, "a client of the control socket was let go");
            }
        });
        let turn_away: Serve<UnixStream> = Box::new(|mut connection| {
            let message = format!("{} clients are here already; come back later", BOUNDS.n_clients);
            // An answer of this length fits into any socket: nobody waits.
            let _ = tell(&mut connection, &Reply::Error { message });
        });
        let ControlSocket { listener, name } = socket;
        let service = Service::start("tw-ctl", listener, BOUNDS, serve, turn_away)?;
        Ok(Self { name, _service: service })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.name.path
    }
}

fn tell(connection: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    connection.write_all(reply.to_line().as_bytes())
}

/// Answers a client's lines until it leaves.
fn converse(mut connection: UnixStream, desk: &Desk) -> io::Result<()> {
    let mut reader = BufReader::new(Connection::try_clone(&connection)?);
    loop {
        let mut line = Vec::new();
        let refused = match reader.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(n) if n == LINE_BYTES && line.last() != Some(&b'\n') => {
                Some(format!("the line is longer than {LINE_BYTES} bytes"))
            }
            Ok(_) => None,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Some(format!("nothing came for {} s", BOUNDS.read_patience.as_secs()))
            }
            Err(error) => return Err(error),
        };
        if let Some(message) = refused {
            // Nobody knows where the next line begins.
            return tell(&mut connection, &Reply::Error { message });
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Request::parse(&line) {
            Ok(Request::Events { n_events, follow }) => {
                tell_events(&mut connection, desk, n_events.unwrap_or(RECENT_EVENTS), follow)?;
            }
            Ok(Request::Level {}) => tell_levels(&mut connection, desk)?,
            Ok(request) => tell(&mut connection, &desk.answer(&request))?,
            Err(error) => tell(&mut connection, &Reply::Error { message: error.to_string() })?,
        }
    }
}

/// The last events, and, to who follows, all others until it leaves or the stream ends.
fn tell_events(connection: &mut UnixStream, desk: &Desk, n_events: usize, follow: bool) -> io::Result<()> {
    let (last, follower) = desk.recent.follow(n_events);
    let event = |event: &crate::events::WakeEvent| Reply::Event { event: Box::new(event.clone()) };
    for past in last {
        tell(connection, &event(&past))?;
    }
    if !follow {
        return tell(connection, &Reply::End {});
    }
    loop {
        match follower.next(FOLLOWER_PATIENCE) {
            FollowedEvent::Event(next) => tell(connection, &event(&next))?,
            FollowedEvent::Lost(n_events) => tell(connection, &Reply::Lost { n_events })?,
            FollowedEvent::TimedOut if has_left(connection) => return Ok(()),
            FollowedEvent::TimedOut => {}
            FollowedEvent::End => return tell(connection, &Reply::End {}),
        }
    }
}

/// How loud it is, until the client leaves or the stream ends.
fn tell_levels(connection: &mut UnixStream, desk: &Desk) -> io::Result<()> {
    let mut meter = desk.meter();
    loop {
        match meter.next() {
            Measured::Level(level) => tell(connection, &Reply::Level(level))?,
            Measured::NoSound(waited) => tell(connection, &Reply::NoSound { waited_s: waited.as_secs_f64() })?,
            Measured::Pause if has_left(connection) => return Ok(()),
            Measured::Pause => {}
            Measured::End => return tell(connection, &Reply::End {}),
        }
    }
}
