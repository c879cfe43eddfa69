//! What is changed while the daemon listens: words, thresholds, the model.

#[path = "common/fed.rs"]
mod fed;
#[path = "common/kept.rs"]
mod kept;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use fed::Fed;
use kept::Kept;
use tripword::audio::history::AudioHistory;
use tripword::audio::{ChannelChoice, read_to_end, wav::WavSource};
use tripword::bundle::{Bundle, locate};
use tripword::daemon::{ControlError, Daemon, Overflow, Setup};
use tripword::units::Milliseconds;

/// A daemon that hears the demo.
struct Live {
    daemon: Daemon,
    portions: Sender<Vec<f32>>,
    demo: Vec<f32>,
    n_fed: usize,
    kept: Kept,
}

fn six_words() -> Arc<Bundle> {
    Arc::new(Bundle::load(&locate("six-words", None).unwrap()).unwrap())
}

impl Live {
    fn new() -> Self {
        let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
        let demo = read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap();
        let (portions, fed) = bounded(0);
        let kept = Kept::default();
        let daemon = Daemon::start(Setup {
            source: Box::new(Fed(fed, Vec::new())),
            stop_handle: Box::new(()),
            bundle: six_words(),
            sinks: vec![Box::new(kept.clone())],
            overflow: Overflow::Wait,
            history: AudioHistory::new(Milliseconds(6000)),
            heartbeat: Box::new(|_| {}),
        })
        .unwrap();
        Self { daemon, portions, demo, n_fed: 0, kept }
    }

    /// Feeds up to `time_s` and waits until it is heard.
    fn hear_until(&mut self, time_s: f64) {
        let end = ((time_s * 16_000.0) as usize).min(self.demo.len());
        for portion in self.demo[self.n_fed..end].chunks(777) {
            self.portions.send(portion.to_vec()).unwrap();
        }
        self.n_fed = end;
        let began = Instant::now();
        // The features of the last step may lack a few samples.
        while self.daemon.stats().n_steps.get() + 1 < (end / 1280) as u64 {
            assert!(began.elapsed() < Duration::from_secs(60), "the daemon hears nothing any more");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// The rest, and what was told: words with the times of their decisions.
    fn finish(mut self) -> (Vec<(String, f64)>, u64) {
        self.hear_until(1e6);
        drop(self.portions);
        let (summary, result) = self.daemon.stop();
        result.unwrap();
        let events = self.kept.0.lock().unwrap();
        (events.iter().map(|event| (event.word.clone(), event.time_s)).collect(), summary.n_muted_events)
    }
}

fn undisturbed() -> Vec<(String, f64)> {
    Live::new().finish().0
}

#[test]
fn another_model_takes_over_without_a_gap_and_tells_nothing_twice() {
    let expected = undisturbed();
    assert_eq!(expected.len(), 6, "{expected:?}");
    // In silence, within a word, and just after one was told.
    for (_, told_s) in &expected {
        for time_s in [told_s - 2.0, told_s - 0.25, told_s + 0.1] {
            let mut live = Live::new();
            live.hear_until(time_s);
            live.daemon.controls().replace_model(six_words()).unwrap();
            let (events, _) = live.finish();
            let words = |events: &[(String, f64)]| events.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>();
            assert_eq!(words(&events), words(&expected), "at {time_s} s");
            for ((word, found), (_, expected)) in events.iter().zip(&expected) {
                assert!((found - expected).abs() < 0.17, "{word} at {found} and not {expected}, changed at {time_s} s");
            }
        }
    }
}

#[test]
fn what_is_switched_off_is_heard_and_counted_and_not_told() {
    let expected = undisturbed();
    let mut live = Live::new();
    let controls = live.daemon.controls().clone();
    // The first is muted, of the others one is switched off, also in the model that takes over.
    controls.set_muted(true);
    live.hear_until(expected[0].1 + 1.0);
    controls.set_muted(false);
    assert_eq!(controls.set_enabled("SNOWBOY", false).unwrap(), "snowboy");
    controls.replace_model(six_words()).unwrap();
    assert_eq!(controls.set_threshold("jarvis", 1.0).unwrap(), "jarvis");
    let (events, n_muted) = live.finish();
    let words: Vec<&str> = events.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["smart_mirror", "alexa", "view_glass"]);
    assert_eq!(n_muted, 2);
}

#[test]
fn what_is_not_possible_is_told_and_changes_nothing() {
    let live = Live::new();
    let controls = live.daemon.controls();
    let before = controls.words();
    let message = controls.set_enabled("jervis", false).unwrap_err().to_string();
    assert!(message.contains("'jervis'") && message.contains("jarvis, smart_mirror"), "{message}");
    for threshold in [0.0, -1.0, 1.5, f32::NAN] {
        assert!(matches!(controls.set_threshold("jarvis", threshold), Err(ControlError::BadThreshold(_))));
    }
    assert_eq!(controls.words(), before);
    live.finish();
}

#[test]
fn an_event_tells_how_loud_the_word_was() {
    let mut live = Live::new();
    live.hear_until(1e6);
    let events = live.kept.clone();
    live.finish();
    for event in events.0.lock().unwrap().iter() {
        let (level, snr) = (event.level_dbfs.unwrap(), event.snr_db.unwrap());
        assert!((-45.0..-5.0).contains(&level) && (3.0..60.0).contains(&snr), "{}: {level} {snr}", event.word);
    }
}
