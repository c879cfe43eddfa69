//! The supervisor with devices that live and die by a script. They deliver in real time; each sample tells when it was taken.
#![allow(clippy::disallowed_methods)] // tests play the outside world, which keeps its own time

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::audio::capture_ring::capture_ring;
use crate::audio::capture_state::Shared;
use crate::audio::channels::MonoMap;
use crate::audio::{AudioSource, ChannelChoice, Read};
use crate::units::SampleRate;

const RATE: SampleRate = SampleRate::MODEL;
const BLOCK: usize = 160;
/// The machine may be busy with other things than these tests.
const SLACK_S: f64 = 0.25;

/// What a device does from its opening on.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// Delivers for ever.
    Healthy,
    /// Delivers for so long, and fails.
    Fails(Duration),
    /// Delivers for so long, and then nothing, without an error.
    Mute(Duration),
    /// Delivers sound without end as fast as it can.
    NoClock,
    /// Delivers; closing it takes for ever, or nearly.
    HangsAtClose,
    /// Cannot be opened.
    Absent,
}

/// A device's thread.
struct Player {
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    close_takes: Duration,
}

impl Drop for Player {
    fn drop(&mut self) {
        std::thread::sleep(self.close_takes);
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The lives of each device: an opening takes the next, the last one again and again.
type Lives = Vec<(&'static str, VecDeque<Life>)>;

/// The devices there are.
#[derive(Clone)]
struct Machine {
    origin: Instant,
    lives: Arc<Mutex<Lives>>,
    /// All openings that were tried.
    tried: Arc<Mutex<Vec<(String, Instant)>>>,
    n_open: Arc<AtomicU64>,
    stall_timeout: Duration,
}

impl Machine {
    fn new(lives: &[(&'static str, &[Life])]) -> Self {
        let lives = lives.iter().map(|(name, lives)| (*name, lives.iter().copied().collect())).collect();
        Self {
            origin: Instant::now(),
            lives: Arc::new(Mutex::new(lives)),
            tried: Arc::default(),
            n_open: Arc::default(),
            stall_timeout: Duration::from_millis(400),
        }
    }

    fn set(&self, name: &str, life: Life) {
        let mut lives = self.lives.lock().unwrap();
        lives.iter_mut().find(|(known, _)| *known == name).unwrap().1 = [life].into();
    }

    /// With pauses that tests can wait for.
    fn config(&self, device: Option<&str>) -> SupervisionConfig {
        SupervisionConfig {
            device: device.map(str::to_owned),
            stall_timeout: self.stall_timeout,
            retry: RetryConfig {
                pause_min: Duration::from_millis(20),
                pause_max: Duration::from_millis(100),
                fallback_after: Some(Duration::from_millis(200)),
                look_for_preferred_every: Duration::from_millis(200),
                ..RetryConfig::default()
            },
            ..SupervisionConfig::default()
        }
    }

    fn start(&self, config: SupervisionConfig) -> Listener {
        let (source, stop, watch) = supervise(self.clone(), config).unwrap();
        Listener { source, stop: Some(stop), watch, position: 0, offset: None, gaps: Vec::new() }
    }
}

/// The number of the sample that is taken now, small enough for an `f32` to count exactly.
fn sample_number(origin: Instant) -> u64 {
    RATE.samples(origin.elapsed().as_secs_f64())
}

impl OpenDevice for Machine {
    fn open(&mut self, device: Option<&str>) -> Result<Opened, AudioError> {
        let name = device.unwrap_or("default").to_owned();
        self.tried.lock().unwrap().push((name.clone(), Instant::now()));
        let life = {
            let mut lives = self.lives.lock().unwrap();
            let known = lives.iter_mut().find(|(known, _)| *known == name);
            let Some((_, lives)) = known else {
                return Err(AudioError::UnknownDevice { wanted: name, choices: "others".to_owned() });
            };
            if lives.len() > 1 { lives.pop_front().unwrap() } else { lives[0] }
        };
        if matches!(life, Life::Absent) {
            return Err(AudioError::DeviceUnavailable { device: name, reason: "it is not there".to_owned() });
        }
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let (mut sink, source) = capture_ring(name, RATE, map, 32_000, self.stall_timeout);
        let shared: Arc<Shared> = Arc::clone(source.shared());
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (flag, origin, n_open) = (is_stopped.clone(), self.origin, self.n_open.clone());
        let began = Instant::now();
        n_open.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::spawn(move || {
            let mut place = sample_number(origin);
            while !flag.load(Ordering::Relaxed) {
                match life {
                    Life::Fails(after) if began.elapsed() >= after => shared.fail(|| "it fell".to_owned()),
                    Life::Mute(after) if began.elapsed() >= after => {}
                    Life::NoClock => sink.push(&[0.0; BLOCK], |s| s),
                    _ => {
                        while place + BLOCK as u64 <= sample_number(origin) {
                            let block: Vec<f32> = (place..place + BLOCK as u64).map(|place| place as f32).collect();
                            sink.push(&block, |s| s);
                            place += BLOCK as u64;
                        }
                    }
                }
                if !matches!(life, Life::NoClock) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            n_open.fetch_sub(1, Ordering::Relaxed);
        });
        let close_takes = if matches!(life, Life::HangsAtClose) { Duration::from_secs(3) } else { Duration::ZERO };
        let player = Player { is_stopped, thread: Some(thread), close_takes };
        Ok(Opened { stream: Box::new(player), source, n_channels: 1, sample_format: "f32".to_owned() })
    }
}

/// Who reads, and checks that positions in the stream are those of the wall clock.
struct Listener {
    source: SupervisedSource,
    stop: Option<DeviceStop>,
    watch: DeviceWatch,
    position: u64,
    /// Number of the sample at position 0.
    offset: Option<f64>,
    gaps: Vec<u64>,
}

impl Listener {
    /// Reads until `is_enough` says so; gives whether the stream goes on.
    fn listen(&mut self, mut is_enough: impl FnMut(&Self) -> bool) -> bool {
        let mut chunk = [0.0; 1280];
        let began = Instant::now();
        while !is_enough(self) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", self.watch.status());
            match self.source.read(&mut chunk).unwrap() {
                Read::Samples(n) => {
                    // The sound without a clock is silence, which tells nothing.
                    if chunk[0] > 0.0 {
                        let offset = f64::from(chunk[0]) - self.position as f64;
                        let expected = *self.offset.get_or_insert(offset);
                        let error_s = (offset - expected) / f64::from(RATE.hz());
                        assert!(error_s.abs() < SLACK_S, "position {} is wrong by {error_s} s", self.position);
                    }
                    self.position += n as u64;
                }
                Read::Gap { lost_samples } => {
                    assert!(lost_samples > 0);
                    self.gaps.push(lost_samples);
                    self.position += lost_samples;
                }
                Read::End => return false,
            }
        }
        true
    }

    fn listen_for(&mut self, seconds: f64) -> bool {
        let end = self.position + RATE.samples(seconds);
        self.listen(|listener| listener.position >= end)
    }

    fn lost_s(&self) -> f64 {
        RATE.seconds(self.gaps.iter().sum())
    }
}

#[test]
fn a_device_that_fails_is_opened_again_and_the_clock_goes_on() {
    let machine = Machine::new(&[(
        "default",
        &[Life::Fails(Duration::from_millis(300)), Life::Absent, Life::Absent, Life::Healthy],
    )]);
    let mut listener = machine.start(machine.config(None));
    assert!(listener.listen(|listener| listener.watch.status().n_reopenings == 1));
    assert!(listener.listen_for(0.5));
    // Pauses of 20, 40 and 80 ms.
    let lost_s = listener.lost_s();
    assert!((0.1..0.1 + 2.0 * SLACK_S).contains(&lost_s), "{lost_s} s");
    let status = listener.watch.status();
    assert_eq!((status.state, status.n_losses, status.n_failed_openings), (DeviceState::Listening, 1, 2));
    assert!(status.samples_delivered >= 11_000, "of both captures: {}", status.samples_delivered);
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!((&json["state"], &json["device"]), (&"listening".into(), &"default".into()));
    drop(listener.stop.take());
    assert!(!listener.listen(|_| false));
    assert_eq!(machine.n_open.load(Ordering::Relaxed), 0, "all are closed");
}

#[test]
fn silence_of_the_callbacks_is_a_loss_and_a_long_gap_is_told_while_it_lasts() {
    let machine = Machine::new(&[("default", &[Life::Mute(Duration::from_millis(300)), Life::Absent])]);
    let mut listener = machine.start(machine.config(None));
    assert!(listener.listen(|listener| !listener.gaps.is_empty()));
    // Nobody is there yet, and the first second is told.
    let status = listener.watch.status();
    assert_eq!(status.state, DeviceState::Away);
    assert!(status.last_reason.unwrap().contains("default"));
    assert!((RATE.seconds(listener.gaps[0]) - 1.0).abs() < SLACK_S, "{:?}", listener.gaps);
    machine.set("default", Life::Healthy);
    assert!(listener.listen_for(1.0));
    assert_eq!(listener.watch.status().state, DeviceState::Listening);
    assert!(listener.gaps.len() == 2 && listener.lost_s() < 1.0 + 2.0 * SLACK_S, "{:?}", listener.gaps);
}

#[test]
fn the_default_device_stands_in_and_the_preferred_one_is_taken_again() {
    let machine = Machine::new(&[
        ("mic", &[Life::Fails(Duration::from_millis(200)), Life::Absent]),
        ("default", &[Life::Healthy]),
    ]);
    let mut listener = machine.start(machine.config(Some("mic")));
    assert_eq!(listener.source.name(), "mic");
    assert!(listener.listen(|listener| listener.watch.status().state == DeviceState::Fallback));
    assert!(listener.listen_for(0.5));
    assert_eq!(listener.source.name(), "default");
    // The preferred one is there, but delivers nothing: it is left alone, and the other is still heard.
    machine.set("mic", Life::Mute(Duration::ZERO));
    assert!(listener.listen_for(1.0));
    assert_eq!(listener.source.name(), "default");
    let n_gaps = listener.gaps.len();
    machine.set("mic", Life::Healthy);
    assert!(listener.listen(|listener| listener.source.name() == "mic"));
    assert!(listener.listen_for(0.5));
    let status = listener.watch.status();
    assert_eq!((status.state, status.device.as_deref()), (DeviceState::Listening, Some("mic")));
    assert_eq!((status.n_losses, status.n_reopenings), (1, 2));
    // Opened while the other was heard: next to nothing is lost, and nothing is heard twice (positions tell).
    let lost_s = RATE.seconds(listener.gaps[n_gaps..].iter().sum());
    assert!(lost_s < SLACK_S, "{lost_s} s");
}

#[test]
fn a_missing_microphone_is_an_error_at_the_start_unless_it_is_waited_for() {
    let machine = Machine::new(&[("mic", &[Life::Absent]), ("default", &[Life::Healthy])]);
    let error = supervise(machine.clone(), machine.config(Some("mic"))).map(drop).unwrap_err();
    assert!(matches!(error, AudioError::DeviceUnavailable { .. }), "{error}");
    let tried: Vec<String> = machine.tried.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(tried, ["mic"]);
    let error = supervise(machine.clone(), machine.config(Some("typo"))).map(drop).unwrap_err();
    assert!(matches!(error, AudioError::UnknownDevice { .. }), "{error}");

    let retry = RetryConfig { fallback_after: None, ..machine.config(None).retry };
    let config = SupervisionConfig { wait_for_device: true, retry, ..machine.config(Some("mic")) };
    let mut listener = machine.start(config);
    assert_eq!((listener.source.name(), listener.watch.status().state), ("mic", DeviceState::Waiting));
    assert!(listener.listen(|listener| !listener.gaps.is_empty()), "a sign of life while it waits");
    machine.set("mic", Life::Healthy);
    assert!(listener.listen_for(0.5));
    assert_eq!(listener.watch.status().state, DeviceState::Listening);
}

#[test]
fn a_stop_ends_a_pause_and_waits_for_no_device() {
    let machine = Machine::new(&[("default", &[Life::Fails(Duration::from_millis(50)), Life::Absent])]);
    let config = machine.config(None);
    let retry = RetryConfig { pause_min: Duration::from_secs(60), pause_max: Duration::from_secs(60), ..config.retry };
    let mut listener = machine.start(SupervisionConfig { retry, ..config });
    assert!(listener.listen(|listener| listener.watch.status().state == DeviceState::Away));
    let began = Instant::now();
    drop(listener.stop.take());
    assert!(!listener.listen(|_| false));
    assert!(began.elapsed().as_secs_f64() < SLACK_S, "{:?}", began.elapsed());
    assert!(matches!(listener.watch.choose(None), Err(ChooseError::Stopped)));

    let machine = Machine::new(&[("default", &[Life::HangsAtClose])]);
    let mut listener = machine.start(machine.config(None));
    assert!(listener.listen_for(0.2));
    let began = Instant::now();
    drop(listener.stop.take());
    assert!(!listener.listen(|_| false));
    let took = began.elapsed();
    assert!(took >= CLOSE_DEADLINE && took < CLOSE_DEADLINE + Duration::from_secs_f64(SLACK_S), "{took:?}");
}

#[test]
fn another_device_can_be_asked_for_while_one_is_heard() {
    let machine = Machine::new(&[("mic", &[Life::Healthy]), ("other", &[Life::Absent]), ("default", &[Life::Healthy])]);
    let mut listener = machine.start(machine.config(Some("mic")));
    let watch = listener.watch.clone();
    assert!(listener.listen_for(0.2));
    let asked = std::thread::spawn(move || {
        let refused = watch.choose(Some("other")).map(drop).unwrap_err();
        (refused, watch.choose(None).unwrap())
    });
    assert!(listener.listen(|listener| listener.source.name() == "default"));
    let (refused, status) = asked.join().unwrap();
    assert!(matches!(refused, ChooseError::Refused(AudioError::DeviceUnavailable { .. })), "{refused}");
    assert_eq!((status.state, status.preferred, status.n_losses), (DeviceState::Listening, None, 0));
    assert!(listener.listen_for(0.3));
    assert!(listener.lost_s() < SLACK_S, "{:?}", listener.gaps);
}

#[test]
fn a_source_without_a_clock_is_told_and_rests() {
    let machine = Machine::new(&[("default", &[Life::NoClock])]);
    let mut listener = machine.start(machine.config(None));
    assert!(listener.listen(|listener| listener.watch.status().n_losses == 1));
    let status = listener.watch.status();
    assert!(status.last_reason.as_ref().unwrap().contains("times faster"), "{status:?}");
    assert!(listener.listen(|listener| listener.watch.status().n_reopenings == 1));
    // A second of sound until it is seen, and a second of rest.
    let tried = machine.tried.lock().unwrap();
    let between = tried[1].1 - tried[0].1;
    assert!(between > Duration::from_millis(1900), "{between:?}");
}
