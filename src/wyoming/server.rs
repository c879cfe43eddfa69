//! The service on its socket: a thread for those who come, and one for each client, all joined when the server goes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::client::{Writer, serve, tell};
use super::session::told as told_of;
use super::{Address, FramingError, Limits, Session};
use crate::bundle::Bundle;
use crate::names::same_word;

/// A client that takes nothing for so long is let go.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// Network and features need little of it.
const STACK_BYTES: usize = 512 * 1024;
/// A failed accept, as without free file descriptors, is tried again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running service. Dropping it lets all clients go and joins their threads.
pub struct Server {
    shared: Arc<Shared>,
    address: Address,
    accept_thread: Option<JoinHandle<()>>,
}

/// Gives the model that new clients are to be served with.
pub type ModelOfTheDay = Box<dyn Fn() -> Arc<Bundle> + Send + Sync>;

struct Shared {
    model: ModelOfTheDay,
    limits: Limits,
    n_clients_most: usize,
    is_stopped: AtomicBool,
    clients: Mutex<BTreeMap<u64, Client>>,
    n_served: AtomicU64,
    n_refused: AtomicU64,
}

struct Client {
    connection: Connection,
    writer: Writer,
    session: Arc<Mutex<Session<Arc<Bundle>>>>,
    thread: Option<JoinHandle<()>>,
}

/// A socket of either kind.
enum Connection {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Connection {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            #[cfg(unix)]
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    fn prepare(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                // Answers are small and wanted at once.
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(WRITE_PATIENCE))
            }
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_write_timeout(Some(WRITE_PATIENCE)),
        }
    }

    /// Ends reads and writes on all handles.
    fn shut_down(&self) {
        // It may be gone already.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What those who come knock at.
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    fn accept(&self) -> io::Result<Connection> {
        Ok(match self {
            Self::Tcp(listener) => Connection::Tcp(listener.accept()?.0),
            #[cfg(unix)]
            Self::Unix(listener) => Connection::Unix(listener.accept()?.0),
        })
    }
}

/// What a server has to do with its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ClientCounts {
    /// Connected now.
    pub n_clients: usize,
    /// Connected so far.
    pub n_served: u64,
    /// Turned away because there were too many.
    pub n_refused: u64,
}

impl Server {
    /// Listens at `address`, which is not standard input, for at most `n_clients_most` clients at a time.
    ///
    /// # Errors
    /// When the address is taken or not this machine's, or a thread cannot be started.
    pub fn start(address: &Address, model: ModelOfTheDay, n_clients_most: usize) -> io::Result<Self> {
        let (listener, address) = match address {
            Address::Tcp(host, port) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let places: Vec<_> = (host, *port).to_socket_addrs()?.collect();
                let listener = TcpListener::bind(&places[..])?;
                let port = listener.local_addr()?.port();
                (Listener::Tcp(listener), Address::Tcp(host.to_owned(), port))
            }
            #[cfg(unix)]
            Address::Unix(path) => (Listener::Unix(crate::sockets::bind_unix(path)?), address.clone()),
            #[cfg(not(unix))]
            Address::Unix(_) => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets on this system"));
            }
            Address::Stdio => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "standard input serves one client, see serve_stdio",
                ));
            }
        };
        let shared = Arc::new(Shared {
            model,
            limits: Limits::default(),
            n_clients_most,
            is_stopped: AtomicBool::new(false),
            clients: Mutex::default(),
            n_served: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
        });
        let accepting = shared.clone();
        let accept_thread = Builder::new().name("tw-wyoming".into()).spawn(move || accepting.accept_all(&listener))?;
        Ok(Self { shared, address, accept_thread: Some(accept_thread) })
    }

    /// Where it listens; the port is the one that was found.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many there are and were.
    pub fn counts(&self) -> ClientCounts {
        ClientCounts {
            n_clients: self.shared.clients().len(),
            n_served: self.shared.n_served.load(Ordering::Relaxed),
            n_refused: self.shared.n_refused.load(Ordering::Relaxed),
        }
    }

    /// Tells clients that have asked for `word` and send no sound of their own: the daemon's microphone hears for them.
    pub fn tell_of_microphone(&self, word: &str, timestamp_ms: i64) {
        let listeners: Vec<_> = {
            let clients = self.shared.clients();
            clients.values().map(|client| (client.writer.clone(), client.session.clone())).collect()
        };
        for (writer, session) in listeners {
            let told = {
                let session = session.lock().unwrap_or_else(PoisonError::into_inner);
                session.wants_of_microphone(|name| same_word(name, word))
            };
            if let Some(context) = told
                && let Err(error) = tell(&writer, &told_of(word, Some(timestamp_ms), context.as_ref()))
            {
                tracing::debug!(%error, "a Wyoming client took no detection");
            }
        }
    }
}

