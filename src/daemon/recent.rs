//! The last events, for whoever asks afterwards, and the next ones for whoever follows.
//!
//! The inference thread hands each event over and goes on: a follower that does not keep up loses the newest and is told how many.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::events::WakeEvent;
use crate::metrics::Histogram;

/// So many events are kept.
pub const RECENT_EVENTS: usize = 200;
/// So many may be under way to one follower.
const FOLLOWER_QUEUE_EVENTS: usize = 64;
/// From the end of a word to its event, in seconds: a step of the network is 80 ms.
const LATENCY_BOUNDS: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0];

/// A handle on the last events; clones share it.
#[derive(Debug, Clone)]
pub struct RecentEvents {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    latency: Histogram,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<WakeEvent>>,
    followers: Vec<Following>,
    is_over: bool,
}

#[derive(Debug)]
struct Following {
    sender: Sender<Arc<WakeEvent>>,
    n_lost: Arc<AtomicU64>,
}

impl Default for RecentEvents {
    fn default() -> Self {
        let ring = Ring { events: VecDeque::with_capacity(RECENT_EVENTS), ..Ring::default() };
        let shared = Shared { ring: Mutex::new(ring), latency: Histogram::new(LATENCY_BOUNDS) };
        Self { shared: Arc::new(shared) }
    }
}

impl RecentEvents {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics while it holds the lock.
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: &Arc<WakeEvent>) {
        self.shared.latency.observe(event.detection_latency_ms.seconds());
        let mut ring = self.ring();
        if ring.events.len() == RECENT_EVENTS {
            ring.events.pop_front();
        }
        ring.events.push_back(event.clone());
        ring.followers.retain(|follower| match follower.sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                follower.n_lost.fetch_add(1, Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    /// Nothing more will come: who follows is told so.
    pub(super) fn finish(&self) {
        let mut ring = self.ring();
        ring.is_over = true;
        ring.followers.clear();
    }

    /// The last `n_most` events, the oldest first.
    pub fn last(&self, n_most: usize) -> Vec<Arc<WakeEvent>> {
        self.ring().last(n_most)
    }

    /// The last `n_most` events, and all that follow.
    pub fn follow(&self, n_most: usize) -> (Vec<Arc<WakeEvent>>, EventFollower) {
        let (sender, receiver) = bounded(FOLLOWER_QUEUE_EVENTS);
        let n_lost = Arc::new(AtomicU64::new(0));
        let mut ring = self.ring();
        // Without a sender it learns at once that it is over.
        if !ring.is_over {
            ring.followers.push(Following { sender, n_lost: n_lost.clone() });
        }
        (ring.last(n_most), EventFollower { receiver, n_lost })
    }

    /// How long events took from the end of their words to the decision, in seconds.
    pub fn latency(&self) -> &Histogram {
        &self.shared.latency
    }
}

impl Ring {
    fn last(&self, n_most: usize) -> Vec<Arc<WakeEvent>> {
        self.events.range(self.events.len().saturating_sub(n_most)..).cloned().collect()
    }
}

/// Receives events as they are decided.
#[derive(Debug)]
pub struct EventFollower {
    receiver: Receiver<Arc<WakeEvent>>,
    n_lost: Arc<AtomicU64>,
}

/// What a follower's wait brought.
#[derive(Debug, Clone, PartialEq)]
pub enum FollowedEvent {
    /// The next event.
    Event(Arc<WakeEvent>),
    /// So many were not kept, because the follower was too slow.
    Lost(u64),
    /// Nothing came in time.
    TimedOut,
    /// The stream is over.
    End,
}

impl EventFollower {
    /// Waits for an event, no longer than `patience`.
    pub fn next(&self, patience: Duration) -> FollowedEvent {
        // What is queued came before what was lost.
        if self.receiver.is_empty() {
            let n_lost = self.n_lost.swap(0, Relaxed);
            if n_lost > 0 {
                return FollowedEvent::Lost(n_lost);
            }
        }
        match self.receiver.recv_timeout(patience) {
            Ok(event) => FollowedEvent::Event(event),
            Err(RecvTimeoutError::Timeout) => FollowedEvent::TimedOut,
            Err(RecvTimeoutError::Disconnected) => FollowedEvent::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EVENT_VERSION;
    use crate::units::Milliseconds;

    fn event(time_sample: u64) -> Arc<WakeEvent> {
        Arc::new(WakeEvent {
            version: EVENT_VERSION,
            file: "test".into(),
            channel: None,
            word: "alexa".into(),
            score: 0.9,
            start_s: 0.0,
            end_s: 0.0,
            time_s: 0.0,
            start_sample: 0,
            end_sample: 0,
            time_sample,
            detection_latency_ms: Milliseconds(120),
            level_dbfs: None,
            snr_db: None,
            model: "test".into(),
            wall_time: None,
        })
    }

    #[test]
    fn the_newest_are_kept_and_a_follower_misses_none() {
        let recent = RecentEvents::default();
        let n = RECENT_EVENTS as u64 + 7;
        (0..n).for_each(|i| recent.push(&event(i)));
        let times = |events: &[Arc<WakeEvent>]| events.iter().map(|event| event.time_sample).collect::<Vec<_>>();
        assert_eq!(times(&recent.last(usize::MAX)), (7..n).collect::<Vec<_>>());
        let (last, follower) = recent.follow(2);
        assert_eq!(times(&last), [n - 2, n - 1]);
        assert_eq!(follower.next(Duration::ZERO), FollowedEvent::TimedOut);
        recent.push(&event(n));
        assert_eq!(follower.next(Duration::ZERO), FollowedEvent::Event(event(n)));
        assert_eq!(recent.latency().counts().n_values(), n + 1);
        recent.push(&event(n + 1));
        recent.finish();
        assert_eq!(follower.next(Duration::ZERO), FollowedEvent::Event(event(n + 1)));
        assert_eq!(follower.next(Duration::ZERO), FollowedEvent::End);
        assert_eq!(recent.follow(0).1.next(Duration::from_secs(60)), FollowedEvent::End);
    }

    #[test]
    fn a_slow_follower_is_told_what_it_lost_and_nobody_waits_for_it() {
        let recent = RecentEvents::default();
        let (_, slow) = recent.follow(0);
        drop(recent.follow(0));
        let n_queued = FOLLOWER_QUEUE_EVENTS as u64;
        (0..n_queued + 5).for_each(|i| recent.push(&event(i)));
        assert_eq!(recent.ring().followers.len(), 1, "the one that left is forgotten");
        for i in 0..n_queued {
            assert_eq!(slow.next(Duration::ZERO), FollowedEvent::Event(event(i)));
        }
        assert_eq!(slow.next(Duration::ZERO), FollowedEvent::Lost(5));
        recent.push(&event(99));
        assert_eq!(slow.next(Duration::ZERO), FollowedEvent::Event(event(99)));
    }
}
