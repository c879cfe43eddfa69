//! What a daemon tells of itself.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Flow;
use crate::daemon::{Mute, Summary};

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's.
    pub tripword_version: String,
    /// The process.
    pub pid: u32,
    /// RFC 3339.
    pub started_at: String,
    /// Since then.
    pub uptime_s: f64,
    /// What it began to listen to: a device, a file or `-`; the part `input` says what it is now.
    pub source: String,
    /// The name of the model.
    pub model: String,
    /// Whether words are told.
    pub mute: MuteStatus,
    /// Whether somebody on the network (Hermes) wants it to be silent, whatever the mute says.
    #[serde(default)]
    pub is_silenced: bool,
    /// In the model's order.
    pub words: Vec<WordStatus>,
    /// Running counts.
    pub counts: Summary,
    /// Of the last events.
    pub latency: Latency,
    /// Memory of the process that lies in the machine's; none where the system does not say.
    pub resident_bytes: Option<u64>,
    /// Time of the processor that the process has used.
    pub cpu_s: f64,
    /// When configuration and model were last read anew, and what came of it.
    pub last_reload: Option<LastReload>,
    /// All that is recorded or sent; nothing else is.
    pub recorded_or_sent: Vec<Flow>,
    /// What the parts tell, by their names.
    #[serde(default)]
    pub parts: Map<String, Value>,
}

/// Whether words are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MuteStatus {
    /// Whether they are not.
    pub is_muted: bool,
    /// For so long; none: until somebody says so.
    pub remaining_s: Option<f64>,
    /// Until then, RFC 3339.
    pub until: Option<String>,
}

/// A word as it is heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordStatus {
    /// As the model names it.
    pub name: String,
    /// Whether it is told.
    pub is_enabled: bool,
    /// In force.
    pub threshold: f32,
    /// By configuration and model; the two differ after `threshold`.
    pub configured_threshold: f32,
    /// Of the last step, 0 to 1.
    pub score: f32,
    /// The highest of the last ten seconds of sound.
    pub highest_score: f32,
    /// How often it was told.
    pub n_events: u64,
}

/// From the end of words to their events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Over so many events.
    pub n_events: usize,
    /// None without events.
    pub median_ms: Option<u32>,
    /// 95 of 100 are no longer.
    pub p95_ms: Option<u32>,
}

/// A reload that has been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastReload {
    /// RFC 3339.
    pub at: String,
    /// Why nothing was changed; none if it succeeded.
    pub error: Option<String>,
}

impl MuteStatus {
    /// What `mute` means now.
    pub(super) fn new(mute: Mute) -> Self {
        let now = Instant::now();
        let remaining = match mute {
            Mute::Until(end) => Some(end.saturating_duration_since(now)).filter(|left| !left.is_zero()),
            Mute::On | Mute::Off => None,
        };
        Self {
            is_muted: mute.is_on(now),
            remaining_s: remaining.map(|left| left.as_secs_f64()),
            until: remaining.and_then(|left| Some(jiff::Timestamp::now().checked_add(left).ok()?.to_string())),
        }
    }
}

impl Latency {
    /// Of events that took so long.
    pub(super) fn new(mut milliseconds: Vec<u32>) -> Self {
        milliseconds.sort_unstable();
        let n_events = milliseconds.len();
        // The smallest that so many are not above.
        let quantile = |share: f64| milliseconds.get(((n_events as f64 * share).ceil() as usize).max(1) - 1).copied();
        Self { n_events, median_ms: quantile(0.5), p95_ms: quantile(0.95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        assert_eq!(Latency::new(Vec::new()), Latency { n_events: 0, median_ms: None, p95_ms: None });
        assert_eq!(Latency::new(vec![7]), Latency { n_events: 1, median_ms: Some(7), p95_ms: Some(7) });
        let hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(Latency::new(hundred), Latency { n_events: 100, median_ms: Some(50), p95_ms: Some(95) });
    }

    #[test]
    fn a_mute_that_is_over_is_none() {
        let now = Instant::now();
        let status = MuteStatus::new(Mute::Until(now + Duration::from_secs(60)));
        assert!(status.is_muted && (59.0..=60.0).contains(&status.remaining_s.unwrap()) && status.until.is_some());
        let status = MuteStatus::new(Mute::Until(now));
        assert_eq!(status, MuteStatus { is_muted: false, remaining_s: None, until: None });
        assert!(MuteStatus::new(Mute::On).is_muted);
    }
}
