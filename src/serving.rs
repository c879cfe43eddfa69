//! Clients of a socket: a thread for those who come and one for each of them, bounded in number, all joined when the service goes.
//!
//! What a client says is the business of whoever serves; here it is only seen to that no client can hold the others up for ever, be
//! in the way of the end, or be one too many.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// Clients need little of it.
const STACK_BYTES: usize = 256 * 1024;
/// A failed accept, as without free file descriptors, is tried again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// At the end clients have so long to be told the last.
const FAREWELL: Duration = Duration::from_millis(100);

/// A connected socket.
pub trait Connection: Read + Write + AsFd + Send + Sized + 'static {
    /// Another handle on it.
    ///
    /// # Errors
    /// When there are no free file descriptors.
    fn try_clone(&self) -> io::Result<Self>;

    /// Lets reads and writes wait no longer than this.
    ///
    /// # Errors
    /// When the system refuses.
    fn set_patience(&self, read: Duration, write: Duration) -> io::Result<()>;

    /// Ends it for all handles, in one direction or both.
    fn shut_down(&self, how: Shutdown);
}

/// What those who come knock at.
pub trait Listener: AsFd + Send + 'static {
    /// What they are then connected by.
    type Connection: Connection;

    /// Lets [`accept`](Self::accept) fail where it would wait.
    ///
    /// # Errors
    /// When the system refuses.
    fn prepare(&self) -> io::Result<()>;

    /// The next who has come.
    ///
    /// # Errors
    /// When nobody has, or the system refuses.
    fn accept(&self) -> io::Result<Self::Connection>;
}

macro_rules! sockets {
    ($($listener:ty => $stream:ty),*) => {$(
        impl Connection for $stream {
            fn try_clone(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn set_patience(&self, read: Duration, write: Duration) -> io::Result<()> {
                self.set_nonblocking(false)?;
                self.set_read_timeout(Some(read))?;
                self.set_write_timeout(Some(write))
            }

            fn shut_down(&self, how: Shutdown) {
                // It may be gone already.
                let _ = self.shutdown(how);
            }
        }

        impl Listener for $listener {
            type Connection = $stream;

            fn prepare(&self) -> io::Result<()> {
                self.set_nonblocking(true)
            }

            fn accept(&self) -> io::Result<$stream> {
                Ok(self.accept()?.0)
            }
        }
    )*};
}

sockets!(TcpListener => TcpStream, UnixListener => UnixStream);

/// How many clients, and how long they are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// At a time; more are turned away.
    pub n_clients: usize,
    /// For what a client has to say.
    pub read_patience: Duration,
    /// For a client to take what it is told.
    pub write_patience: Duration,
}

/// What is done with a client and with one that is turned away. It returns when it is done with it.
pub type Serve<C> = Box<dyn Fn(C) + Send + Sync>;

/// A running service. Dropping it lets all clients go and joins the threads.
pub struct Service<C: Connection> {
    shared: Arc<Shared<C>>,
    /// Nothing is ever written here: closing it ends the wait for those who come.
    stop: Option<OwnedFd>,
    accept_thread: Option<JoinHandle<()>>,
}

struct Shared<C> {
    name: &'static str,
    bounds: Bounds,
    serve: Serve<C>,
    turn_away: Serve<C>,
    clients: Mutex<BTreeMap<u64, Client<C>>>,
    client_left: Condvar,
    n_served: AtomicU64,
    n_refused: AtomicU64,
}

struct Client<C> {
    connection: C,
    thread: JoinHandle<()>,
}

impl<C: Connection> Service<C> {
    /// Serves those who come to `listener`; its threads are called `name`, of at most eight letters.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        name: &'static str,
        listener: impl Listener<Connection = C>,
        bounds: Bounds,
        serve: Serve<C>,
        turn_away: Serve<C>,
    ) -> io::Result<Self> {
        listener.prepare()?;
        let (stopped, stop) = rustix::pipe::pipe()?;
        let shared = Arc::new(Shared {
            name,
            bounds,
            serve,
            turn_away,
            clients: Mutex::default(),
            client_left: Condvar::new(),
            n_served: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
        });
        let accepting = shared.clone();
        let body = move || accepting.accept_all(&listener, &stopped);
        let accept_thread = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { shared, stop: Some(stop), accept_thread: Some(accept_thread) })
    }

    /// Clients that are connected now.
    pub fn n_clients(&self) -> usize {
        self.shared.clients().len()
    }

    /// Clients so far that were turned away because there were too many.
    pub fn n_refused(&self) -> u64 {
        self.shared.n_refused.load(Ordering::Relaxed)
    }
}

impl<C: Connection> Drop for Service<C> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.accept_thread.take() {
            // Its panic, if any, was reported by the runtime.
            let _ = thread.join();
        }
        let clients = self.shared.clients();
        // Who waits for a client learns that none of them says any more; what is being told may still be told.
        clients.values().for_each(|client| client.connection.shut_down(Shutdown::Read));
        let left = self.shared.client_left.wait_timeout_while(clients, FAREWELL, |clients| !clients.is_empty());
        let clients = std::mem::take(&mut *left.unwrap_or_else(PoisonError::into_inner).0);
        clients.values().for_each(|client| client.connection.shut_down(Shutdown::Both));
        for client in clients.into_values() {
            let _ = client.thread.join();
        }
    }
}

