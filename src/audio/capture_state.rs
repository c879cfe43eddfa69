//! What is known of one capture on every side of it: the callback's counts and times, the first error, whether it is to end.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What has happened at one capture so far. The callback writes, anybody may look.
#[derive(Debug, Default)]
pub struct CaptureCounters {
    pub(super) samples_delivered: AtomicU64,
    pub(super) samples_lost: AtomicU64,
    pub(super) overruns: AtomicU64,
    xruns: AtomicU64,
    callback_errors: AtomicU64,
}

/// One look at [`CaptureCounters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureCounts {
    /// Mono samples, at the device's rate, that were put into the ring.
    pub samples_delivered: u64,
    /// Mono samples, at the device's rate, that found no room in the ring.
    pub samples_lost: u64,
    /// How often the ring became full.
    pub overruns: u64,
    /// Overruns within the sound system, before the samples came here; how many were lost there is not known.
    pub xruns: u64,
    /// Calls of the error callback, all kinds but xruns.
    pub callback_errors: u64,
}

impl CaptureCounters {
    /// The counts as of now.
    pub fn counts(&self) -> CaptureCounts {
        // Each is right for itself; together they may be a callback apart.
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CaptureCounts {
            samples_delivered: load(&self.samples_delivered),
            samples_lost: load(&self.samples_lost),
            overruns: load(&self.overruns),
            xruns: load(&self.xruns),
            callback_errors: load(&self.callback_errors),
        }
    }

    pub(super) fn count_xrun(&self) {
        self.xruns.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_callback_error(&self) {
        self.callback_errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// What both sides and the error callback see.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counters: Arc<CaptureCounters>,
    /// The first error that ends the stream.
    pub(super) fault: OnceLock<String>,
    /// The thread to wake.
    pub(super) reader: OnceLock<Thread>,
    /// Samples that the reader waits for.
    pub(super) n_wanted: AtomicUsize,
    /// Samples that the callback was last given: when there is no room for as many, waiting would lose them.
    pub(super) n_block: AtomicUsize,
    /// Samples lost after the last one in the ring, told when the stream ends.
    pub(super) n_lost_at_end: AtomicU64,
    /// Errors since samples last came: above a few, whatever their kind, something spins.
    pub(super) errors_in_a_row: AtomicU64,
    /// Somebody wants no more.
    is_finished: AtomicBool,
    /// The times below are nanoseconds since then, 0 for never.
    created: Instant,
    first_block_at: AtomicU64,
    n_first_block: AtomicU64,
    last_block_at: AtomicU64,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            counters: Arc::default(),
            fault: OnceLock::new(),
            reader: OnceLock::new(),
            n_wanted: AtomicUsize::new(0),
            n_block: AtomicUsize::new(0),
            n_lost_at_end: AtomicU64::new(0),
            errors_in_a_row: AtomicU64::new(0),
            is_finished: AtomicBool::new(false),
            created: Instant::now(),
            first_block_at: AtomicU64::new(0),
            n_first_block: AtomicU64::new(0),
            last_block_at: AtomicU64::new(0),
        }
    }

    /// The callback was given so many samples; gives whether anybody wants them.
    pub(super) fn note_block(&self, n_samples: usize) -> bool {
        if self.is_finished() {
            return false;
        }
        let now = (self.created.elapsed().as_nanos() as u64).max(1);
        if self.first_block_at.load(Ordering::Relaxed) == 0 {
            self.n_first_block.store(n_samples as u64, Ordering::Relaxed);
            self.first_block_at.store(now, Ordering::Release);
        }
        self.last_block_at.store(now, Ordering::Relaxed);
        true
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Acquire)
    }

    fn time(&self, since_created: u64) -> Option<Instant> {
        (since_created > 0).then(|| self.created + Duration::from_nanos(since_created))
    }

    /// Keeps the first reason and wakes the reader.
    pub(super) fn fail(&self, reason: impl FnOnce() -> String) {
        self.fault.get_or_init(reason);
        self.wake();
    }

    pub(super) fn wake(&self) {
        // Either the reader, which registers and then looks, sees what happened, or it is seen here.
        fence(Ordering::SeqCst);
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }
}

/// A look at one capture from any thread, and the way to end it.
#[derive(Debug, Clone)]
pub struct CaptureMonitor(Arc<Shared>);

impl CaptureMonitor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Ends the source after what was captured so far. What the device goes on to deliver is left, and not counted.
    pub fn finish(&self) {
        self.0.is_finished.store(true, Ordering::Release);
        self.0.wake();
    }

    /// The counts as of now.
    pub fn counts(&self) -> CaptureCounts {
        self.0.counters.counts()
    }

    /// When the first samples came, and how many they were, for one channel.
    pub fn first_block(&self) -> Option<(Instant, u64)> {
        let at = self.0.time(self.0.first_block_at.load(Ordering::Acquire))?;
        Some((at, self.0.n_first_block.load(Ordering::Relaxed)))
    }

    /// When samples last came.
    pub fn last_block(&self) -> Option<Instant> {
        self.0.time(self.0.last_block_at.load(Ordering::Relaxed))
    }

    /// Whether both look at one capture.
    pub(super) fn is_of_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What the device said when it failed.
    pub fn fault(&self) -> Option<&str> {
        self.0.fault.get().map(String::as_str)
    }
}
