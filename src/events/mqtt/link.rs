//! The connection to the broker, which comes and goes. A thread of its own because the library drives it by waiting for the network.
//!
//! Every connection is a new session with nothing left of the one before: what was not acknowledged is the outbox's to send again.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rumqttc::{
    Client, ConnectReturnCode, Connection, Event, LastWill, MqttOptions, NetworkOptions, Outgoing, Packet, QoS,
    TlsConfiguration, Transport,
};

use super::MqttConfig;
use super::messages::{self, Message};
use super::toggle::{OnToggle, Toggle};

/// Messages on their way to the connection.
const QUEUE_MESSAGES: usize = 512;
/// News on their way to whoever delivers.
const QUEUE_NEWS: usize = 64;
/// For the name, the connection, its encryption and the broker's welcome together.
const CONNECTION_TIMEOUT_S: u64 = 5;
/// How often a silent broker is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Before the next attempt to connect; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A connection that held for so long was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(5);
/// The largest message that is taken from the broker, and sent to it.
const MAX_INCOMING_BYTES: usize = 64 * 1024;
const MAX_OUTGOING_BYTES: usize = 64 * 1024;

/// What whoever delivers wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The broker has one message of this delivery.
    Acknowledged(u64),
    /// The connection is lost, and what was not acknowledged with it.
    Lost,
}

/// A handle on the connection.
pub(super) struct Link {
    shared: Arc<Shared>,
    news: Receiver<News>,
    /// Nothing is ever sent: its end cuts pauses short.
    running: Option<Sender<()>>,
    finished: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    session: Mutex<Session>,
    is_stopping: AtomicBool,
}

#[derive(Default)]
struct Session {
    /// While connected.
    client: Option<Client>,
    /// Of each message that was queued and not yet sent: the delivery it belongs to. The library sends in the order of its queue.
    queued: VecDeque<Option<u64>>,
    /// The same of each that was sent and not yet acknowledged, by the number that it has on the wire.
    sent: HashMap<u16, u64>,
    /// Why there is no connection.
    reason: String,
}

impl Session {
    fn publish(&mut self, message: Message, delivery: Option<u64>) -> Result<(), String> {
        let client = self.client.as_ref().ok_or_else(|| self.state())?;
        let Message { topic, payload, is_retained } = message;
        client
            .try_publish(topic, QoS::AtLeastOnce, is_retained, payload)
            .map_err(|_| "the broker is connected but takes nothing".to_owned())?;
        self.queued.push_back(delivery);
        Ok(())
    }

    fn state(&self) -> String {
        format!("not connected to the broker: {}", self.reason)
    }
}

impl Link {
    pub(super) fn start(config: Arc<MqttConfig>, on_toggle: OnToggle) -> io::Result<Self> {
        let session = Session { reason: "not yet".into(), ..Session::default() };
        let shared = Arc::new(Shared { session: Mutex::new(session), is_stopping: AtomicBool::new(false) });
        let (news_sender, news) = bounded(QUEUE_NEWS);
        let (running, stop) = bounded(0);
        let (finished_sender, finished) = bounded(0);
        let mut driver =
            Driver { config, shared: shared.clone(), news: news_sender, on_toggle, toggle: Toggle::default() };
        let thread = Builder::new().name("tw-mqtt-io".into()).spawn(move || {
            driver.run(&stop);
            drop::<Sender<()>>(finished_sender);
        })?;
        Ok(Self { shared, news, running: Some(running), finished, thread: Some(thread) })
    }

    /// Queues all of `messages` for the broker; gives how many. Their acknowledgements are news of `delivery`.
    pub(super) fn publish(&self, messages: Vec<Message>, delivery: Option<u64>) -> Result<usize, String> {
        let n_messages = messages.len();
        let mut session = self.shared.session();
        messages.into_iter().try_for_each(|message| session.publish(message, delivery))?;
        Ok(n_messages)
    }

    pub(super) fn forget_news(&self) {
        self.news.try_iter().for_each(drop);
    }

    pub(super) fn news_until(&self, deadline: Instant) -> Option<News> {
        self.news.recv_deadline(deadline).ok()
    }

    /// Why there is no connection, for people.
    pub(super) fn state(&self) -> String {
        self.shared.session().state()
    }

    /// Ends this connection; the next one begins by itself.
    pub(super) fn reconnect(&self) {
        if let Some(client) = &self.shared.session().client {
            // If even this finds no room, the keep-alive ends it soon.
            let _ = client.try_disconnect();
        }
    }