/// Serves one client on standard input and output until it leaves.
///
/// # Errors
/// When its messages cannot be read, or it takes no answers.
pub fn serve_stdio(bundle: Arc<Bundle>) -> Result<(), FramingError> {
    let writer: Writer = Arc::new(Mutex::new(Box::new(io::stdout())));
    serve(io::stdin().lock(), &writer, &Mutex::new(Session::new(bundle)), Limits::default())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        // Somebody who comes wakes the thread that waits for it.
        match &self.address {
            Address::Tcp(host, port) => {
                let host = match host.as_str() {
                    "0.0.0.0" => "127.0.0.1",
                    "::" => "::1",
                    host => host,
                };
                drop(TcpStream::connect((host, *port)));
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                drop(std::os::unix::net::UnixStream::connect(path));
                // The name is of no use any more; somebody else may have taken it away.
                let _ = std::fs::remove_file(path);
            }
            _ => {}
        }
        if let Some(thread) = self.accept_thread.take() {
            // Its panic, if any, was reported by the runtime.
            let _ = thread.join();
        }
        let clients = std::mem::take(&mut *self.shared.clients());
        clients.values().for_each(|client| client.connection.shut_down());
        for client in clients.into_values() {
            if let Some(thread) = client.thread {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept_all(self: &Arc<Self>, listener: &Listener) {
        loop {
            let accepted = listener.accept();
            if self.is_stopped.load(Ordering::Acquire) {
                return;
            }
            match accepted.and_then(|connection| self.admit(connection)) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "a Wyoming client could not be served");
                    std::thread::park_timeout(ACCEPT_PAUSE);
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, connection: Connection) -> io::Result<()> {
        connection.prepare()?;
        let mut clients = self.clients();
        if clients.len() >= self.n_clients_most {
            self.n_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(most = self.n_clients_most, "a Wyoming client was turned away: there are too many");
            connection.shut_down();
            return Ok(());
        }
        let id = self.n_served.fetch_add(1, Ordering::Relaxed);
        let reader = connection.try_clone()?;
        let writer: Writer = Arc::new(Mutex::new(Box::new(connection.try_clone()?)));
        let session = Arc::new(Mutex::new(Session::new((self.model)())));
        let (shared, own_writer, own_session) = (self.clone(), writer.clone(), session.clone());
        let body = move || {
            if let Err(error) = serve(reader, &own_writer, &own_session, shared.limits) {
                tracing::debug!(client = id, %error, "a Wyoming client was let go");
            }
            // Unless the server is going, which joins the thread itself.
            if let Some(client) = shared.clients().remove(&id) {
                client.connection.shut_down();
            }
        };
        // The lock is held: the thread cannot remove itself before it is here.
        let thread = Builder::new().name(format!("tw-wyo-{id}")).stack_size(STACK_BYTES).spawn(body)?;
        clients.insert(id, Client { connection, writer, session, thread: Some(thread) });
        Ok(())
    }
}
