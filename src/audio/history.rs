//! The last seconds of a stream, for whoever wants to hear them again: a command that follows a word, a model that takes over, a
//! level that is measured.
//!
//! One writer, any number of readers on other threads. Positions are samples since the stream began, at the model's rate, gaps
//! included; a gap is heard as silence. What is older than the capacity is gone: a reader that falls behind is told how much it lost.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::{Milliseconds, SampleRate};

/// Full scale of the samples that are kept: 16 bits are what sound goes out with, and half the memory.
const FULL_SCALE: f32 = 32_767.0;

/// A handle on the ring; clones share it.
#[derive(Debug, Clone)]
pub struct AudioHistory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    has_grown: Condvar,
}

#[derive(Debug)]
struct Ring {
    samples: VecDeque<i16>,
    capacity: usize,
    /// Position after the newest sample.
    end: u64,
    is_over: bool,
}

impl Ring {
    fn start(&self) -> u64 {
        self.end - self.samples.len() as u64
    }

    fn make_room(&mut self, n: usize) {
        let n_over = (self.samples.len() + n).saturating_sub(self.capacity).min(self.samples.len());
        self.samples.drain(..n_over);
    }

    fn copy(&self, range: Range<u64>) -> impl Iterator<Item = i16> + '_ {
        let start = (range.start - self.start()) as usize;
        self.samples.range(start..start + (range.end - range.start) as usize).copied()
    }
}

