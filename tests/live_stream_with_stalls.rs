//! Sound fed at high speed into the ring of a supervised microphone, with a reader that stalls at random: what is lost is lost to the
//! sample where it is told, and the events are those that `label` finds in the same samples with silence in the gaps.
//!
//! `TRIPWORD_HOURS=8` feeds so many hours instead of a few minutes.
#![allow(unsafe_code)] // the raw block that cpal hands to its callback
#![allow(clippy::print_stdout)] // a test may say what it measured

mod common;
#[path = "common/kept.rs"]
mod kept;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::Random;
use cpal::{Data, SampleFormat};
use kept::Kept;
use tripword::audio::capture::{CaptureConfig, CaptureSource, capture_callback};
use tripword::audio::history::AudioHistory;
use tripword::audio::supervised::{OpenDevice, Opened, SupervisedSource, SupervisionConfig, supervise};
use tripword::audio::wav::WavSource;
use tripword::audio::{AudioError, AudioSource, ChannelChoice, Read, read_to_end};
use tripword::bundle::{Bundle, locate};
use tripword::daemon::{Daemon, Overflow, Setup};
use tripword::events::WakeEvent;
use tripword::label::{Channels, LabelOutputs, Labeller, Recording};
use tripword::units::{Milliseconds, SampleRate};

const RATE: usize = 16_000;
/// A card hands over 20 ms at a time.
const BLOCK: usize = RATE / 50;
const RING: Milliseconds = Milliseconds(2000);
/// How far the sound may be ahead of its reader where nobody stalls: less than the ring holds.
const AHEAD_MAX: u64 = RATE as u64;
/// What is lost at a stall, at most: more is cut for the network, though not for the clock.
const LOST_MAX: usize = 17 * RATE / 10;
/// No wait is long, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// Sound without end, the same again from the same seed: words of the demo between noise, silence and talk backwards. All samples are
/// such as 16 bits can hold.
struct Sound<'a> {
    random: Random,
    demo: &'a [f32],
    ready: Vec<f32>,
    n_taken: usize,
}

impl<'a> Sound<'a> {
    fn new(demo: &'a [f32]) -> Self {
        Self { random: Random::new(8), demo, ready: Vec::new(), n_taken: 0 }
    }

    fn fill(&mut self, block: &mut [f32]) {
        for sample in block {
            if self.n_taken == self.ready.len() {
                self.scene();
            }
            *sample = self.ready[self.n_taken];
            self.n_taken += 1;
        }
    }

