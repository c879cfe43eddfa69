//! What can be seen of an output while it runs: where it is, what it sends there, and what has become of the events.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::metrics::Counter;

/// What an output is, for people; without passwords or tokens.
#[derive(Debug, Clone)]
pub struct About {
    name: &'static str,
    target: String,
    sends: String,
    is_kept: bool,
    clients: Option<Arc<ClientCounters>>,
}

impl About {
    /// Its kind, where it is, and what it is sent.
    pub fn new(name: &'static str, target: impl Into<String>, sends: impl Into<String>) -> Self {
        Self { name, target: target.into(), sends: sends.into(), is_kept: false, clients: None }
    }

    /// Of an output that keeps what it is sent on this machine.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { is_kept: true, ..self }
    }

    /// With counts of clients that come and go.
    #[must_use]
    pub fn with_clients(self, clients: Arc<ClientCounters>) -> Self {
        Self { clients: Some(clients), ..self }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) n_accepted: Counter,
    pub(super) n_delivered: Counter,
    pub(super) n_retries: Counter,
    pub(super) n_failed: Counter,
    pub(super) n_dropped: Counter,
    pub(super) n_abandoned: Counter,
}

/// Of an output that others connect to.
#[derive(Debug, Default)]
pub struct ClientCounters {
    pub(super) n_connected: Counter,
    pub(super) n_let_go: Counter,
}

/// One look at an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputStatus {
    /// Its kind.
    pub name: &'static str,
    /// Where it is.
    pub target: String,
    /// What it is sent.
    pub sends: String,
    /// Whether that is kept on this machine, and not given to another program or machine.
    pub is_kept: bool,
    /// Events that wait, are tried or are under way.
    pub n_queued: u64,
    /// Events delivered.
    pub n_delivered: u64,
    /// Attempts beyond the first.
    pub n_retries: u64,
    /// Events given up.
    pub n_failed: u64,
    /// Events that found the queue full.
    pub n_dropped: u64,
    /// Events given up because the daemon stopped.
    pub n_abandoned: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Clients that are connected, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_clients: Option<u64>,
    /// Clients that did not read and were let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_clients_let_go: Option<u64>,
}

impl OutputStatus {
    /// Events that it has not been able to deliver and will not.
    pub fn n_lost(&self) -> u64 {
        self.n_failed + self.n_dropped + self.n_abandoned
    }
}

/// A handle to look at an output; clones look at the same.
#[derive(Debug, Clone)]
pub struct OutputView {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    about: About,
    counters: Counters,
    last_error: Mutex<Option<String>>,
}

impl OutputView {
    pub(super) fn new(about: About) -> Self {
        Self { shared: Arc::new(Shared { about, counters: Counters::default(), last_error: Mutex::default() }) }
    }

    /// Its kind.
    pub fn name(&self) -> &'static str {
        self.shared.about.name
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(super) fn note_error(&self, reason: &str) {
        *self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// How it stands now.
    pub fn status(&self) -> OutputStatus {
        let Shared { about, counters, last_error } = &*self.shared;
        let (n_delivered, n_failed) = (counters.n_delivered.get(), counters.n_failed.get());
        let (n_dropped, n_abandoned) = (counters.n_dropped.get(), counters.n_abandoned.get());
        let n_settled = n_delivered + n_failed + n_dropped + n_abandoned;
        OutputStatus {
            name: about.name,
            target: about.target.clone(),
            sends: about.sends.clone(),
            is_kept: about.is_kept,
            // Read last, so that it is no less than what has become of them.
            n_queued: counters.n_accepted.get().saturating_sub(n_settled),
            n_delivered,
            n_retries: counters.n_retries.get(),
            n_failed,
            n_dropped,
            n_abandoned,
            last_error: last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            n_clients: about.clients.as_ref().map(|clients| clients.n_connected.get()),
            n_clients_let_go: about.clients.as_ref().map(|clients| clients.n_let_go.get()),
        }
    }
}
