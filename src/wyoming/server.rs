//! The service on its socket: a thread for those who come, and one for each client, all joined when the server goes.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::client::{Writer, lock, serve};
use super::connection::{Connection, Listener};
use super::microphone::{WORD_QUEUE, Word, give_sound, give_words};
use super::session::Wishes;
use super::{Address, FramingError, Limits, Microphone, Session};
use crate::audio::history::AudioHistory;
use crate::bundle::Bundle;

/// Network and features need little of it.
const STACK_BYTES: usize = 512 * 1024;
/// A failed accept, as without free file descriptors, is tried again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// So long may clients take the last words that the microphone heard, once the server goes.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A running service. Dropping it lets all clients go and joins their threads.
pub struct Server {
    shared: Arc<Shared>,
    address: Address,
    accept_thread: Option<JoinHandle<()>>,
}

/// Gives the model that new clients are to be served with.
pub type ModelOfTheDay = Box<dyn Fn() -> Arc<Bundle> + Send + Sync>;

/// What is served.
pub struct Service {
    /// With which model.
    pub model: ModelOfTheDay,
    /// The daemon's own microphone, where clients may have something of it.
    pub microphone: Option<Microphone>,
    /// To so many clients at a time.
    pub n_clients_most: usize,
}

struct Shared {
    service: Service,
    limits: Limits,
    is_stopped: AtomicBool,
    clients: Mutex<BTreeMap<u64, Client>>,
    n_served: AtomicU64,
    n_refused: AtomicU64,
    n_untold_words: AtomicU64,
    n_lost_samples: AtomicU64,
}

struct Client {
    connection: Connection,
    /// To the thread that tells it of the microphone's words, once it has asked.
    words: Option<Telling>,
    thread: Option<JoinHandle<()>>,
}

/// To a thread that tells a client of words; the receiver disconnects when it has told the last one.
struct Telling(Sender<Word>, Receiver<()>);

/// What a server has to do with its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ClientCounts {
    /// Connected now.
    pub n_clients: usize,
    /// Connected so far.
    pub n_served: u64,
    /// Turned away because there were too many.
    pub n_refused: u64,
    /// Words of the microphone that clients were too slow for.
    pub n_untold_words: u64,
    /// Samples of the microphone that clients were too slow for.
    pub n_lost_samples: u64,
}

/// Tells a server's clients what the daemon's microphone heard. Never waits for any of them.
#[derive(Clone)]
pub struct MicrophoneTeller {
    shared: Arc<Shared>,
}

impl MicrophoneTeller {
    /// How many clients there are and were.
    pub fn counts(&self) -> ClientCounts {
        self.shared.counts()
    }

