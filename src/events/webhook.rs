//! Events to a web server, each as the body of a POST.

use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::outbox::{Delivery, Destination, Failure};
use super::tls::{TlsError, root_certificates};
use super::{About, WakeEvent};

/// Where events are posted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `http://` or `https://`.
    pub url: String,
    /// Names and values beside the content's type.
    pub headers: Vec<(String, String)>,
    /// For the whole of one attempt, from the look-up of the name to the answer.
    pub timeout: Duration,
    /// Who is trusted; none for those the machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// Posts each event as JSON.
pub struct Webhook {
    config: WebhookConfig,
    agent: Agent,
}

impl Webhook {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn new(config: WebhookConfig) -> Result<Self, TlsError> {
        let mut builder = Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .http_status_as_error(false)
            // What is moved is to be looked at by a person: a POST that follows becomes a GET.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("tripword/", env!("CARGO_PKG_VERSION")));
        if config.url.starts_with("https:") {
            let roots = root_certificates(config.ca_file.as_deref())?;
            let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
            builder = builder.tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build());
        }
        Ok(Self { agent: builder.build().into(), config })
    }

    /// What it is.
    pub fn about(&self) -> About {
        About::new("webhook", without_secrets(&self.config.url), "each event as the body of a POST")
    }
}

impl Destination for Webhook {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        let mut request = self.agent.post(&self.config.url).content_type("application/json");
        for (name, value) in &self.config.headers {
            request = request.header(name, value);
        }
        // The answer's body is not read: whatever its length, it costs nothing.
        let answer = request.send(event.to_json()).map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Lasting(error.to_string()),
            other => Failure::Passing(other.to_string()),
        })?;
        let status = answer.status();
        let reason = format!("the server answered {status}");
        match status.as_u16() {
            200..=299 => Ok(Delivery::Done),
            // Too slow, too early, too many; or its own fault.
            408 | 425 | 429 | 500..=599 => Err(Failure::Passing(reason)),
            _ => Err(Failure::Lasting(reason)),
        }
    }
}

/// A URL without what may be secret: user, password, and what follows a question mark.
pub fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::testing::event;
    use super::*;

    fn webhook(url: String, timeout_ms: u64) -> Webhook {
        let headers = vec![("Authorization".to_owned(), "Bearer secret".to_owned())];
        Webhook::new(WebhookConfig { url, headers, timeout: Duration::from_millis(timeout_ms), ca_file: None }).unwrap()
    }

    #[test]
    fn the_event_is_the_body_and_the_answer_decides() {
        let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
        let mut hook = webhook(format!("http://{}/wake", server.server_addr()), 20_000);
        let answers = [200, 204, 503, 429, 404, 301];
        let thread = std::thread::Builder::new()
            .spawn(move || {
                answers.map(|code| {
                    let mut request = server.recv().unwrap();
                    let mut body = String::new();
                    request.as_reader().read_to_string(&mut body).unwrap();
                    let header = |name: &'static str| {
                        let found = request.headers().iter().find(|header| header.field.equiv(name));
                        found.map(|header| header.value.to_string()).unwrap_or_default()
                    };
                    let seen = (header("Authorization"), header("Content-Type"), request.url().to_owned());
                    request.respond(tiny_http::Response::from_string("x").with_status_code(code)).unwrap();
                    (seen, body)
                })
            })
            .unwrap();
        let results = answers.map(|_| hook.deliver(&event("word")));
        for ((authorization, kind, url), body) in thread.join().unwrap() {
            assert_eq!(
                (authorization.as_str(), kind.as_str(), url.as_str()),
                ("Bearer secret", "application/json", "/wake")
            );
            assert_eq!(body, event("word").to_json());
        }
        assert!(results[..2].iter().all(Result::is_ok), "{results:?}");
        assert!(results[2..4].iter().all(|result| matches!(result, Err(Failure::Passing(_)))), "{results:?}");
        assert!(results[4..].iter().all(|result| matches!(result, Err(Failure::Lasting(_)))), "{results:?}");
    }

    #[test]
    fn a_server_that_is_away_or_says_nothing_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // It is listened, but nobody answers.
        let began = std::time::Instant::now();
        let silent = webhook(url.clone(), 200).deliver(&event("word"));
        assert!(matches!(silent, Err(Failure::Passing(_))), "{silent:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        drop(listener);
        let away = webhook(url, 20_000).deliver(&event("word"));
        assert!(matches!(away, Err(Failure::Passing(_))), "{away:?}");
        let nonsense = webhook("http://[".into(), 200).deliver(&event("word"));
        assert!(matches!(nonsense, Err(Failure::Lasting(_))), "{nonsense:?}");
    }

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        assert_eq!(without_secrets("https://me:pass@example.org:8443/a/b?token=x#y"), "https://example.org:8443/a/b");
        assert_eq!(without_secrets("mqtts://broker"), "mqtts://broker");
        assert_eq!(without_secrets("nonsense?secret"), "nonsense");
    }
}
