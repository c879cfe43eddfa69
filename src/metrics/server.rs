//! The page on a socket: whoever asks for `/metrics` by HTTP gets it, and is let go.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::page::CONTENT_TYPE;
use crate::serving::{Bounds, Serve, Service};

/// The line and the fields of a request; nobody who asks for a page says more.
const REQUEST_BYTES: usize = 8 * 1024;
const REQUEST_FIELDS: usize = 64;
const BOUNDS: Bounds =
    Bounds { n_clients: 8, read_patience: Duration::from_secs(5), write_patience: Duration::from_secs(5) };

/// Writes the page as of now.
pub type PageOfNow = Box<dyn Fn() -> String + Send + Sync>;

/// A running server. Dropping it joins its threads.
pub struct MetricsServer {
    address: SocketAddr,
    service: Service<TcpStream>,
}

impl MetricsServer {
    /// Serves the page at `address`, as in `127.0.0.1:9464`; port 0 takes any that is free.
    ///
    /// # Errors
    /// When the address is none, is taken, or not this machine's.
    pub fn start(address: &str, page: PageOfNow) -> io::Result<Self> {
        let places: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let listener = TcpListener::bind(&places[..])?;
        let address = listener.local_addr()?;
        let serve: Serve<TcpStream> = Box::new(move |connection| {
            if let Err(error) = answer(connection, &page) {
                tracing::debug!(%error, "a reader of the metrics was let go");
            }
        });
        let turn_away: Serve<TcpStream> = Box::new(|mut connection| {
            // It is not waited for, whether it takes the answer or not.
            let _ = respond(&mut connection, "503 Service Unavailable", "text/plain", "too many readers\n", true);
        });
        Ok(Self { address, service: Service::start("tw-metrics", listener, BOUNDS, serve, turn_away)? })
    }

    /// Readers that are connected now.
    pub fn n_readers(&self) -> usize {
        self.service.n_clients()
    }

    /// Where it listens; the port is the one that was found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn answer(mut connection: TcpStream, page: &PageOfNow) -> io::Result<()> {
    let mut request = Vec::with_capacity(512);
    let mut portion = [0; 512];
    loop {
        let n = connection.read(&mut portion)?;
        request.extend_from_slice(&portion[..n]);
        let mut fields = [httparse::EMPTY_HEADER; REQUEST_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        let refuse = |status, connection: &mut TcpStream| respond(connection, status, "text/plain", "", true);
        match parsed.parse(&request) {
            Ok(httparse::Status::Complete(_)) => {
                let path = parsed.path.unwrap_or_default().split('?').next().unwrap_or_default();
                let with_body = match parsed.method.unwrap_or_default() {
                    "GET" => true,
                    "HEAD" => false,
                    _ => return refuse("405 Method Not Allowed", &mut connection),
                };
                return match path {
                    "/metrics" => respond(&mut connection, "200 OK", CONTENT_TYPE, &page(), with_body),
                    _ => {
                        respond(&mut connection, "404 Not Found", "text/plain", "the page is at /metrics\n", with_body)
                    }
                };
            }
            Ok(httparse::Status::Partial) if n > 0 && request.len() < REQUEST_BYTES => {}
            // It left, or will never end.
            Ok(httparse::Status::Partial) if n == 0 => return Ok(()),
            Ok(_) => return refuse("431 Request Header Fields Too Large", &mut connection),
            Err(_) => return refuse("400 Bad Request", &mut connection),
        }
    }
}

fn respond(connection: &mut TcpStream, status: &str, kind: &str, body: &str, with_body: bool) -> io::Result<()> {
    let n_bytes = body.len();
    let mut response =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {n_bytes}\r\nConnection: close\r\n\r\n");
    if with_body {
        response.push_str(body);
    }
    connection.write_all(response.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn get(address: SocketAddr, request: &str) -> String {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // What was written too much may cut the answer's end off.
        let _ = connection.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn readers_who_never_ask_are_bounded_and_do_not_hold_up_the_end() {
        let server = MetricsServer::start("127.0.0.1:0", Box::new(|| "x 1\n".to_owned())).unwrap();
        let request = "GET /metrics?x HTTP/1.1\r\n\r\n";
        assert!(get(server.address(), request).ends_with("\r\n\r\nx 1\n"));
        let head = get(server.address(), "HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        let began = Instant::now();
        while server.n_readers() > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "who was answered stays");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let silent: Vec<TcpStream> =
            (0..BOUNDS.n_clients).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        // They come in in their order.
        assert!(get(server.address(), request).starts_with("HTTP/1.1 503"));
        let began = Instant::now();
        drop(server);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        drop(silent);
    }
}