    /// Tells clients that have asked for `word` and send no sound of their own; the time counts since the daemon's stream began.
    pub fn tell(&self, word: &str, timestamp_ms: i64) {
        for client in self.shared.clients().values() {
            let Some(Telling(words, _)) = &client.words else { continue };
            if words.try_send(Word { name: word.to_owned(), timestamp_ms }).is_err() {
                self.shared.n_untold_words.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Server {
    /// Listens at `address`, which is not standard input.
    ///
    /// # Errors
    /// When the address is taken or not this machine's, or a thread cannot be started.
    pub fn start(address: &Address, service: Service) -> io::Result<Self> {
        let (listener, address) = Listener::bind(address)?;
        let shared = Arc::new(Shared {
            service,
            limits: Limits::default(),
            is_stopped: AtomicBool::new(false),
            clients: Mutex::default(),
            n_served: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
            n_untold_words: AtomicU64::new(0),
            n_lost_samples: AtomicU64::new(0),
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
        self.shared.counts()
    }

    /// By which the daemon tells what its microphone heard.
    pub fn microphone_teller(&self) -> MicrophoneTeller {
        MicrophoneTeller { shared: self.shared.clone() }
    }
}

/// Serves one client on standard input and output until it leaves.
///
/// # Errors
/// When its messages cannot be read, or it takes no answers.
pub fn serve_stdio(bundle: Arc<Bundle>) -> Result<(), FramingError> {
    let writer: Writer = Arc::new(Mutex::new(Box::new(io::stdout())));
    serve(io::stdin().lock(), &writer, &Mutex::new(Session::new(bundle)), Limits::default(), &mut |_| {})
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        // Somebody who comes wakes the thread that waits for it.
        Listener::knock(&self.address);
        if let Some(thread) = self.accept_thread.take() {
            // Its panic, if any, was reported by the runtime.
            let _ = thread.join();
        }
        let mut clients = std::mem::take(&mut *self.shared.clients());
        let told: Vec<_> =
            clients.values_mut().filter_map(|client| client.words.take()).map(|Telling(_, told)| told).collect();
        let deadline = Instant::now() + LAST_WORDS;
        for told in told {
            let _ = told.recv_deadline(deadline);
        }
        clients.values().for_each(|client| client.connection.shut_down());
        for client in clients.into_values() {
            if let Some(thread) = client.thread {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn counts(&self) -> ClientCounts {
        ClientCounts {
            n_clients: self.clients().len(),
            n_served: self.n_served.load(Ordering::Relaxed),
            n_refused: self.n_refused.load(Ordering::Relaxed),
            n_untold_words: self.n_untold_words.load(Ordering::Relaxed),
            n_lost_samples: self.n_lost_samples.load(Ordering::Relaxed),
        }
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        lock(&self.clients)
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
        if clients.len() >= self.service.n_clients_most {
            self.n_refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(most = self.service.n_clients_most, "a Wyoming client was turned away: there are too many");
            connection.shut_down();
            return Ok(());
        }
        let id = self.n_served.fetch_add(1, Ordering::Relaxed);
        let (shared, own_connection) = (self.clone(), connection.clone());
        // The lock is held: the thread cannot remove itself before it is here.
        let thread = Builder::new()
            .name(format!("tw-wyo-{id}"))
            .stack_size(STACK_BYTES)
            .spawn(move || shared.serve(id, &own_connection))?;
        clients.insert(id, Client { connection, words: None, thread: Some(thread) });
        Ok(())
    }

    /// The thread of a client.
    fn serve(self: &Arc<Self>, id: u64, connection: &Connection) {
        let given = self.service.microphone.as_ref().map(|microphone| microphone.given);
        let writer: Writer = Arc::new(Mutex::new(Box::new(connection.clone())));
        let session = Arc::new(Mutex::new(Session::beside_microphone((self.service.model)(), given)));
        let mut gifts =
            Gifts { id, connection, writer: &writer, session: &session, shared: self, words: None, sound: None };
        // Who gets the sound without a word is not waited for.
        gifts.grant(lock(&session).wishes());
        let served = serve(connection.clone(), &writer, &session, self.limits, &mut |wishes| gifts.grant(wishes));
        if let Err(error) = served {
            tracing::debug!(client = id, %error, "a Wyoming client was let go");
        }
        connection.shut_down();
        // Unless the server is going, which joins the thread itself. With it goes the sender of words.
        drop(self.clients().remove(&id));
        gifts.end();
    }
}

/// What one client gets of the microphone, by threads that run while it is there.
struct Gifts<'a> {
    id: u64,
    connection: &'a Connection,
    writer: &'a Writer,
    session: &'a Arc<Mutex<Session<Arc<Bundle>>>>,
    shared: &'a Arc<Shared>,
    words: Option<JoinHandle<()>>,
    /// With a flag that ends it.
    sound: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Gifts<'_> {
    /// Starts what the client has come to wish for.
    fn grant(&mut self, wishes: Wishes) {
        let Some(microphone) = &self.shared.service.microphone else { return };
        if wishes.words && self.words.is_none() {
            self.words = self.start_words();
        }
        if wishes.sound && self.sound.is_none() {
            self.sound = self.start_sound(microphone.history.clone());
        }
    }

    fn start_words(&self) -> Option<JoinHandle<()>> {
        let (sender, words) = bounded(WORD_QUEUE);
        let (is_telling, told) = bounded(0);
        let (session, writer) = (self.session.clone(), self.writer.clone());
        let thread = self.spawn("tw-wyo-words", move || {
            let given = give_words(&words, &session, &writer);
            drop(is_telling);
            given
        })?;
        // If it is not there any more, the server is going, and the thread ends at once.
        if let Some(client) = self.shared.clients().get_mut(&self.id) {
            client.words = Some(Telling(sender, told));
        }
        Some(thread)
    }

    fn start_sound(&self, history: AudioHistory) -> Option<(Arc<AtomicBool>, JoinHandle<()>)> {
        let is_gone = Arc::new(AtomicBool::new(false));
        let (shared, writer, is_over) = (self.shared.clone(), self.writer.clone(), is_gone.clone());
        let body = move || give_sound(&history, &writer, &is_over, &shared.n_lost_samples);
        Some((is_gone, self.spawn("tw-wyo-sound", body)?))
    }

    /// A client that takes nothing is let go; a thread that cannot be started is tried again when the client next says something.
    fn spawn(&self, name: &str, body: impl FnOnce() -> io::Result<()> + Send + 'static) -> Option<JoinHandle<()>> {
        let (client, connection) = (self.id, self.connection.clone());
        let body = move || {
            if let Err(error) = body() {
                tracing::debug!(client, %error, "a Wyoming client took nothing of the microphone");
                connection.shut_down();
            }
        };
        let started = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body);
        started.inspect_err(|error| tracing::warn!(%error, "a Wyoming client is not given of the microphone")).ok()
    }

    fn end(self) {
        if let Some((is_gone, thread)) = self.sound {
            is_gone.store(true, Ordering::Release);
            // Its panic, here and below, was reported by the runtime.
            let _ = thread.join();
        }
        if let Some(thread) = self.words {
            let _ = thread.join();
        }
    }
}