impl<C: Connection> Shared<C> {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Client<C>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept_all(self: &Arc<Self>, listener: &impl Listener<Connection = C>, stopped: &OwnedFd) {
        loop {
            let mut waited = [PollFd::new(listener, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
            match poll(&mut waited, None) {
                Ok(_) if !waited[1].revents().is_empty() => return,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!(service = self.name, %error, "cannot wait for clients: the service ends");
                    return;
                }
            }
            match listener.accept().and_then(|connection| self.admit(connection)) {
                Ok(()) => {}
                // Who knocked has left again.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    tracing::warn!(service = self.name, %error, "a client could not be served");
                    std::thread::park_timeout(ACCEPT_PAUSE);
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, connection: C) -> io::Result<()> {
        connection.set_patience(self.bounds.read_patience, self.bounds.write_patience)?;
        let mut clients = self.clients();
        if clients.len() >= self.bounds.n_clients {
            drop(clients);
            self.n_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(service = self.name, most = self.bounds.n_clients, "a client was turned away: too many");
            (self.turn_away)(connection);
            return Ok(());
        }
        let id = self.n_served.fetch_add(1, Ordering::Relaxed);
        let (own, shared) = (connection.try_clone()?, self.clone());
        let body = move || {
            let place = Place { shared: &shared, id };
            (shared.serve)(own);
            drop(place);
        };
        // The lock is held: the thread cannot remove itself before it is here.
        let thread = Builder::new().name(format!("{}-{id}", self.name)).stack_size(STACK_BYTES).spawn(body)?;
        clients.insert(id, Client { connection, thread });
        Ok(())
    }
}

/// A client's place, which is free again also after a panic.
struct Place<'s, C: Connection> {
    shared: &'s Shared<C>,
    id: u64,
}

impl<C: Connection> Drop for Place<'_, C> {
    fn drop(&mut self) {
        // Unless the service is going, which joins the thread itself.
        if let Some(client) = self.shared.clients().remove(&self.id) {
            client.connection.shut_down(Shutdown::Both);
        }
        self.shared.client_left.notify_all();
    }
}

/// Whether the other side has gone: nothing will be read there any more. One that only has said all it had to say has not.
pub fn has_left(connection: &impl AsFd) -> bool {
    let mut waited = [PollFd::new(connection, PollFlags::empty())];
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut waited, Some(&now)).is_ok_and(|n| n > 0)
        && waited[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Answers each byte with the next one.
    fn count_on(mut connection: UnixStream) {
        let mut byte = [0];
        while connection.read_exact(&mut byte).is_ok() {
            assert_ne!(byte[0], b'!', "panics on purpose");
            byte[0] += 1;
            if connection.write_all(&byte).is_err() {
                return;
            }
        }
    }

    fn service(n_clients: usize) -> (tempfile::TempDir, Service<UnixStream>) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let patience = Duration::from_secs(20);
        let bounds = Bounds { n_clients, read_patience: patience, write_patience: patience };
        let turn_away = |mut connection: UnixStream| drop(connection.write_all(b"no"));
        let service = Service::start("tw-test", listener, bounds, Box::new(count_on), Box::new(turn_away)).unwrap();
        (folder, service)
    }

    fn ask(client: &mut UnixStream, byte: u8) -> u8 {
        let mut answer = [byte];
        client.write_all(&answer).unwrap();
        client.read_exact(&mut answer).unwrap();
        answer[0]
    }

    fn wait_for(service: &Service<UnixStream>, n_clients: usize) {
        let began = Instant::now();
        while service.n_clients() != n_clients {
            assert!(began.elapsed() < Duration::from_secs(20), "{} clients", service.n_clients());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    #[test]
    fn those_who_are_too_many_are_told_so_and_places_become_free() {
        let (folder, service) = service(2);
        let connect = || UnixStream::connect(folder.path().join("socket")).unwrap();
        let mut clients = [connect(), connect()];
        assert_eq!(clients.each_mut().map(|client| ask(client, b'a')), [b'b'; 2]);
        let mut told = String::new();
        connect().read_to_string(&mut told).unwrap();
        assert_eq!((told.as_str(), service.n_refused()), ("no", 1));
        drop(clients);
        wait_for(&service, 0);
        assert_eq!(ask(&mut connect(), b'x'), b'y');
    }

    #[test]
    fn the_end_lets_all_go_who_waits_and_who_takes_nothing() {
        let (folder, service) = service(8);
        let connect = || UnixStream::connect(folder.path().join("socket")).unwrap();
        let (mut silent, mut deaf) = (connect(), connect());
        deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        // Until its answers fill the socket, the service waits, and its own words fill the other direction.
        while deaf.write_all(&[0; 4096]).is_ok() {}
        wait_for(&service, 2);
        let began = Instant::now();
        drop(service);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_panic_costs_no_place() {
        let (folder, service) = service(1);
        let connect = || UnixStream::connect(folder.path().join("socket")).unwrap();
        let mut unlucky = connect();
        unlucky.write_all(b"!").unwrap();
        assert_eq!(unlucky.read(&mut [0]).unwrap(), 0);
        wait_for(&service, 0);
        assert_eq!(ask(&mut connect(), b'1'), b'2');
    }

    #[test]
    fn who_has_left_is_seen_and_who_has_only_said_all_is_not() {
        let (near, far) = UnixStream::pair().unwrap();
        assert!(!has_left(&near));
        far.shutdown(Shutdown::Write).unwrap();
        assert!(!has_left(&near));
        drop(far);
        assert!(has_left(&near));
    }
}
