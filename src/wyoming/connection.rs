//! Sockets of either kind, TCP and Unix.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use super::Address;

/// A client that takes nothing for so long is let go.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// A peer that is silent for so long is asked whether it is still there, and so often before it is given up: one that lost its power
/// would hold its place for ever.
#[cfg(target_os = "linux")]
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// One client's socket. Clones are the same socket, and take one file descriptor together.
#[derive(Clone)]
pub(super) struct Connection(Arc<Socket>);

enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Connection {
    /// Sets what a client's socket needs.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match &*self.0 {
            Socket::Tcp(stream) => {
                // Answers are small and wanted at once.
                stream.set_nodelay(true)?;
                #[cfg(target_os = "linux")]
                {
                    use rustix::net::sockopt;
                    let (idle, interval, n_probes) = KEEP_ALIVE;
                    sockopt::set_socket_keepalive(stream, true)?;
                    sockopt::set_tcp_keepidle(stream, idle)?;
                    sockopt::set_tcp_keepintvl(stream, interval)?;
                    sockopt::set_tcp_keepcnt(stream, n_probes)?;
                }
                stream.set_write_timeout(Some(WRITE_PATIENCE))
            }
            #[cfg(unix)]
            Socket::Unix(stream) => stream.set_write_timeout(Some(WRITE_PATIENCE)),
        }
    }

    /// Ends reads and writes of all clones.
    pub(super) fn shut_down(&self) {
        // It may be gone already.
        let _ = match &*self.0 {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.0 {
            Socket::Tcp(stream) => Read::read(&mut &*stream, buffer),
            #[cfg(unix)]
            Socket::Unix(stream) => Read::read(&mut &*stream, buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &*self.0 {
            Socket::Tcp(stream) => Write::write(&mut &*stream, buffer),
            #[cfg(unix)]
            Socket::Unix(stream) => Write::write(&mut &*stream, buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What those who come knock at.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Listens at `address`; gives it with the port that was found.
    pub(super) fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(host, port) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let places: Vec<_> = (host, *port).to_socket_addrs()?.collect();
                let listener = TcpListener::bind(&places[..])?;
                let port = listener.local_addr()?.port();
                Ok((Self::Tcp(listener), Address::Tcp(host.to_owned(), port)))
            }
            #[cfg(unix)]
            Address::Unix(path) => Ok((Self::Unix(crate::sockets::bind_unix(path)?), address.clone())),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets on this system")),
            Address::Stdio => {
                let text = "standard input serves one client, see 'tripword wyoming --address stdio://'";
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }

    pub(super) fn accept(&self) -> io::Result<Connection> {
        Ok(Connection(Arc::new(match self {
            Self::Tcp(listener) => Socket::Tcp(listener.accept()?.0),
            #[cfg(unix)]
            Self::Unix(listener) => Socket::Unix(listener.accept()?.0),
        })))
    }

    /// Wakes whoever accepts at `address`, and takes its name away.
    pub(super) fn knock(address: &Address) {
        match address {
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
                drop(UnixStream::connect(path));
                // The name is of no use any more; somebody else may have taken it away.
                let _ = std::fs::remove_file(path);
            }
            _ => {}
        }
    }
}