impl AudioHistory {
    /// An empty ring that keeps so much.
    pub fn new(length: Milliseconds) -> Self {
        let capacity = length.samples(SampleRate::MODEL) as usize;
        let ring = Ring { samples: VecDeque::with_capacity(capacity), capacity, end: 0, is_over: false };
        Self { shared: Arc::new(Shared { ring: Mutex::new(ring), has_grown: Condvar::new() }) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics while it holds the lock.
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends samples, full scale 1.0. Does not allocate.
    pub fn push(&self, samples: &[f32]) {
        let mut ring = self.ring();
        let newest = &samples[samples.len().saturating_sub(ring.capacity)..];
        ring.make_room(newest.len());
        // What is not a number becomes 0.
        ring.samples.extend(newest.iter().map(|sample| (sample * FULL_SCALE).round() as i16));
        ring.end += samples.len() as u64;
        drop(ring);
        self.shared.has_grown.notify_all();
    }

    /// Appends silence in the place of lost samples.
    pub fn pass_gap(&self, lost_samples: u64) {
        let mut ring = self.ring();
        let n_silent = usize::try_from(lost_samples).unwrap_or(usize::MAX).min(ring.capacity);
        ring.make_room(n_silent);
        ring.samples.extend(std::iter::repeat_n(0, n_silent));
        ring.end += lost_samples;
        drop(ring);
        self.shared.has_grown.notify_all();
    }

    /// Nothing more will come: who follows is told so.
    pub fn finish(&self) {
        self.ring().is_over = true;
        self.shared.has_grown.notify_all();
    }

    /// Position after the newest sample.
    pub fn end(&self) -> u64 {
        self.ring().end
    }

    /// What is kept of `range`, full scale 1.0, and the position of its first sample.
    pub fn read(&self, range: Range<u64>) -> (u64, Vec<f32>) {
        let ring = self.ring();
        let start = range.start.clamp(ring.start(), ring.end);
        let end = range.end.clamp(start, ring.end);
        (start, ring.copy(start..end).map(|sample| f32::from(sample) / FULL_SCALE).collect())
    }

    /// The mean square of what is kept of `range`, full scale 1; none if nothing is.
    pub fn mean_square(&self, range: Range<u64>) -> Option<f64> {
        let ring = self.ring();
        let start = range.start.clamp(ring.start(), ring.end);
        let end = range.end.clamp(start, ring.end);
        let sum: f64 = ring.copy(start..end).map(|sample| f64::from(sample).powi(2)).sum();
        (end > start).then(|| sum / (end - start) as f64 / f64::from(FULL_SCALE).powi(2))
    }

    /// Follows the stream from position `start` on, which may be past or still to come.
    pub fn follow(&self, start: u64) -> Follower {
        Follower { history: self.clone(), position: start }
    }
}

/// What a follower's wait brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The next samples.
    Samples(Vec<i16>),
    /// So many were overwritten before they were asked for.
    Lost(u64),
    /// Nothing came in time.
    TimedOut,
    /// The stream is over.
    End,
}

/// Reads a stream from one position on, while it grows.
#[derive(Debug)]
pub struct Follower {
    history: AudioHistory,
    position: u64,
}

impl Follower {
    /// Position of the next sample.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for samples, at most `n_most` of them and no longer than `patience`.
    pub fn next(&mut self, n_most: usize, patience: Duration) -> Followed {
        let deadline = Instant::now() + patience;
        let mut ring = self.history.ring();
        loop {
            if self.position < ring.start() {
                let lost = ring.start() - self.position;
                self.position = ring.start();
                return Followed::Lost(lost);
            }
            if self.position < ring.end {
                let end = ring.end.min(self.position + n_most.max(1) as u64);
                let samples = ring.copy(self.position..end).collect();
                self.position = end;
                return Followed::Samples(samples);
            }
            if ring.is_over {
                return Followed::End;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Followed::TimedOut;
            }
            let waited = self.history.shared.has_grown.wait_timeout(ring, left);
            ring = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_PATIENCE: Duration = Duration::ZERO;

    /// 100 samples at 16 kHz are 6.25 ms; the ring takes whole milliseconds.
    fn ring() -> AudioHistory {
        AudioHistory::new(Milliseconds(10))
    }

    #[test]
    fn the_newest_is_kept_and_the_rest_is_told_as_lost() {
        let history = ring();
        let mut follower = history.follow(0);
        history.push(&[0.5; 100]);
        assert_eq!(follower.next(60, NO_PATIENCE), Followed::Samples(vec![16_384; 60]));
        history.push(&[0.25; 170]);
        assert_eq!(history.read(0..1000), (110, vec![f32::from(8192i16) / FULL_SCALE; 160]));
        assert_eq!(follower.next(60, NO_PATIENCE), Followed::Lost(50));
        assert_eq!(follower.position(), 110);
        assert_eq!(follower.next(1000, NO_PATIENCE), Followed::Samples(vec![8192; 160]));
        assert_eq!(follower.next(60, NO_PATIENCE), Followed::TimedOut);
        history.finish();
        assert_eq!(follower.next(60, NO_PATIENCE), Followed::End);
    }

    #[test]
    fn a_follower_wakes_when_something_comes() {
        let history = ring();
        let mut follower = history.follow(16);
        let thread = std::thread::Builder::new().spawn(move || follower.next(4, Duration::from_secs(20))).unwrap();
        history.push(&[0.0; 16]);
        history.push(&[1.0; 2]);
        assert_eq!(thread.join().unwrap(), Followed::Samples(vec![32_767; 2]));
    }

    #[test]
    fn samples_that_cannot_be_are_kept_in_bounds() {
        let history = ring();
        history.push(&[f32::NAN, f32::INFINITY, -7.0]);
        assert_eq!(history.follow(0).next(9, NO_PATIENCE), Followed::Samples(vec![0, i16::MAX, i16::MIN]));
    }

    proptest! {
        #[test]
        fn a_follower_hears_everything_in_order_or_is_told(
            pushes in prop::collection::vec((0usize..300, 0u64..400, 1usize..200), 1..30),
        ) {
            let history = ring();
            let mut follower = history.follow(0);
            let (mut truth, mut heard): (Vec<i16>, Vec<Option<i16>>) = (Vec::new(), Vec::new());
            for (n_samples, n_lost, n_read) in pushes {
                let samples: Vec<i16> = (0..n_samples).map(|i| ((truth.len() + i) % 1000) as i16 + 1).collect();
                history.push(&samples.iter().map(|&s| f32::from(s) / FULL_SCALE).collect::<Vec<_>>());
                history.pass_gap(n_lost);
                truth.extend(samples);
                truth.extend(std::iter::repeat_n(0, n_lost as usize));
                match follower.next(n_read, NO_PATIENCE) {
                    Followed::Samples(samples) => heard.extend(samples.into_iter().map(Some)),
                    Followed::Lost(n) => heard.extend(std::iter::repeat_n(None, n as usize)),
                    Followed::TimedOut => prop_assert_eq!(heard.len(), truth.len()),
                    Followed::End => prop_assert!(false, "it is not over"),
                }
                prop_assert_eq!(heard.len() as u64, follower.position());
                prop_assert_eq!(history.end(), truth.len() as u64);
            }
            for (heard, truth) in heard.iter().zip(&truth) {
                prop_assert!(heard.is_none_or(|heard| heard == *truth));
            }
        }
    }
}
