//! Counters that the threads keep and anyone may read.

use serde::{Deserialize, Serialize};

use crate::metrics::Counter;
use crate::units::SampleRate;

/// Running counts; nothing that is lost, dropped or suppressed goes unseen.
#[derive(Debug, Default)]
pub struct Stats {
    /// Samples heard, at the model's rate.
    pub n_samples: Counter,
    /// Samples lost before they reached the feature thread, at the model's rate.
    pub n_lost_samples: Counter,
    /// Stretches in which samples were lost; one that was told in parts counts once.
    pub n_gaps: Counter,
    /// Samples that were not finite or far beyond full scale.
    pub n_unusable_samples: Counter,
    /// Steps of the network.
    pub n_steps: Counter,
    /// Steps within the warm-up.
    pub n_suppressed_steps: Counter,
    /// Words heard and not told, because the daemon is muted or the word switched off.
    pub n_muted_events: Counter,
    /// Events decided.
    pub n_events: Counter,
    /// Deliveries made, over all sinks.
    pub n_delivered_events: Counter,
    /// Deliveries that failed, over all sinks; not those to readers that have left.
    pub n_failed_deliveries: Counter,
    /// Events that every sink has had its chance at.
    pub n_handled_events: Counter,
    /// Events dropped because the sinks were too slow.
    pub n_dropped_events: Counter,
    /// Time spent computing, over all threads.
    pub busy_nanoseconds: Counter,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Seconds of audio heard.
    pub audio_s: f64,
    /// See [`Stats::n_lost_samples`].
    pub n_lost_samples: u64,
    /// See [`Stats::n_gaps`].
    pub n_gaps: u64,
    /// See [`Stats::n_unusable_samples`].
    pub n_unusable_samples: u64,
    /// See [`Stats::n_suppressed_steps`].
    pub n_suppressed_steps: u64,
    /// See [`Stats::n_muted_events`].
    pub n_muted_events: u64,
    /// See [`Stats::n_events`].
    pub n_events: u64,
    /// See [`Stats::n_delivered_events`].
    pub n_delivered_events: u64,
    /// See [`Stats::n_failed_deliveries`].
    pub n_failed_deliveries: u64,
    /// See [`Stats::n_dropped_events`].
    pub n_dropped_events: u64,
    /// Events decided and neither handled nor dropped: still under way, or left behind by sinks that hung at the end.
    pub n_undelivered_events: u64,
    /// Computing time over audio time.
    pub real_time_factor: f64,
}

impl Stats {
    /// The counts now.
    pub fn summary(&self) -> Summary {
        let audio_s = SampleRate::MODEL.seconds(self.n_samples.get());
        Summary {
            audio_s,
            n_lost_samples: self.n_lost_samples.get(),
            n_gaps: self.n_gaps.get(),
            n_unusable_samples: self.n_unusable_samples.get(),
            n_suppressed_steps: self.n_suppressed_steps.get(),
            n_muted_events: self.n_muted_events.get(),
            n_events: self.n_events.get(),
            n_delivered_events: self.n_delivered_events.get(),
            n_failed_deliveries: self.n_failed_deliveries.get(),
            n_dropped_events: self.n_dropped_events.get(),
            n_undelivered_events: self
                .n_events
                .get()
                .saturating_sub(self.n_handled_events.get() + self.n_dropped_events.get()),
            real_time_factor: if audio_s > 0.0 { self.busy_nanoseconds.get() as f64 / 1e9 / audio_s } else { 0.0 },
        }
    }
}
