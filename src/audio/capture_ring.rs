//! Between the audio callback and the reading thread: a ring of samples, and beside it a ring of the gaps in them.
//!
//! The callback's side never waits, locks, allocates or logs. When the ring is full, samples are lost: each is counted, and the
//! place of each gap is known to the sample. The reading side sleeps until the callback wakes it, which is when as much is there
//! as it asked for: a processor that is woken seldom stays cool.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use super::capture_state::{CaptureCounters, CaptureMonitor, Shared};
use super::channels::MonoMap;
use super::{AudioError, AudioSource, Read};
use crate::units::SampleRate;

/// Gaps that can wait for their reader. When this many do, the newest gap grows instead.
const GAPS_MAX: usize = 64;

/// Samples missing after the first `position` samples of the ring's stream (gaps not counted).
#[derive(Debug, Clone, Copy)]
struct GapRecord {
    position: u64,
    n_lost: u64,
}

/// Wakes the reader when dropped.
#[derive(Debug)]
struct WakeOnDrop(Arc<Shared>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// The callback's end. Dropping it ends the stream for the reader.
#[derive(Debug)]
pub(super) struct CaptureSink {
    // The order matters: the rings must be abandoned before the reader is woken to see it.
    samples: Producer<f32>,
    gaps: Producer<GapRecord>,
    shared: WakeOnDrop,
    map: MonoMap,
    ring_capacity: usize,
    /// Samples put into the ring.
    position: u64,
    /// Samples lost since then; not 0 means that a gap is open.
    n_lost: u64,
}

impl CaptureSink {
    /// Takes what the callback was given. Either there is room for all of it, or what has none is lost.
    #[inline]
    pub(super) fn push<S: Copy>(&mut self, interleaved: &[S], to_f32: impl Fn(S) -> f32 + Copy) {
        let n_samples = interleaved.len() / self.map.n_channels();
        if n_samples == 0 || !self.shared.0.note_block(n_samples) {
            return;
        }
        let n_free = self.samples.slots();
        let had_gap = self.n_lost > 0;
        let n_fitting = if self.n_lost == 0 {
            n_samples.min(n_free)
        } else if n_free >= n_samples.min(self.ring_capacity) && self.close_gap() {
            // An open gap is closed only when there is room for a whole block again, so that one overrun is one gap.
            n_samples.min(n_free)
        } else {
            0
        };
        if n_fitting > 0 {
            let mut room = self.samples.write_chunk(n_fitting).expect("so many slots were free");
            let (first, second) = room.as_mut_slices();
            let (before, after) = interleaved.split_at(first.len() * self.map.n_channels());
            self.map.convert(before, to_f32, first);
            self.map.convert(after, to_f32, second);
            room.commit_all();
            self.position += n_fitting as u64;
        }
        let n_lost = (n_samples - n_fitting) as u64;
        let shared = &*self.shared.0;
        shared.counters.samples_delivered.fetch_add(n_fitting as u64, Ordering::Relaxed);
        if n_lost > 0 {
            shared.counters.samples_lost.fetch_add(n_lost, Ordering::Relaxed);
            if self.n_lost == 0 {
                shared.counters.overruns.fetch_add(1, Ordering::Relaxed);
            }
            self.n_lost += n_lost;
        }
        shared.errors_in_a_row.store(0, Ordering::Relaxed);
        shared.n_block.store(n_samples, Ordering::Relaxed);
        // The reader tells what it wants and then looks at the ring; here it is the other way round. In one order for both
        // sides, one of them sees what the other did.
        fence(Ordering::SeqCst);
        let n_filled = self.ring_capacity - n_free + n_fitting;
        let has_told_gap = had_gap && n_fitting > 0;
        let is_nearly_full = n_filled + n_samples > self.ring_capacity;
        if n_filled >= shared.n_wanted.load(Ordering::Relaxed) || has_told_gap || is_nearly_full {
            shared.wake();
        }
    }

    /// Tells the reader of the open gap, before any sample that follows it is in the ring; false when there is no room for that.
    fn close_gap(&mut self) -> bool {
        let record = GapRecord { position: self.position, n_lost: self.n_lost };
        let is_told = self.gaps.push(record).is_ok();
        if is_told {
            self.n_lost = 0;
        }
        is_told
    }
}

impl Drop for CaptureSink {
    fn drop(&mut self) {
        // Seen by the reader when it has seen that the ring, dropped after this, is abandoned.
        self.shared.0.n_lost_at_end.store(self.n_lost, Ordering::Release);
    }
}

/// A live source: what a capture stream's callback delivers, at the device's rate.
///
/// It is to be read by one thread, the one that reads first: that is the thread the callback wakes.
#[derive(Debug)]
pub struct CaptureSource {
    samples: Consumer<f32>,
    gaps: Consumer<GapRecord>,
    shared: Arc<Shared>,
    device: String,
    rate: SampleRate,
    stall_timeout: Duration,
    /// When samples were last seen to come, or when the stream began.
    last_samples: Instant,
    /// Samples that waited in the ring then.
    n_seen: usize,
    /// Samples taken from the ring.
    position: u64,
    is_over: bool,
}

impl CaptureSource {
    /// The counters, the same as the stream's.
    pub fn counters(&self) -> &Arc<CaptureCounters> {
        &self.shared.counters
    }

    /// A look at the capture from any thread, and the way to end it.
    pub fn monitor(&self) -> CaptureMonitor {
        CaptureMonitor::new(Arc::clone(&self.shared))
    }

    /// What the rings hold next: a whole chunk, or what comes before a gap, or whatever there is if `is_last` or if another block
    /// would find no room.
    fn take(&mut self, chunk: &mut [f32], is_last: bool) -> Option<Read> {
        // A gap is told before the samples after it come, so the samples are looked at first:
        // every gap before any of these `n_ready` can be seen.
        let n_ready = self.samples.slots();
        let mut n = n_ready.min(chunk.len());
        let is_nearly_full = n_ready + self.shared.n_block.load(Ordering::Relaxed) > self.samples.buffer().capacity();
        let mut is_whole = n == chunk.len() || is_last || is_nearly_full;
        if let Ok(&gap) = self.gaps.peek() {
            if gap.position == self.position {
                self.gaps.pop().expect("it was just seen");
                return Some(Read::Gap { lost_samples: gap.n_lost });
            }
            let n_before_gap = gap.position - self.position;
            n = n.min(usize::try_from(n_before_gap).unwrap_or(usize::MAX));
            is_whole = true;
        }
        if n == 0 || !is_whole {
            return None;
        }
        self.samples.pop_entire_slice(&mut chunk[..n]).expect("so many slots were filled");
        self.position += n as u64;
        Some(Read::Samples(n))
    }

    /// What a read gives once the rings are empty and nobody will fill them.
    fn end(&mut self) -> Read {
        match self.shared.n_lost_at_end.swap(0, Ordering::Acquire) {
            0 => {
                self.is_over = true;
                Read::End
            }
            lost_samples => Read::Gap { lost_samples },
        }
    }
}

impl AudioSource for CaptureSource {
    fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    fn name(&self) -> &str {
        &self.device
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        assert!(!chunk.is_empty(), "a read needs room for at least one sample");
        if self.is_over {
            return Ok(Read::End);
        }
        let n_wanted = chunk.len().min(self.samples.buffer().capacity());
        let chunk = &mut chunk[..n_wanted];
        let this_thread = thread::current();
        let is_woken = self.shared.reader.get_or_init(|| this_thread.clone()).id() == this_thread.id();
        self.shared.n_wanted.store(n_wanted, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        loop {
            // Looked at before the rings: what was put in before the stream ended is still delivered.
            let fault = self.shared.fault.get();
            let is_abandoned = self.samples.is_abandoned() || self.shared.is_finished();
            let is_last = fault.is_some() || is_abandoned;
            let reason = fault.cloned();
            if let Some(read) = self.take(chunk, is_last) {
                self.last_samples = Instant::now();
                self.n_seen = 0;
                return Ok(read);
            }
            if let Some(reason) = reason {
                self.is_over = true;
                return Err(AudioError::DeviceLost { device: self.device.clone(), reason });
            }
            if is_abandoned {
                return Ok(self.end());
            }
            let n_ready = self.samples.slots();
            if n_ready > self.n_seen {
                self.n_seen = n_ready;
                self.last_samples = Instant::now();
            }
            let waited = self.last_samples.elapsed();
            let Some(left) = self.stall_timeout.checked_sub(waited).filter(|left| !left.is_zero()) else {
                // What came before the silence is delivered; the next read finds the silence.
                if let Some(read) = self.take(chunk, true) {
                    return Ok(read);
                }
                self.is_over = true;
                return Err(AudioError::DeviceSilent { device: self.device.clone(), seconds: waited.as_secs_f64() });
            };
            // Less than a chunk wakes nobody, but shows that the device lives: it is looked for a few times within the timeout. A thread
            // that took over from another is not woken at all and has to look for itself.
            let look_again = if is_woken { self.stall_timeout / 4 } else { Duration::from_millis(5) };
            thread::park_timeout(left.min(look_again));
        }
    }
}

/// Both ends of a ring for `capacity` samples.
pub(super) fn capture_ring(
    device: String,
    rate: SampleRate,
    map: MonoMap,
    capacity: usize,
    stall_timeout: Duration,
) -> (CaptureSink, CaptureSource) {
    let ring_capacity = capacity.max(1);
    let (samples_in, samples_out) = RingBuffer::new(ring_capacity);
    let (gaps_in, gaps_out) = RingBuffer::new(GAPS_MAX);
    let shared = Arc::new(Shared::new());
    let sink = CaptureSink {
        samples: samples_in,
        gaps: gaps_in,
        shared: WakeOnDrop(Arc::clone(&shared)),
        map,
        ring_capacity,
        position: 0,
        n_lost: 0,
    };
    let source = CaptureSource {
        samples: samples_out,
        gaps: gaps_out,
        shared,
        device,
        rate,
        stall_timeout,
        last_samples: Instant::now(),
        n_seen: 0,
        position: 0,
        is_over: false,
    };
    (sink, source)
}

impl CaptureSource {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The device starts to deliver now.
    pub(super) fn start_clock(&mut self) {
        self.last_samples = Instant::now();
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests play the outside world, which keeps its own time
mod tests {
    use super::*;
    use crate::audio::ChannelChoice;
    use crate::audio::capture_state::CaptureCounts;

    fn ring(capacity: usize) -> (CaptureSink, CaptureSource) {
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        capture_ring("test".to_owned(), SampleRate::MODEL, map, capacity, Duration::from_secs(5))
    }

    /// Samples that tell their place.
    fn block(from: u64, n: usize) -> Vec<f32> {
        (from..from + n as u64).map(|place| place as f32).collect()
    }

    /// Reads to the end and checks that each sample is where the clock says. Returns samples read and lost.
    fn drain(source: &mut CaptureSource, clock: &mut u64) -> (u64, u64) {
        let (mut n_read, mut n_lost) = (0, 0);
        let mut chunk = [0.0; 17];
        loop {
            match source.read(&mut chunk).unwrap() {
                Read::Samples(n) => {
                    assert_eq!(chunk[..n], block(*clock, n));
                    *clock += n as u64;
                    n_read += n as u64;
                }
                Read::Gap { lost_samples } => {
                    assert!(lost_samples > 0);
                    *clock += lost_samples;
                    n_lost += lost_samples;
                }
                Read::End => return (n_read, n_lost),
            }
        }
    }

    #[test]
    fn what_has_no_room_is_lost_in_one_gap_at_its_place() {
        let (mut sink, mut source) = ring(25);
        for first in [0, 10, 20, 30] {
            sink.push(&block(first, 10), |s| s);
        }
        let mut chunk = [0.0; 20];
        assert_eq!(source.read(&mut chunk).unwrap(), Read::Samples(20));
        sink.push(&block(40, 10), |s| s);
        assert_eq!(source.read(&mut chunk).unwrap(), Read::Samples(5));
        assert_eq!(chunk[4], 24.0);
        assert_eq!(source.read(&mut chunk).unwrap(), Read::Gap { lost_samples: 15 });
        assert_eq!(source.read(&mut chunk[..10]).unwrap(), Read::Samples(10));
        assert_eq!(chunk[0], 40.0);
        let counts = source.counters().counts();
        let expected =
            CaptureCounts { samples_delivered: 35, samples_lost: 15, overruns: 1, ..CaptureCounts::default() };
        assert_eq!(counts, expected);
    }

    #[test]
    fn losses_at_the_end_are_told_before_the_end() {
        let (mut sink, mut source) = ring(8);
        sink.push(&block(0, 20), |s| s);
        drop(sink);
        let mut clock = 0;
        assert_eq!(drain(&mut source, &mut clock), (8, 12));
        assert_eq!(source.read(&mut [0.0]).unwrap(), Read::End);
    }

    #[test]
    fn with_all_gap_records_in_use_the_gap_grows() {
        let (mut sink, mut source) = ring(1000);
        let mut place = 0;
        // Each round is an overrun that is over at the next block, while the reader never comes.
        for round in 0..GAPS_MAX + 5 {
            sink.n_lost += 3;
            place += 3;
            sink.push(&block(place, 2), |s| s);
            place += 2;
            assert_eq!(sink.n_lost == 0, round < GAPS_MAX, "round {round}");
        }
        drop(sink);
        let mut clock = 0;
        let (n_read, n_lost_told) = drain(&mut source, &mut clock);
        assert_eq!(n_read, 2 * GAPS_MAX as u64);
        assert_eq!(n_read + n_lost_told, place);
    }

    #[test]
    fn a_block_larger_than_the_ring_is_delivered_in_part_each_time() {
        let (mut sink, mut source) = ring(8);
        sink.push(&block(0, 20), |s| s);
        assert_eq!(source.read(&mut [0.0; 20]).unwrap(), Read::Samples(8));
        sink.push(&block(20, 20), |s| s);
        assert_eq!(source.read(&mut [0.0; 20]).unwrap(), Read::Gap { lost_samples: 12 });
        assert_eq!(source.read(&mut [0.0; 20]).unwrap(), Read::Samples(8));
    }

    #[test]
    fn nothing_is_lost_uncounted_between_two_threads() {
        let (mut sink, mut source) = ring(300);
        let n_blocks = 20_000u64;
        let writer = thread::spawn(move || {
            for n in 0..n_blocks {
                // Places stay below 2^24, where f32 counts exactly.
                sink.push(&block(n * 50, 50), |s| s);
                if n % 64 == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut clock = 0;
        let (n_read, n_lost) = drain(&mut source, &mut clock);
        writer.join().unwrap();
        let counts = source.counters().counts();
        assert_eq!(clock, n_blocks * 50);
        assert_eq!((counts.samples_delivered, counts.samples_lost), (n_read, n_lost));
    }

    #[test]
    fn dropping_the_sink_wakes_the_reader() {
        let (sink, mut source) = ring(10);
        let reader = thread::spawn(move || {
            let began = Instant::now();
            (source.read(&mut [0.0]).unwrap(), began.elapsed())
        });
        thread::sleep(Duration::from_millis(50));
        drop(sink);
        let (read, waited) = reader.join().unwrap();
        assert_eq!(read, Read::End);
        assert!(waited < Duration::from_secs(3), "it slept until its timeout: {waited:?}");
    }

    #[test]
    fn the_reader_is_woken_once_for_a_whole_chunk() {
        let (mut sink, mut source) = ring(100);
        let reader = thread::spawn(move || {
            let mut chunk = [0.0; 30];
            (source.read(&mut chunk).unwrap(), chunk)
        });
        for first in [0, 10] {
            sink.push(&block(first, 10), |s| s);
            thread::sleep(Duration::from_millis(20));
            assert!(!reader.is_finished(), "{} samples are no chunk of 30", first + 10);
        }
        sink.push(&block(20, 10), |s| s);
        let (read, chunk) = reader.join().unwrap();
        assert_eq!(read, Read::Samples(30));
        assert_eq!(chunk[29], 29.0);
    }

    #[test]
    fn a_ring_of_little_more_than_a_block_loses_nothing_to_a_reader_that_wants_more() {
        for (capacity, n_block, n_wanted) in [(1600, 1600, 1280), (4800, 1920, 4320), (1600, 1120, 1280)] {
            let (mut sink, mut source) = ring(capacity);
            let mut chunk = vec![0.0; n_wanted];
            let (mut n_read, n_blocks) = (0, 50);
            for i in 0..n_blocks {
                sink.push(&block((i * n_block) as u64, n_block), |s| s);
                // As the reader does when it is woken: what remains is less than a chunk and leaves room for a block.
                while let Some(read) = source.take(&mut chunk, false) {
                    let Read::Samples(n) = read else { panic!("{read:?} with {capacity}, {n_block}, {n_wanted}") };
                    n_read += n;
                }
            }
            let counts = source.counters().counts();
            assert_eq!(counts.samples_lost, 0, "{capacity}, {n_block}, {n_wanted}");
            assert!(n_read + n_wanted > n_blocks * n_block);
        }
    }

    #[test]
    fn silence_of_the_device_is_an_error() {
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let (mut sink, mut source) =
            capture_ring("test".to_owned(), SampleRate::MODEL, map, 10, Duration::from_millis(30));
        sink.push(&[0.5], |s| s);
        let began = Instant::now();
        // Less than a chunk, but not lost.
        assert_eq!(source.read(&mut [0.0; 4]).unwrap(), Read::Samples(1));
        assert!(began.elapsed() >= Duration::from_millis(30));
        assert!(matches!(source.read(&mut [0.0; 4]), Err(AudioError::DeviceSilent { .. })));
        assert_eq!(source.read(&mut [0.0; 4]).unwrap(), Read::End);
    }

    #[test]
    fn a_capture_that_is_finished_ends_after_what_was_captured() {
        let (mut sink, mut source) = ring(10);
        let monitor = source.monitor();
        assert!(monitor.first_block().is_none() && monitor.last_block().is_none());
        sink.push(&[0.5, 0.25], |s| s);
        sink.push(&[0.125], |s| s);
        let (first, n_first) = monitor.first_block().unwrap();
        assert!(n_first == 2 && monitor.last_block().unwrap() >= first);
        monitor.finish();
        sink.push(&[1.0], |s| s);
        assert_eq!(source.read(&mut [0.0; 8]).unwrap(), Read::Samples(3));
        assert_eq!(source.read(&mut [0.0; 8]).unwrap(), Read::End);
        assert_eq!(monitor.counts().samples_delivered, 3);
    }

    #[test]
    fn a_fault_comes_after_the_samples_before_it() {
        let (mut sink, mut source) = ring(10);
        sink.push(&[0.5], |s| s);
        source.shared().fail(|| "unplugged".to_owned());
        source.shared().fail(|| unreachable!("only the first reason is kept"));
        assert_eq!(source.read(&mut [0.0; 4]).unwrap(), Read::Samples(1));
        let error = source.read(&mut [0.0; 4]).unwrap_err();
        assert!(matches!(error, AudioError::DeviceLost { reason, .. } if reason == "unplugged"));
        assert_eq!(source.read(&mut [0.0; 4]).unwrap(), Read::End);
    }
}
