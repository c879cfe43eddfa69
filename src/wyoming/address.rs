//! Where the service is found.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of wake services.
const DEFAULT_PORT: u16 = 10_400;

/// Where to listen: `tcp://HOST[:PORT]`, `unix://PATH` or `stdio://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and a port; 0 takes any that is free.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
    /// Standard input and output: one client.
    Stdio,
}

impl Address {
    /// Whether anybody but this machine can come in.
    pub fn is_open_to_others(&self) -> bool {
        match self {
            Self::Tcp(host, _) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            Self::Unix(_) | Self::Stdio => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Stdio => write!(f, "stdio://"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected tcp://HOST[:PORT], unix://PATH or stdio://";
        if text == "stdio://" {
            return Ok(Self::Stdio);
        }
        if let Some(path) = text.strip_prefix("unix://").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let Some(place) = text.strip_prefix("tcp://").filter(|place| !place.is_empty()) else {
            return Err(format!("'{text}' is no address of a Wyoming service; {expected}"));
        };
        // The colons of an IPv6 address are within brackets.
        match place.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
            None => Ok(Self::Tcp(place.to_owned(), DEFAULT_PORT)),
            Some((host, port)) => match port.parse() {
                Ok(port) if !host.is_empty() => Ok(Self::Tcp(host.to_owned(), port)),
                _ => Err(format!("'{text}': '{port}' is no port of a host; {expected}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["tcp://127.0.0.1:10400", "tcp://[::1]:7", "unix:///run/tripword.sock", "stdio://"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("tcp://localhost".parse(), Ok(Address::Tcp("localhost".into(), 10_400)));
        for text in ["", "tcp://", "unix://", "http://x", "127.0.0.1:10400", "tcp://host:port", "tcp://:1"] {
            let message = text.parse::<Address>().unwrap_err();
            assert!(message.contains("expected tcp://HOST[:PORT]"), "{message}");
        }
    }

    #[test]
    fn loopback_is_not_open_to_others() {
        for (text, is_open) in [
            ("tcp://127.0.0.1", false),
            ("tcp://localhost:1", false),
            ("tcp://[::1]:1", false),
            ("tcp://0.0.0.0", true),
            ("tcp://192.168.1.2:10400", true),
            ("unix:///x", false),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().is_open_to_others(), is_open, "{text}");
        }
    }
}
