//! A source that can be ended from outside, and one that is fed as fast as life goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{AudioError, AudioSource, Read};
use crate::units::SampleRate;

/// How fast a recording is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the reader reads.
    Unbounded,
    /// As fast as it was spoken.
    RealTime,
}

/// Dropping it ends the [`Stoppable`] source that came with it, also in the middle of a wait.
#[derive(Debug)]
pub struct StopFlag {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_stopped: AtomicBool,
    reader: std::sync::OnceLock<std::thread::Thread>,
}

impl Drop for StopFlag {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        if let Some(reader) = self.shared.reader.get() {
            reader.unpark();
        }
    }
}

/// A source with a handle that ends it.
#[derive(Debug)]
pub struct Stoppable<S> {
    source: S,
    shared: Arc<Shared>,
    pace: Pace,
    started: Option<Instant>,
    n_samples: u64,
}

/// Wraps `source`; dropping the handle ends it at its next read.
pub fn stoppable<S: AudioSource>(source: S, pace: Pace) -> (Stoppable<S>, StopFlag) {
    let shared = Arc::new(Shared::default());
    (Stoppable { source, shared: shared.clone(), pace, started: None, n_samples: 0 }, StopFlag { shared })
}

/// In real time, a recording is fed in portions of a fiftieth of a second, as a sound card would.
const PORTIONS_PER_SECOND: u32 = 50;

impl<S: AudioSource> Stoppable<S> {
    fn is_stopped(&self) -> bool {
        self.shared.is_stopped.load(Ordering::Acquire)
    }

    /// Waits until the samples delivered so far have been spoken.
    fn wait(&mut self) {
        let started = *self.started.get_or_insert_with(Instant::now);
        let due = started + Duration::from_secs_f64(self.source.sample_rate().seconds(self.n_samples));
        self.shared.reader.get_or_init(std::thread::current);
        while !self.is_stopped() {
            let now = Instant::now();
            if now >= due {
                return;
            }
            std::thread::park_timeout(due - now);
        }
    }
}

impl<S: AudioSource> AudioSource for Stoppable<S> {
    fn sample_rate(&self) -> SampleRate {
        self.source.sample_rate()
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn n_unusable_samples(&self) -> u64 {
        self.source.n_unusable_samples()
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        let n_most = match self.pace {
            Pace::Unbounded => chunk.len(),
            Pace::RealTime => {
                self.wait();
                chunk.len().min((self.sample_rate().hz() / PORTIONS_PER_SECOND).max(1) as usize)
            }
        };
        if self.is_stopped() {
            return Ok(Read::End);
        }
        let read = self.source.read(&mut chunk[..n_most])?;
        match read {
            Read::Samples(n) => self.n_samples += n as u64,
            Read::Gap { lost_samples } => self.n_samples += lost_samples,
            Read::End => {}
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Silence without end.
    struct Silence;

    impl AudioSource for Silence {
        fn sample_rate(&self) -> SampleRate {
            SampleRate::MODEL
        }
        fn name(&self) -> &str {
            "silence"
        }
        fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
            chunk.fill(0.0);
            Ok(Read::Samples(chunk.len()))
        }
    }

    #[test]
    fn dropping_the_flag_ends_the_stream() {
        let (mut source, flag) = stoppable(Silence, Pace::Unbounded);
        let mut chunk = [0.0; 64];
        assert_eq!(source.read(&mut chunk).unwrap(), Read::Samples(64));
        drop(flag);
        assert_eq!(source.read(&mut chunk).unwrap(), Read::End);
    }

    #[test]
    fn in_real_time_a_fifth_of_a_second_takes_as_long() {
        let (mut source, _flag) = stoppable(Silence, Pace::RealTime);
        let started = Instant::now();
        let mut chunk = [0.0; 16_000];
        let mut n_samples = 0;
        while n_samples < 3200 {
            let Read::Samples(n) = source.read(&mut chunk).unwrap() else { panic!("silence does not end") };
            n_samples += n;
        }
        let elapsed = started.elapsed();
        assert!(elapsed > Duration::from_millis(170) && elapsed < Duration::from_secs(2), "{elapsed:?}");
    }
}
