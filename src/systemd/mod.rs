//! What systemd is told of the service, by the protocol of sd_notify(3): that it is ready, what it does, that it is alive.
//!
//! All of it is driven by sound. `READY=1` goes out when the first sound has passed the model, `WATCHDOG=1` only from the thread that runs
//! the model, after a block of sound: if sound stops flowing, for whatever reason, the watchdog lapses and systemd starts the service
//! anew. The one exception is a microphone that is knowingly away: whoever looks for it says so as long as it does
//! ([`alive_without_sound`](ServiceManager::alive_without_sound)), since no new start would bring back a plug that is pulled. No thread
//! is started for any of this, so none can say that another is alive.

mod socket;

use std::ffi::OsStr;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::events::{EventSink, WakeEvent};
use socket::ManagerSocket;

/// The status is told no more often than this, however often words are said.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// A message that was not taken is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// While a start waits for a microphone, systemd is asked so often for so much more time.
const MORE_TIME: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// A handle on the service manager; clones share it. Where there is none, everything is done in vain, and at no cost.
#[derive(Clone)]
pub struct ServiceManager {
    shared: Option<Arc<Shared>>,
}

struct Shared {
    socket: ManagerSocket,
    /// Half of what the watchdog allows, where there is one.
    alive_every: Option<Duration>,
    input: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_ready: bool,
    /// When it was told last that we are alive, or need more time.
    alive_at: Option<Instant>,
    status_at: Option<Instant>,
    has_news: bool,
    n_events: u64,
    /// Word and time.
    last_event: Option<(String, String)>,
    /// Since when, and why.
    away: Option<(String, String)>,
    /// When something was not taken.
    failed_at: Option<Instant>,
    has_warned: bool,
}

