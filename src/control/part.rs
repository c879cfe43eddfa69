//! What a part of the daemon has to tell of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics::Page;

/// A part of the daemon with a state of its own: the input, a destination of events, a service. Asked at any time, from any thread;
/// it answers at once.
pub trait Part: Send + Sync {
    /// Its place in the status.
    fn name(&self) -> &str;

    /// Its state, as an object or a list of objects; numbers and short texts, no secrets.
    fn status(&self) -> Value;

    /// Writes its figures on the page of metrics.
    fn write_metrics(&self, _page: &mut Page) {}

    /// What it records or sends.
    fn flows(&self) -> Vec<Flow> {
        Vec::new()
    }
}

/// Something that leaves the daemon, or stays beyond it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Whether it is kept or goes away.
    pub kind: FlowKind,
    /// What: events, sound.
    pub what: String,
    /// Where to, without secrets.
    pub to: String,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// Kept on this machine.
    Recorded,
    /// Given to another program or machine.
    Sent,
}

impl Flow {
    /// What is given to another program or machine.
    pub fn sent(what: &str, to: impl Into<String>) -> Self {
        Self { kind: FlowKind::Sent, what: what.to_owned(), to: to.into() }
    }

    /// What is kept on this machine.
    pub fn recorded(what: &str, to: impl Into<String>) -> Self {
        Self { kind: FlowKind::Recorded, what: what.to_owned(), to: to.into() }
    }
}
