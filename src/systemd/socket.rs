//! The socket that systemd names, in the file system or abstract.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// A manager that takes nothing is waited for no longer than this: the thread that hears may be the one that tells.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where the service manager listens.
pub(super) struct ManagerSocket(UnixDatagram);

impl ManagerSocket {
    /// Connects to `address`: a path, or a name in the abstract name space after an `@`.
    ///
    /// # Errors
    /// When nobody is there, or the address is of another kind.
    pub(super) fn connect(address: &OsStr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        match address.as_encoded_bytes() {
            [b'/', ..] => socket.connect(address)?,
            #[cfg(target_os = "linux")]
            [b'@', name @ ..] => {
                use std::os::linux::net::SocketAddrExt as _;
                socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
            }
            _ => {
                let text = format!("NOTIFY_SOCKET is {}; expected a path or @NAME", address.display());
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
        }
        Ok(Self(socket))
    }

    /// Sends one message, whole or not at all.
    ///
    /// # Errors
    /// When the manager is gone, or takes nothing in time.
    pub(super) fn send(&self, message: &str) -> io::Result<()> {
        self.0.send(message.as_bytes()).map(drop)
    }
}
