//! Answers: what is known of the running daemon, and what may be wished of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::meter::Meter;
use super::status::{LastReload, Latency, MuteStatus, Status, WordStatus};
use super::{Part, Reloaded, Reply, Request, metrics, process};
use crate::audio::history::AudioHistory;
use crate::daemon::{Controls, Daemon, RECENT_EVENTS, RecentEvents, Scores, Stats};
use crate::metrics::Page;

/// Listens to the device of an id or name; gives what is done about it, or why nothing is.
pub type AskForDevice = Box<dyn Fn(&str) -> Result<String, String> + Send + Sync>;
/// Reads configuration and model anew.
pub type Reload = Box<dyn Fn() -> Result<Reloaded, String> + Send + Sync>;

/// What only the one who put the daemon together can do.
pub struct Doors {
    /// See [`AskForDevice`].
    pub ask_for_device: AskForDevice,
    /// See [`Reload`].
    pub reload: Reload,
}

/// Knows the answers. Any number of threads may ask at a time.
pub struct Desk {
    pub(super) controls: Controls,
    pub(super) stats: Arc<Stats>,
    pub(super) scores: Scores,
    pub(super) recent: RecentEvents,
    pub(super) started_at: Timestamp,
    history: AudioHistory,
    source: String,
    started: Instant,
    doors: Doors,
    parts: Vec<Box<dyn Part>>,
    reloads: Reloads,
}

/// Reloads so far.
#[derive(Default)]
pub(super) struct Reloads {
    last: Mutex<Option<LastReload>>,
    pub(super) n_done: AtomicU64,
    pub(super) n_failed: AtomicU64,
}

impl Desk {
    /// Of `daemon`, which keeps its sound in `history` and hears `source`.
    pub fn new(
        daemon: &Daemon,
        history: AudioHistory,
        source: String,
        doors: Doors,
        parts: Vec<Box<dyn Part>>,
    ) -> Self {
        Self {
            controls: daemon.controls().clone(),
            stats: daemon.stats().clone(),
            scores: daemon.scores().clone(),
            recent: daemon.recent_events().clone(),
            started_at: Timestamp::now(),
            history,
            source,
            started: Instant::now(),
            doors,
            parts,
            reloads: Reloads::default(),
        }
    }

    /// The answer to `request`; to one that is answered with many, the first that is known.
    pub fn answer(&self, request: &Request) -> Reply {
        self.try_answer(request).unwrap_or_else(|message| Reply::Error { message })
    }

    fn try_answer(&self, request: &Request) -> Result<Reply, String> {
        let controls = &self.controls;
        let words_are_told = |word: &str, is_enabled| {
            let word = controls.set_enabled(word, is_enabled).map_err(|error| error.to_string())?;
            tracing::info!(word, is_enabled, "by the control socket");
            Ok(Reply::Enabled { word, is_enabled })
        };
        match request {
            Request::Status {} => Ok(Reply::Status(Box::new(self.status()))),
            Request::Mute { for_s } => {
                match for_s {
                    Some(for_s) => controls.mute_for(Duration::try_from_secs_f64(*for_s).map_err(|e| e.to_string())?),
                    None => controls.set_muted(true),
                }
                tracing::info!(for_s, "muted by the control socket");
                Ok(Reply::Mute(MuteStatus::new(controls.mute())))
            }
            Request::Unmute {} => {
                controls.set_muted(false);
                tracing::info!("unmuted by the control socket");
                Ok(Reply::Mute(MuteStatus::new(controls.mute())))
            }
            Request::Threshold { word, threshold } => self.set_threshold(word, *threshold),
            Request::Enable { word } => words_are_told(word, true),
            Request::Disable { word } => words_are_told(word, false),
            Request::Device { device } => (self.doors.ask_for_device)(device).map(|text| Reply::Device { text }),
            Request::Reload {} => self.reload().map(Reply::Reloaded),
            Request::Events { .. } | Request::Level {} => Ok(Reply::End {}),
        }
    }

    fn set_threshold(&self, word: &str, threshold: f32) -> Result<Reply, String> {
        let before = self.controls.word(word).map_err(|error| error.to_string())?.trigger.threshold;
        let word = self.controls.set_threshold(word, threshold).map_err(|error| error.to_string())?;
        tracing::info!(word, before, threshold, "by the control socket");
        let configured = self.configured_threshold(&word).unwrap_or(before);
        Ok(Reply::Threshold { word, before, threshold, configured })
    }

    /// By configuration and model.
    fn configured_threshold(&self, word: &str) -> Option<f32> {
        let bundle = self.controls.bundle();
        bundle.manifest.words.iter().find(|entry| entry.name == word).map(|entry| entry.trigger.threshold)
    }

    /// Reads configuration and model anew, and remembers what came of it.
    ///
    /// # Errors
    /// When something is wrong with them; everything is then as it was.
    pub fn reload(&self) -> Result<Reloaded, String> {
        let result = (self.doors.reload)();
        let counter = if result.is_ok() { &self.reloads.n_done } else { &self.reloads.n_failed };
        counter.fetch_add(1, Relaxed);
        let last = LastReload { at: Timestamp::now().to_string(), error: result.as_ref().err().cloned() };
        *self.reloads.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        result
    }

    fn status(&self) -> Status {
        let events = self.recent.last(RECENT_EVENTS);
        Status {
            tripword_version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at.to_string(),
            uptime_s: self.started.elapsed().as_secs_f64(),
            source: self.source.clone(),
            model: self.controls.bundle().manifest.name.clone(),
            mute: MuteStatus::new(self.controls.mute()),
            is_silenced: self.controls.is_silenced(),
            words: self.words(),
            counts: self.stats.summary(),
            latency: Latency::new(events.iter().map(|event| event.detection_latency_ms.0).collect()),
            resident_bytes: process::resident_bytes(),
            cpu_s: process::cpu_s(),
            last_reload: self.reloads.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            recorded_or_sent: self.parts.iter().flat_map(|part| part.flows()).collect(),
            parts: self.parts.iter().map(|part| (part.name().to_owned(), part.status())).collect(),
        }
    }

    /// The words as they are wanted, with what is heard of them.
    pub(super) fn words(&self) -> Vec<WordStatus> {
        let scores = self.scores.words();
        let status = |word: crate::daemon::WordControl| {
            // A model that has just been wanted may not be heard yet.
            let heard = scores.iter().find(|scores| scores.name() == word.name);
            WordStatus {
                is_enabled: word.is_enabled,
                threshold: word.trigger.threshold,
                configured_threshold: self.configured_threshold(&word.name).unwrap_or(word.trigger.threshold),
                score: heard.map_or(0.0, |scores| scores.last()),
                highest_score: heard.map_or(0.0, |scores| scores.highest()),
                n_events: heard.map_or(0, |scores| scores.n_events()),
                name: word.name,
            }
        };
        self.controls.words().into_iter().map(status).collect()
    }

    /// The page of metrics as of now.
    pub fn metrics_page(&self) -> String {
        let mut page = Page::default();
        metrics::write(self, &self.reloads, &mut page);
        self.parts.iter().for_each(|part| part.write_metrics(&mut page));
        page.text().to_owned()
    }

    /// Measures the sound from now on.
    pub(super) fn meter(&self) -> Meter {
        Meter::new(&self.history)
    }
}
