//! The live path allocates nothing, from the audio callback to the event: the daemon's own threads behind the real capture
//! ring, all of them counted together.
//!
//! One test in a process of its own: the allocator counts what every thread does.
#![cfg(target_os = "linux")] // where it can be seen what a thread is doing
#![allow(unsafe_code)] // an allocator, and the raw block that cpal hands to its callback

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::{random_bundle, random_sound};
use cpal::Data;
use tripword::audio::AudioError;
use tripword::audio::capture::{CaptureConfig, CaptureCounters, CaptureSource, capture_callback};
use tripword::audio::history::AudioHistory;
use tripword::audio::supervised::{OpenDevice, Opened, SupervisionConfig, supervise};
use tripword::daemon::{Daemon, Overflow, Setup};
use tripword::events::{EventSink, JsonLines};
use tripword::pipeline::samples_per_step;
use tripword::units::{Milliseconds, SampleRate};

/// Hands every request to the system, and counts those for memory.
struct Counting;

static N_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator keeps the contract; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: as the caller vouches, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        N_ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// A card hands over 20 ms at a time.
const PORTIONS_A_SECOND: usize = 50;
/// How far the sound may be ahead of the network: less than the ring holds, so that nothing is lost.
const AHEAD_MAX_S: f64 = 1.0;
/// The strings of an event, its wall time, its line of JSON.
const ALLOCATIONS_PER_EVENT: u64 = 10;
/// Twice the length of the sound, so that nothing new is heard after it.
const WARM_UP_S: f64 = 20.0;
const SOUND_S: usize = 10;
/// No wait is long, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A device that is already open.
struct Card(Option<CaptureSource>);

impl OpenDevice for Card {
    fn open(&mut self, _: Option<&str>) -> Result<Opened, AudioError> {
        let source = self.0.take().ok_or_else(|| AudioError::DeviceEnded { device: "test".to_owned() })?;
        Ok(Opened { stream: Box::new(()), source, n_channels: 1, sample_format: "raw".to_owned() })
    }
}

/// A detector behind a sound card that the test plays to.
struct Live<S, C> {
    daemon: Daemon,
    callback: C,
    counters: Arc<CaptureCounters>,
    seconds_per_step: f64,
    /// What is played, over and over, in portions of 20 ms.
    sound: Vec<S>,
    samples_per_portion: usize,
    n_portions: usize,
}

/// Starts a detector on a card of this rate whose channels carry different sounds.
fn start<S: cpal::SizedSample>(
    threshold: f32,
    rate: SampleRate,
    n_channels: u16,
    from_f32: impl Fn(f32) -> S,
) -> Live<S, impl FnMut(&Data)> {
    let mut bundle = random_bundle(3);
    for word in &mut bundle.manifest.words {
        word.trigger.threshold = threshold;
    }
    let seconds_per_step = SampleRate::MODEL.seconds(samples_per_step(&bundle.manifest));
    let config = CaptureConfig { stall_timeout: DEADLINE, ..CaptureConfig::default() };
    let (mut callback, source) = capture_callback("test".to_owned(), rate, n_channels, &config).unwrap();
    let counters = source.counters().clone();
    let n_frames = rate.hz() as usize * SOUND_S;
    let channels: Vec<_> = (0..n_channels).map(|channel| random_sound(u64::from(channel) + 5, n_frames)).collect();
    let mut sound: Vec<S> =
        (0..n_frames).flat_map(|i| channels.iter().map(move |channel| channel[i])).map(from_f32).collect();
    let samples_per_portion = rate.hz() as usize / PORTIONS_A_SECOND * usize::from(n_channels);
    // A device is open when it delivers.
    play_portion(&mut callback, &mut sound[..samples_per_portion]);
    let supervision = SupervisionConfig { watch_pace: false, ..SupervisionConfig::default() };
    let (source, stop_handle, _) = supervise(Card(Some(source)), supervision).unwrap();
    let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(JsonLines::new(std::io::sink()))];
    let daemon = Daemon::start(Setup {
        source: Box::new(source),
        stop_handle: Box::new(stop_handle),
        bundle: Arc::new(bundle),
        sinks,
        overflow: Overflow::CountAndDrop,
        history: AudioHistory::new(Milliseconds(4000)),
        heartbeat: Box::new(|_| {}),
    })
    .unwrap();
    Live { daemon, callback, counters, seconds_per_step, sound, samples_per_portion, n_portions: 1 }
}