    /// Something else, and then some seconds of the demo, which says a word every six of them.
    fn scene(&mut self) {
        let random = &mut self.random;
        let n_other = RATE / 2 + random.below(5 * RATE);
        let level = 10f32.powf(-2.5 + 1.2 * random.value());
        let kind = random.below(3);
        let start = random.below(self.demo.len());
        self.ready.clear();
        for i in 0..n_other {
            self.ready.push(match kind {
                0 => 0.0,
                1 => level * random.value(),
                _ => self.demo[(start + n_other - i) % self.demo.len()],
            });
        }
        let start = random.below(self.demo.len() - 8 * RATE);
        let gain = 10f32.powf(0.4 * random.value());
        for &sample in &self.demo[start..start + 8 * RATE] {
            self.ready.push(gain * sample + 0.001 * random.value());
        }
        for sample in &mut self.ready {
            *sample = (*sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0;
        }
        self.n_taken = 0;
    }
}

/// A device that is already open.
struct Card(Option<CaptureSource>);

impl OpenDevice for Card {
    fn open(&mut self, _: Option<&str>) -> Result<Opened, AudioError> {
        let source = self.0.take().ok_or_else(|| AudioError::DeviceEnded { device: "card".to_owned() })?;
        Ok(Opened { stream: Box::new(()), source, n_channels: 1, sample_format: "f32".to_owned() })
    }
}

/// Makes its reader stall, and notes the gaps it is told.
struct Stalling {
    source: SupervisedSource,
    /// Whether to stall, and whether it does.
    stall: Arc<(AtomicBool, AtomicBool)>,
    position: u64,
    gaps: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl AudioSource for Stalling {
    fn sample_rate(&self) -> SampleRate {
        self.source.sample_rate()
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        while self.stall.0.load(Ordering::Acquire) {
            self.stall.1.store(true, Ordering::Release);
            thread::park_timeout(Duration::from_micros(100));
        }
        self.stall.1.store(false, Ordering::Release);
        let read = self.source.read(chunk)?;
        match read {
            Read::Samples(n) => self.position += n as u64,
            Read::Gap { lost_samples } => {
                self.gaps.lock().unwrap().push((self.position, lost_samples));
                self.position += lost_samples;
            }
            Read::End => {}
        }
        Ok(read)
    }
}

/// What does not depend on the stream's name and the time of day.
fn essence(events: &[WakeEvent]) -> Vec<(String, u64, u64, u32)> {
    events.iter().map(|e| (e.word.clone(), e.start_sample, e.time_sample, e.score.to_bits())).collect()
}

#[test]
fn no_event_is_lost_to_stalls_and_gaps_are_placed_to_the_sample() {
    let hours: f64 =
        std::env::var("TRIPWORD_HOURS").map_or(0.1, |text| text.parse().expect("TRIPWORD_HOURS is a number"));
    let n_total = (hours * 3600.0 * RATE as f64) as u64 / BLOCK as u64 * BLOCK as u64;
    let bundle = Arc::new(Bundle::load(&locate("six-words", None).unwrap()).unwrap());
    let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    let demo = read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap();

    // The live side.
    let config = CaptureConfig { ring: RING, stall_timeout: DEADLINE, ..CaptureConfig::default() };
    let (mut callback, source) = capture_callback("card".to_owned(), SampleRate::MODEL, 1, &config).unwrap();
    let counters = source.counters().clone();
    let mut sound = Sound::new(&demo);
    let mut block = vec![0.0f32; BLOCK];
    let mut n_fed = 0u64;
    let mut feed = || {
        sound.fill(&mut block);
        // SAFETY: the pointer, the number and the kind of the samples are the vector's.
        callback(&unsafe { Data::from_parts(block.as_mut_ptr().cast(), BLOCK, SampleFormat::F32) });
        n_fed += BLOCK as u64;
        n_fed
    };
    // A device is open when it delivers.
    feed();
    let supervision = SupervisionConfig { watch_pace: false, ..SupervisionConfig::default() };
    let (source, stop_handle, watch) = supervise(Card(Some(source)), supervision).unwrap();
    let (stall, gaps, events) = (Arc::<(AtomicBool, AtomicBool)>::default(), Arc::default(), Arc::default());
    let source = Stalling { source, stall: Arc::clone(&stall), position: 0, gaps: Arc::clone(&gaps) };
    let daemon = Daemon::start(Setup {
        source: Box::new(source),
        stop_handle: Box::new(stop_handle),
        bundle: bundle.clone(),
        sinks: vec![Box::new(Kept(Arc::clone(&events)))],
        overflow: Overflow::Wait,
        history: AudioHistory::new(Milliseconds(4000)),
        heartbeat: Box::new(|_| {}),
    })
    .unwrap();
    let wait = |is_over: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_over() {
            assert!(began.elapsed() < DEADLINE, "nobody reads any more: {:?}", daemon.stats().summary());
            thread::park_timeout(Duration::from_micros(50));
        }
    };
    let stats = daemon.stats();
    let mut random = Random::new(5);
    let mut next_stall = 20 * RATE as u64;
    let mut fed = BLOCK as u64;
    let mut n_stalls = 0;
    let began = Instant::now();
    while fed < n_total {
        wait(&|| counters.counts().samples_delivered <= stats.n_samples.get() + AHEAD_MAX);
        fed = feed();
        if fed > next_stall && fed + 10 * (RATE as u64) < n_total {
            stall.0.store(true, Ordering::Release);
            // It is reading, and comes to the gate with the next chunk.
            while !stall.1.load(Ordering::Acquire) {
                fed = feed();
                thread::park_timeout(Duration::from_micros(500));
            }
            let n_lost = counters.counts().samples_lost + 1 + random.below(LOST_MAX) as u64;
            while counters.counts().samples_lost < n_lost {
                fed = feed();
            }
            stall.0.store(false, Ordering::Release);
            n_stalls += 1;
            next_stall = fed + (RATE * (5 + random.below(60))) as u64;
        }
    }
    let (summary, result) = daemon.stop();
    result.unwrap();
    let took = began.elapsed();
    drop(callback);
    let (counts, status) = (counters.counts(), watch.status());
    let gaps: Vec<(u64, u64)> = gaps.lock().unwrap().clone();
    let n_lost: u64 = gaps.iter().map(|(_, n)| n).sum();
    assert!(n_stalls > 0 && gaps.len() >= n_stalls, "{n_stalls} stalls, {} gaps", gaps.len());
    assert_eq!((counts.samples_delivered + counts.samples_lost, counts.samples_lost), (fed, n_lost));
    assert_eq!(
        (summary.n_lost_samples, summary.n_gaps, counts.overruns),
        (n_lost, gaps.len() as u64, gaps.len() as u64)
    );
    assert_eq!((status.samples_lost, status.overruns, status.n_losses), (n_lost, gaps.len() as u64, 0));

    // The same samples in a file, with silence in the gaps.
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("card.wav");
    write_with_gaps(&wav, &demo, fed, &gaps);
    let nobody = AtomicBool::new(false);
    let outputs = LabelOutputs::default();
    let labeller = Labeller {
        bundle: &bundle,
        outputs: &outputs,
        channels: Channels::Choice(ChannelChoice::Mix),
        cancelled: &nobody,
    };
    let labelled = labeller.label(&Recording::named(&wav), &|_| {}).unwrap();
    let labelled: Vec<WakeEvent> = labelled.events().cloned().collect();
    let heard = events.lock().unwrap();
    println!(
        "{:.2} h in {:.0} s: {} stalls, {} gaps of {n_lost} samples, {} events, label {}",
        fed as f64 / RATE as f64 / 3600.0,
        took.as_secs_f64(),
        n_stalls,
        gaps.len(),
        heard.len(),
        labelled.len()
    );
    assert!(labelled.len() as f64 > 100.0 * hours, "{} events", labelled.len());
    assert_eq!(essence(&heard), essence(&labelled));
}

fn write_with_gaps(path: &Path, demo: &[f32], n_samples: u64, gaps: &[(u64, u64)]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let mut sound = Sound::new(demo);
    let mut block = vec![0.0; BLOCK];
    let mut gaps = gaps.iter().peekable();
    let mut position = 0;
    while position < n_samples {
        sound.fill(&mut block);
        for sample in &block {
            gaps.next_if(|(start, n)| start + n <= position);
            let is_lost = gaps.peek().is_some_and(|(start, _)| *start <= position);
            writer.write_sample(if is_lost { 0 } else { (sample * 32_768.0) as i16 }).unwrap();
            position += 1;
        }
    }
    writer.finalize().unwrap();
}