    /// Ends it for good, if that takes no longer than `patience`.
    pub(super) fn stop(&mut self, patience: Duration) {
        self.shared.is_stopping.store(true, Ordering::Release);
        self.reconnect();
        drop(self.running.take());
        let is_done = self.finished.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected);
        if let Some(thread) = self.thread.take()
            && is_done
        {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        // Nothing panics while it holds the lock.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Driver {
    config: Arc<MqttConfig>,
    shared: Arc<Shared>,
    news: Sender<News>,
    on_toggle: OnToggle,
    toggle: Toggle,
}

impl Driver {
    fn run(&mut self, stop: &Receiver<()>) {
        let first_pause = FIRST_PAUSE.min(self.config.longest_pause);
        let mut pause = first_pause;
        loop {
            let began = Instant::now();
            // What a broker sends is foreign: should it make the library panic, the connection is lost and no more.
            let reason = catch_unwind(AssertUnwindSafe(|| self.connect_and_serve()))
                .unwrap_or_else(|_| "the broker sent what cannot be understood".to_owned());
            let was_connected = self.shared.session().client.is_some();
            *self.shared.session() = Session { reason: reason.clone(), ..Session::default() };
            // Nobody may be waiting.
            let _ = self.news.try_send(News::Lost);
            if self.toggle.clear() {
                // Who told us to be silent cannot tell us otherwise now.
                (self.on_toggle)(true);
            }
            if self.shared.is_stopping.load(Ordering::Acquire) {
                return;
            }
            let (host, port) = (&self.config.host, self.config.port);
            if was_connected {
                tracing::warn!(host, port, reason, "connection to the MQTT broker lost");
            } else {
                tracing::debug!(host, port, reason, "no connection to the MQTT broker");
            }
            // After a good connection the next may come at once; a broker that throws us out each time is left in peace.
            if was_connected && began.elapsed() > GOOD_CONNECTION {
                pause = first_pause;
            }
            if stop.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            pause = (pause * 2).min(self.config.longest_pause);
        }
    }

    /// One connection from its beginning to its end; gives why it ended.
    fn connect_and_serve(&mut self) -> String {
        let (client, mut connection) = self.new_connection();
        loop {
            if self.shared.is_stopping.load(Ordering::Acquire) && self.shared.session().client.is_none() {
                return "stopping".into();
            }
            let event = match connection.recv() {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "closed".into(),
            };
            match event {
                Event::Incoming(Packet::ConnAck(answer)) => {
                    if answer.code != ConnectReturnCode::Success {
                        return format!("refused: {:?}", answer.code);
                    }
                    if let Err(reason) = self.welcome(&client) {
                        return reason;
                    }
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    let delivery = self.shared.session().sent.remove(&ack.pkid);
                    if let Some(delivery) = delivery {
                        let _ = self.news.try_send(News::Acknowledged(delivery));
                    }
                }
                Event::Incoming(Packet::Publish(message)) => self.hear(&message.topic, &message.payload),
                Event::Outgoing(Outgoing::Publish(number)) => {
                    let mut session = self.shared.session();
                    if let Some(Some(delivery)) = session.queued.pop_front() {
                        session.sent.insert(number, delivery);
                    }
                }
                Event::Outgoing(Outgoing::Disconnect) => return "closed by us".into(),
                _ => {}
            }
        }
    }

    fn new_connection(&self) -> (Client, Connection) {
        let config = &*self.config;
        let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
        let (topic, offline) = (messages::availability_topic(config), messages::availability_payload(false));
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(MAX_INCOMING_BYTES, MAX_OUTGOING_BYTES)
            .set_last_will(LastWill::new(topic, offline, QoS::AtLeastOnce, true));
        if let Some(credentials) = &config.credentials {
            options.set_credentials(&credentials.user, &credentials.password);
        }
        if let Some(tls) = &config.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
        }
        let (client, mut connection) = Client::new(options, QUEUE_MESSAGES);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECTION_TIMEOUT_S);
        network.set_tcp_nodelay(true);
        connection.eventloop.set_network_options(network);
        (client, connection)
    }

    /// The connection stands: says that we are here, and asks for what we obey.
    fn welcome(&self, client: &Client) -> Result<(), String> {
        let config = &*self.config;
        let mut topics = Vec::new();
        if config.hermes {
            topics.extend([messages::TOGGLE_ON.to_owned(), messages::TOGGLE_OFF.to_owned()]);
        }
        topics.extend(messages::discovery_filter(config));
        for topic in topics {
            client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|error| error.to_string())?;
        }
        let mut session = self.shared.session();
        session.client = Some(client.clone());
        session.publish(messages::availability(config, true), None)?;
        messages::discovery(config).into_iter().try_for_each(|message| session.publish(message, None))?;
        tracing::info!(host = config.host, port = config.port, "connected to the MQTT broker");
        Ok(())
    }

    fn hear(&mut self, topic: &str, payload: &[u8]) {
        if let (true, turns_on @ (messages::TOGGLE_ON | messages::TOGGLE_OFF)) = (self.config.hermes, topic) {
            match self.toggle.obey(payload, turns_on == messages::TOGGLE_ON, &self.config.site_id) {
                Some(is_listening) => (self.on_toggle)(is_listening),
                None => tracing::debug!(topic, "not for this site"),
            }
            return;
        }
        if payload.is_empty() {
            return;
        }
        if let Some(message) = messages::taken_back(&self.config, topic) {
            tracing::info!(topic, "a word that is not heard any more is taken back");
            let taken = self.shared.session().publish(message, None);
            if let Err(reason) = taken {
                tracing::warn!(topic, reason, "it could not be taken back");
            }
        }
    }
}