fn play_portion<S: cpal::SizedSample>(callback: &mut impl FnMut(&Data), portion: &mut [S]) {
    // SAFETY: the pointer, the number and the kind of the samples are the slice's.
    let data = unsafe { Data::from_parts(portion.as_mut_ptr().cast(), portion.len(), S::FORMAT) };
    callback(&data);
}

impl<S: cpal::SizedSample, C: FnMut(&Data)> Live<S, C> {
    fn played_s(&self) -> f64 {
        self.n_portions as f64 / PORTIONS_A_SECOND as f64
    }

    /// Waits until the network is no more than `seconds` behind and every event is handled.
    fn wait_until_behind_by(&self, seconds: f64) {
        let stats = self.daemon.stats();
        let began = Instant::now();
        while self.played_s() - stats.n_steps.get() as f64 * self.seconds_per_step > seconds
            || stats.n_handled_events.get() < stats.n_events.get()
        {
            assert!(began.elapsed() < DEADLINE, "the daemon hears nothing any more");
            thread::park_timeout(Duration::from_micros(100));
        }
    }

    /// Waits until all threads but this one sleep, the daemon's three, the device's and the test harness's: a thread's first sleep asks for
    /// memory, and a busy machine may put it off for long.
    fn wait_until_asleep(&self) {
        let stats = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
            tasks.map(|task| std::fs::read_to_string(task.path().join("stat")).unwrap_or_default()).collect::<Vec<_>>()
        };
        let is_everybody_asleep = |stats: &[String]| {
            stats.iter().filter(|stat| stat.contains("(tw-")).count() == 4
                && stats.iter().filter(|stat| !stat.contains(") S ")).count() == 1
        };
        let began = Instant::now();
        while !is_everybody_asleep(&stats()) {
            assert!(began.elapsed() < DEADLINE, "somebody never sleeps: {:?}", stats());
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Plays so much, as fast as the network hears it; gives how often memory was asked for meanwhile, and the events.
    fn play(&mut self, seconds: f64) -> (u64, u64) {
        let counts = |daemon: &Daemon| (N_ALLOCATIONS.load(Relaxed), daemon.stats().n_events.get());
        let before = counts(&self.daemon);
        let end_s = self.played_s() + seconds;
        while self.played_s() < end_s {
            self.wait_until_behind_by(AHEAD_MAX_S);
            let n = self.samples_per_portion;
            // The sound is a whole number of portions.
            let first = self.n_portions * n % self.sound.len();
            play_portion(&mut self.callback, &mut self.sound[first..][..n]);
            self.n_portions += 1;
        }
        // The step and the blocks of resampler and features that are begun.
        self.wait_until_behind_by(0.2);
        let after = counts(&self.daemon);
        (after.0 - before.0, after.1 - before.1)
    }

    fn stop(self) {
        let played_s = self.played_s();
        let (summary, result) = self.daemon.stop();
        result.unwrap();
        drop(self.callback);
        assert_eq!((self.counters.counts().samples_lost, summary.n_gaps, summary.n_dropped_events), (0, 0, 0));
        assert!((summary.audio_s - played_s).abs() < 0.001, "{} s of {played_s} s were heard", summary.audio_s);
    }
}

fn check<S: cpal::SizedSample, C: FnMut(&Data)>(start: impl Fn(f32) -> Live<S, C>) {
    let mut silent = start(1.0);
    silent.play(WARM_UP_S);
    silent.wait_until_asleep();
    assert_eq!(silent.play(60.0), (0, 0), "(allocations, events)");
    silent.stop();

    let mut awake = start(0.5);
    awake.play(WARM_UP_S);
    awake.wait_until_asleep();
    let (n_allocations, n_events) = awake.play(60.0);
    assert!(n_events > 10, "words were heard: {n_events}");
    assert!(n_allocations <= ALLOCATIONS_PER_EVENT * n_events, "{n_allocations} for {n_events} events");
    awake.stop();
}

// One test: two would count each other's allocations.
#[test]
fn nothing_is_allocated_from_the_audio_callback_to_the_event() {
    check(|threshold| start(threshold, SampleRate::new(48_000), 2, |x| (x * 20_000.0) as i16));
    check(|threshold| start(threshold, SampleRate::MODEL, 1, |x| x));
}
