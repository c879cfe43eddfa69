//! Runs the network and the triggers. A thread of its own so that a burst of audio or a slow moment of the machine is
//! worked off beside the capture, not in its way.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::controls::{Controls, Mute, WordControl};
use super::recent::RecentEvents;
use super::scores::Scores;
use super::stats::Stats;
use super::thread::JoinOnDrop;
use super::{Heard, Heartbeat, Overflow};
use crate::audio::history::AudioHistory;
use crate::audio::level::word_level;
use crate::bundle::Bundle;
use crate::detector::Detection;
use crate::events::WakeEvent;
use crate::names::same_word;
use crate::pipeline::{FeatureBlock, InferenceStage, StepScores};

/// What the thread works with.
pub(super) struct Wiring {
    pub(super) heard: Receiver<Heard>,
    pub(super) recycled: Sender<FeatureBlock>,
    pub(super) events: Sender<Arc<WakeEvent>>,
    /// Disconnects when the daemon stops and will not wait for the sinks any longer.
    pub(super) patience_ends: Receiver<()>,
    pub(super) overflow: Overflow,
    pub(super) controls: Controls,
    pub(super) history: AudioHistory,
    pub(super) heartbeat: Heartbeat,
    pub(super) source_name: String,
    pub(super) scores: Scores,
    pub(super) recent: RecentEvents,
    pub(super) stats: Arc<Stats>,
}

pub(super) fn start(wiring: Wiring, bundle: Arc<Bundle>) -> io::Result<JoinOnDrop<()>> {
    JoinOnDrop::start("tw-inference", move || run(wiring, bundle))
}

fn run(mut wiring: Wiring, bundle: Arc<Bundle>) {
    let mut stage = InferenceStage::new(bundle);
    let mut rules = Rules::new(&wiring.controls, &mut stage);
    let mut detections: Vec<Detection> = Vec::new();
    // Those of the stages before this one.
    let mut n_suppressed_before = 0;
    let mut word_scores = wiring.scores.words();
    // What another model hears again is not published again.
    let mut published_until = 0;
    while let Ok(heard) = wiring.heard.recv() {
        let (block, passed) = match heard {
            Heard::Block(block, passed) => (block, passed),
            Heard::Source(name) => {
                wiring.source_name = name;
                continue;
            }
            Heard::Model { bundle, start_sample, silent_until } => {
                let mut new = InferenceStage::starting_at(bundle, start_sample, silent_until);
                new.go_on_from(&stage);
                n_suppressed_before += stage.n_suppressed_steps();
                stage = new;
                word_scores = wiring.scores.replace_words(stage.bundle());
                rules = Rules::new(&wiring.controls, &mut stage);
                continue;
            }
        };
        rules.update(&wiring.controls, &mut stage);
        let started = Instant::now();
        let publish = |step: StepScores| {
            if step.end_sample > published_until {
                published_until = step.end_sample;
                word_scores.iter().zip(step.scores).for_each(|(word, score)| word.publish(step.end_sample, *score));
            }
        };
        stage.push(&block, publish, |detection| detections.push(detection));
        let stats = &wiring.stats;
        stats.n_steps.add((block.frames.len() / stage.values_per_step()) as u64);
        stats.n_suppressed_steps.set(n_suppressed_before + stage.n_suppressed_steps());
        stats.busy_nanoseconds.add(started.elapsed().as_nanos() as u64);
        // There is room for every block; without a reader there is nothing to keep.
        let _ = wiring.recycled.try_send(block);
        (wiring.heartbeat)(passed);
        for detection in detections.drain(..) {
            if !rules.is_told(detection.word_idx) {
                wiring.stats.n_muted_events.add(1);
                continue;
            }
            let mut event = WakeEvent::new(&detection, &stage.bundle().manifest, &wiring.source_name);
            event.wall_time = Some(jiff::Timestamp::now().to_string());
            if let Some(level) = word_level(&wiring.history, detection.start_sample..detection.end_sample) {
                event.level_dbfs = Some(level.level_dbfs as f32);
                event.snr_db = Some(level.snr_db as f32);
            }
            wiring.stats.n_events.add(1);
            word_scores[detection.word_idx].count_event();
            let event = Arc::new(event);
            wiring.recent.push(&event);
            if !send(&wiring, event) {
                return;
            }
        }
    }
}

/// What is wanted of the words of the model that hears, as of some version of the controls.
struct Rules {
    version: u64,
    mute: Mute,
    is_silenced: bool,
    is_enabled: Vec<bool>,
}

impl Rules {
    fn new(controls: &Controls, stage: &mut InferenceStage<Arc<Bundle>>) -> Self {
        let mut rules = Self { version: u64::MAX, mute: Mute::Off, is_silenced: false, is_enabled: Vec::new() };
        rules.update(controls, stage);
        rules
    }

    fn update(&mut self, controls: &Controls, stage: &mut InferenceStage<Arc<Bundle>>) {
        let version = controls.version();
        if version == self.version {
            return;
        }
        self.version = version;
        self.mute = controls.mute();
        self.is_silenced = controls.is_silenced();
        let wanted = controls.words();
        let names: Vec<String> = stage.bundle().manifest.words.iter().map(|word| word.name.clone()).collect();
        self.is_enabled.clear();
        for (word_idx, name) in names.iter().enumerate() {
            // Of a model that is on its way out some words may be gone already.
            let control: Option<&WordControl> = wanted.iter().find(|control| same_word(&control.name, name));
            if let Some(control) = control {
                stage.set_trigger(word_idx, control.trigger);
            }
            self.is_enabled.push(control.is_none_or(|control| control.is_enabled));
        }
    }

    fn is_told(&self, word_idx: usize) -> bool {
        self.is_enabled[word_idx] && !self.is_silenced && !self.mute.is_on(Instant::now())
    }
}

/// Gives whether anybody still takes events.
fn send(wiring: &Wiring, event: Arc<WakeEvent>) -> bool {
    match wiring.overflow {
        // While there is room nothing is waited for, patience or not.
        Overflow::Wait => match wiring.events.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(event)) => select! {
                send(wiring.events, event) -> sent => sent.is_ok(),
                recv(wiring.patience_ends) -> _ => false,
            },
        },
        Overflow::CountAndDrop => match wiring.events.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Full(event)) => {
                wiring.stats.n_dropped_events.add(1);
                tracing::error!(word = event.word, time_s = event.time_s, "event dropped: the sinks are too slow");
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        },
    }
}
