//! The other side of the socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Reply, Request};

/// An answer that is not there after so long does not come; a reload reads a model first.
const PATIENCE: Duration = Duration::from_secs(20);
/// No answer is longer.
const ANSWER_BYTES: u64 = 4 * 1024 * 1024;

/// A conversation that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error(
        "no tripword can be controlled at {path}; start one with 'tripword listen', or name its socket with --socket (its log says where \
         it is: 'control socket')",
        path = path.display()
    )]
    NobodyThere {
        /// The socket.
        path: PathBuf,
    },
    /// The socket cannot be used.
    #[error("{path}: {source}; only the user whose tripword it is may use the socket", path = path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The conversation broke.
    #[error("tripword does not answer: {0}")]
    Io(#[from] io::Error),
    /// The daemon ended meanwhile.
    #[error("tripword has ended")]
    Gone,
    /// The answer is none.
    #[error("what answers is no tripword of this version: {0}")]
    Reply(String),
}

/// A connected client.
pub struct Client {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Client {
    /// Connects to the daemon at `path`.
    ///
    /// # Errors
    /// When nobody is there, or the socket is somebody else's.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let writer = UnixStream::connect(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NobodyThere { path: path.into() },
            _ => ClientError::Connect { path: path.into(), source },
        })?;
        Ok(Self { reader: BufReader::new(writer.try_clone()?), writer })
    }

    /// Asks; the answers come by [`next_line`](Self::next_line). Who `follows` waits for each of them as long as it takes.
    ///
    /// # Errors
    /// When the daemon takes nothing.
    pub fn ask(&mut self, request: &Request, follows: bool) -> Result<(), ClientError> {
        self.writer.set_read_timeout((!follows).then_some(PATIENCE))?;
        self.writer.set_write_timeout(Some(PATIENCE))?;
        match writeln!(self.writer, "{}", request.to_line()) {
            // Why it takes nothing may be told.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }

    /// The next answer, as it came and as it is meant.
    ///
    /// # Errors
    /// When none comes, or it is not understood.
    pub fn next_line(&mut self) -> Result<(String, Reply), ClientError> {
        let mut line = String::new();
        match self.reader.by_ref().take(ANSWER_BYTES).read_line(&mut line) {
            Ok(0) => return Err(ClientError::Gone),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(ClientError::Gone),
            result => result?,
        };
        let line = line.trim_end().to_owned();
        let reply = Reply::parse(&line).map_err(|error| ClientError::Reply(error.to_string()))?;
        Ok((line, reply))
    }
}