impl ServiceManager {
    /// The manager that started us, by `NOTIFY_SOCKET` and `WATCHDOG_USEC`, if any did. `input` is what is listened to, for people.
    pub fn from_environment(input: &str) -> Self {
        match std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) {
            None => Self { shared: None },
            Some(address) => Self::at(&address, sd_notify::watchdog_enabled(), input).unwrap_or_else(|error| {
                tracing::warn!(%error, "systemd cannot be told that the service is ready");
                Self { shared: None }
            }),
        }
    }

    /// The manager at `address`, which lets the service live for `watchdog` from one sign of life to the next.
    ///
    /// # Errors
    /// When nobody is there.
    pub fn at(address: &OsStr, watchdog: Option<Duration>, input: &str) -> io::Result<Self> {
        let shared = Shared {
            socket: ManagerSocket::connect(address)?,
            alive_every: watchdog.map(|watchdog| watchdog / 2),
            input: one_line(input),
            state: Mutex::default(),
        };
        Ok(Self { shared: Some(Arc::new(shared)) })
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.shared.is_some()
    }

    /// Sound has passed the model. For the inference thread, after each block; allocates only when something is told, which is
    /// seldom.
    pub fn sound_passed(&self) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.state();
        let now = Instant::now();
        if state.away.take().is_some() || !state.is_ready {
            state.has_news = true;
            state.status_at = None;
        }
        let is_new = !state.is_ready;
        let mut message = Message::default();
        if is_new {
            message.add(&NotifyState::Ready);
        }
        let is_due = |at: Option<Instant>, every: Duration| at.is_none_or(|at| now - at >= every);
        let tells_alive = shared.alive_every.is_some_and(|every| is_new || is_due(state.alive_at, every));
        if tells_alive {
            message.add(&NotifyState::Watchdog);
        }
        let tells_status = state.has_news && is_due(state.status_at, STATUS_EVERY);
        if tells_status {
            message.add(&NotifyState::Status(&state.listening_to(&shared.input)));
        }
        if message.is_empty() || !shared.try_send(&mut state, &message, now) {
            return;
        }
        if is_new {
            tracing::info!("the first sound has passed the model: ready");
            state.is_ready = true;
        }
        if tells_alive {
            state.alive_at = Some(now);
        }
        if tells_status {
            (state.status_at, state.has_news) = (Some(now), false);
        }
    }

    /// The microphone is knowingly away and looked for: the service is alive without sound, and says that it does not hear. For whoever
    /// looks for it, at each attempt, every five seconds or more often; who is stuck says nothing, and the watchdog lapses. A service
    /// that has not heard anything yet is not ready, and asks for more time instead.
    pub fn alive_without_sound(&self, reason: &str) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.state();
        let now = Instant::now();
        let reason = one_line(reason);
        let is_news = state.away.as_ref().is_none_or(|(_, known)| *known != reason);
        if is_news {
            let since = state.away.take().map_or_else(|| jiff::Timestamp::now().to_string(), |(since, _)| since);
            state.away = Some((since, reason));
        }
        let every = if state.is_ready { shared.alive_every } else { Some(MORE_TIME.0) };
        let is_due = every.is_some_and(|every| state.alive_at.is_none_or(|at| now - at >= every));
        let mut message = Message::default();
        match (is_due, state.is_ready) {
            (false, _) => {}
            (true, true) => message.add(&NotifyState::Watchdog),
            (true, false) => message.add(&NotifyState::ExtendTimeoutUsec(MORE_TIME.1.as_micros() as u32)),
        }
        if is_news {
            let (since, reason) = state.away.as_ref().expect("it was put there above");
            message.add(&NotifyState::Status(&format!("microphone away since {since}: {reason}")));
        }
        if !message.is_empty() && shared.try_send(&mut state, &message, now) {
            if is_due {
                state.alive_at = Some(now);
            }
        } else if is_news {
            // To be told at the next attempt.
            state.away = state.away.take().map(|(since, _)| (since, String::new()));
        }
    }

    /// The configuration is about to be read anew.
    pub fn reloading(&self) {
        self.tell(|state, message| {
            // A service that is not ready yet cannot reload in systemd's eyes, and would be ready after it.
            if state.is_ready
                && let Ok(time) = NotifyState::monotonic_usec_now()
            {
                message.add(&NotifyState::Reloading);
                message.add(&time);
            }
        });
    }

    /// It was read, or was not and the old one stays: `outcome` says which, for people.
    pub fn reloaded(&self, outcome: &str) {
        self.tell(|state, message| {
            if state.is_ready {
                message.add(&NotifyState::Ready);
                message.add(&NotifyState::Status(&one_line(outcome)));
                // For a while; then what is heard is told again.
                (state.has_news, state.status_at) = (true, Some(Instant::now()));
            }
        });
    }

    /// The service was told to stop, or has nothing more to hear.
    pub fn stopping(&self) {
        self.tell(|_, message| {
            message.add(&NotifyState::Stopping);
            message.add(&NotifyState::Status("stopping"));
        });
    }

    /// Takes note of events, for the status.
    pub fn event_sink(&self) -> Box<dyn EventSink> {
        Box::new(Noted(self.clone()))
    }

    fn tell(&self, what: impl FnOnce(&mut State, &mut Message)) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.state();
        let mut message = Message::default();
        what(&mut state, &mut message);
        if !message.is_empty() {
            state.failed_at = None;
            shared.try_send(&mut state, &message, Instant::now());
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives whether the message was taken. One that was not is told of once in the log.
    fn try_send(&self, state: &mut State, message: &Message, now: Instant) -> bool {
        if state.failed_at.is_some_and(|at| now - at < RETRY_AFTER) {
            return false;
        }
        match self.socket.send(&message.0) {
            Ok(()) => {
                state.failed_at = None;
                true
            }
            Err(error) => {
                state.failed_at = Some(now);
                if !std::mem::replace(&mut state.has_warned, true) {
                    tracing::warn!(%error, "systemd does not take what it is told");
                }
                false
            }
        }
    }
}

impl State {
    fn listening_to(&self, input: &str) -> String {
        let n_events = self.n_events;
        let events = if n_events == 1 { "1 event".to_owned() } else { format!("{n_events} events") };
        match &self.last_event {
            None => format!("listening on {input}, {events}"),
            Some((word, time)) => format!("listening on {input}, {events}, last '{word}' at {time}"),
        }
    }
}

/// Assignments, one a line.
#[derive(Default)]
struct Message(String);

impl Message {
    fn add(&mut self, assignment: &NotifyState<'_>) {
        self.0.push_str(&assignment.to_string());
        self.0.push('\n');
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A line would end an assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Remembers events for the status, which the next sound tells.
struct Noted(ServiceManager);

impl EventSink for Noted {
    fn name(&self) -> &str {
        "systemd"
    }

    fn deliver(&mut self, event: &WakeEvent) -> io::Result<()> {
        if let Some(shared) = &self.0.shared {
            let mut state = shared.state();
            state.n_events += 1;
            state.last_event = Some((one_line(&event.word), event.wall_time.clone().unwrap_or_default()));
            state.has_news = true;
        }
        Ok(())
    }
}
