//! Events to an MQTT broker: our own topics, those of the Hermes protocol, and Home Assistant's discovery.
//!
//! A delivery is done when the broker has acknowledged it (QoS 1); until then the outbox keeps the event, over a lost connection and a
//! broker that starts anew, too. So an event may come twice, never half. The connection has a thread of its own, see [`link`].

mod link;
mod messages;
mod toggle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::outbox::{Delivery, Destination, Failure};
use super::{About, WakeEvent};
use link::{Link, News};

pub use toggle::OnToggle;

/// How long the broker may take to acknowledge an event.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is seen whether other words are heard, where they are announced.
const LOOK_AT_WORDS_EVERY: Duration = Duration::from_secs(2);
/// At the end, for the last words and for the thread.
const GOODBYE: Duration = Duration::from_millis(200);

/// Who we are to the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttCredentials {
    /// The user's name.
    pub user: String,
    /// May be empty.
    pub password: String,
}

/// The words that are heard, each with its sensitivity, 0 to 1.
pub type WordsOfNow = Arc<dyn Fn() -> Vec<(String, f32)> + Send + Sync>;

/// Which broker, and what it is told.
#[derive(Clone)]
pub struct MqttConfig {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Certificates, for an encrypted connection.
    pub tls: Option<Arc<ClientConfig>>,
    /// If the broker asks.
    pub credentials: Option<MqttCredentials>,
    /// Unique at the broker.
    pub client_id: String,
    /// First part of our own topics.
    pub topic_prefix: String,
    /// Which detector this is: second part of our topics, and `siteId` of Hermes.
    pub site_id: String,
    /// Whether the topics of the Hermes protocol are used.
    pub hermes: bool,
    /// First part of Home Assistant's discovery topics; none for no discovery.
    pub discovery_prefix: Option<String>,
    /// Gives each word with its sensitivity, 0 to 1, as of now.
    pub words: WordsOfNow,
    /// Between attempts to connect, at most; the first pause is a quarter of a second, or this if it is shorter.
    pub longest_pause: Duration,
}

impl MqttConfig {
    /// The host, port and whether it is encrypted of `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`.
    ///
    /// # Errors
    /// When it is none of the two.
    pub fn parse_url(url: &str) -> Result<(String, u16, bool), String> {
        let bad = |detail: &str| {
            format!("'{}' {detail}; expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", super::without_secrets(url))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        let is_encrypted = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(bad("has another scheme")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '@', '?', '#']) {
            return Err(bad("has more than a host and a port"));
        }
        let default_port = if is_encrypted { 8883 } else { 1883 };
        // The colons of an IPv6 address stand in brackets.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().ok().filter(|&port| port > 0).ok_or_else(|| bad("has a bad port"))?)
            }
            _ => (authority, default_port),
        };
        if host.is_empty() {
            return Err(bad("has no host"));
        }
        Ok((host.to_owned(), port, is_encrypted))
    }
}

/// A broker.
pub struct Mqtt {
    config: Arc<MqttConfig>,
    link: Link,
    n_deliveries: u64,
    /// The words that were announced, and when it was seen last whether they are still those.
    announced: (Vec<String>, Instant),
}

impl Mqtt {
    /// Begins to connect; that the broker is away is no error. `on_toggle` is called when Hermes asks us to listen or not.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(config: MqttConfig, on_toggle: OnToggle) -> std::io::Result<Self> {
        let config = Arc::new(config);
        let link = Link::start(config.clone(), on_toggle)?;
        let announced = (names(&config), Instant::now());
        Ok(Self { config, link, n_deliveries: 0, announced })
    }

    /// What it is.
    pub fn about(&self) -> About {
        let MqttConfig { host, port, tls, hermes, discovery_prefix, .. } = &*self.config;
        let scheme = if tls.is_some() { "mqtts" } else { "mqtt" };
        let mut topics = vec![messages::event_topic(&self.config)];
        topics.extend(hermes.then(|| "hermes/hotword/+/detected".to_owned()));
        topics.extend(discovery_prefix.iter().map(|prefix| format!("{prefix}/event (what words there are)")));
        About::new("mqtt", format!("{scheme}://{host}:{port}"), format!("each event to {}", topics.join(", ")))
    }
}

impl Destination for Mqtt {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        self.n_deliveries += 1;
        let messages = messages::of_event(&self.config, event);
        self.link.forget_news();
        let n_messages = self.link.publish(messages, Some(self.n_deliveries)).map_err(Failure::Passing)?;
        let deadline = Instant::now() + ACK_TIMEOUT;
        let mut n_left = n_messages;
        while n_left > 0 {
            match self.link.news_until(deadline) {
                Some(News::Acknowledged(delivery)) if delivery == self.n_deliveries => n_left -= 1,
                Some(News::Acknowledged(_)) => {}
                Some(News::Lost) => return Err(Failure::Passing(self.link.state())),
                None => {
                    self.link.reconnect();
                    let reason = format!("the broker acknowledged nothing within {} s", ACK_TIMEOUT.as_secs());
                    return Err(Failure::Passing(reason));
                }
            }
        }
        Ok(Delivery::Done)
    }

    fn attend(&mut self, _ended: &mut Vec<Result<(), Failure>>) -> Option<Duration> {
        self.config.discovery_prefix.as_ref()?;
        let (announced, seen_at) = &mut self.announced;
        let wait = LOOK_AT_WORDS_EVERY.saturating_sub(seen_at.elapsed());
        if !wait.is_zero() {
            return Some(wait);
        }
        *seen_at = Instant::now();
        let names = names(&self.config);
        if names != *announced {
            tracing::info!(words = names.join(", "), "other words are announced");
            *announced = names;
            // A connection begins with all that is announced, and with what is to be taken back.
            self.link.reconnect();
        }
        Some(LOOK_AT_WORDS_EVERY)
    }
}

fn names(config: &MqttConfig) -> Vec<String> {
    (config.words)().into_iter().map(|(word, _)| word).collect()
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        // The last will is for those who die; who leaves says so.
        self.n_deliveries += 1;
        self.link.forget_news();
        if self.link.publish(vec![messages::availability(&self.config, false)], Some(self.n_deliveries)).is_ok() {
            self.link.news_until(Instant::now() + GOODBYE);
        }
        self.link.stop(GOODBYE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_brokers() {
        let parse = |url| MqttConfig::parse_url(url);
        assert_eq!(parse("mqtt://broker"), Ok(("broker".into(), 1883, false)));
        assert_eq!(parse("mqtts://broker/"), Ok(("broker".into(), 8883, true)));
        assert_eq!(parse("mqtts://[::1]:99"), Ok(("[::1]".into(), 99, true)));
        assert_eq!(parse("mqtt://[::1]"), Ok(("[::1]".into(), 1883, false)));
        for bad in
            ["broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://broker:0", "mqtt://broker:x", "mqtt://b/c"]
        {
            assert!(parse(bad).unwrap_err().contains("expected mqtt://"), "{bad}");
        }
        let secret = parse("mqtt://me:secret@broker").unwrap_err();
        assert!(!secret.contains("secret"), "{secret}");
    }
}
