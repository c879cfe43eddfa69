//! Assembly of a live detector: the only place with threads and channels.
//!
//! `source → [feature thread] → FeatureBlock → [inference thread] → WakeEvent → [event thread] → sinks`
//!
//! Beside the flow lies what may be changed meanwhile ([`Controls`]), what has happened so far ([`Stats`]), the words' scores ([`Scores`]),
//! the last events ([`RecentEvents`]), and the last seconds of sound ([`AudioHistory`]).
//!
//! **Shutdown is drop order.** Dropping the source's stop handle ends the source; the feature thread then sends what the end
//! of the stream completes, returns, and drops its sender; the inference thread drains its channel, returns, and drops
//! its sender; the event thread delivers what is left. Every thread is joined. Nothing is interrupted in mid-event.
//!
//! **Nothing is allocated while it runs,** but for an event or a gap: feature blocks go round between the threads.
//!
//! **Every queue is bounded.** Between features and inference the sender waits: a slow network makes the capture ring
//! overrun, where the loss is counted and placed to the sample. Between inference and sinks [`Overflow`] decides.

mod controls;
mod event_thread;
mod feature_thread;
mod inference_thread;
mod recent;
mod scores;
mod stats;
mod thread;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

pub use controls::{ControlError, Controls, Mute, WordControl};
pub use recent::{EventFollower, FollowedEvent, RECENT_EVENTS, RecentEvents};
pub use scores::{RECENT_S, Scores, WordScores};
pub use stats::{Stats, Summary};

use crate::audio::history::AudioHistory;
use crate::audio::{AudioError, AudioSource};
use crate::bundle::Bundle;
use crate::events::EventSink;
use crate::pipeline::FeatureBlock;
use thread::JoinOnDrop;

/// Feature blocks under way between the threads: at one step each, 2.5 s of audio.
const FEATURE_QUEUE_BLOCKS: usize = 32;
/// Feature blocks in all, made at the start and used again and again: those queued, one that waits for its place in the queue, one
/// that is filled, one that the network reads.
const FEATURE_BLOCKS: usize = FEATURE_QUEUE_BLOCKS + 3;
/// Events under way to slow sinks.
const EVENT_QUEUE_EVENTS: usize = 256;

/// How long a stop waits for sinks that take nothing.
pub const SINK_DEADLINE: Duration = Duration::from_secs(2);

/// What happens to an event when the sinks have fallen behind by the whole event queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Wait: right for files and pipes, which can wait too.
    Wait,
    /// Drop and count the event: right for a microphone, which cannot wait.
    CountAndDrop,
}

/// What goes from the features to the network.
enum Heard {
    Block(FeatureBlock, Passed),
    /// What follows is from another device, of this name.
    Source(String),
    /// What follows is for another model, from this sample on; until the other sample it has nothing new to tell.
    Model {
        bundle: Arc<Bundle>,
        start_sample: u64,
        silent_until: u64,
    },
}

/// Called by the inference thread after each block that has passed the network.
pub type Heartbeat = Box<dyn FnMut(Passed) + Send>;

/// What a block was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Sound.
    Sound,
    /// Silence in the place of sound that is lost.
    Gap,
}

/// What a daemon is made of.
pub struct Setup {
    /// Delivers at the model's rate.
    pub source: Box<dyn AudioSource>,
    /// Dropping it must end the source.
    pub stop_handle: StopHandle,
    /// What it listens with at first.
    pub bundle: Arc<Bundle>,
    /// Where events go.
    pub sinks: Vec<Box<dyn EventSink>>,
    /// What happens when they have fallen behind.
    pub overflow: Overflow,
    /// Keeps the last seconds of sound; from it come the level of a word and what another model hears first.
    pub history: AudioHistory,
    /// Tells somebody that sound passes.
    pub heartbeat: Heartbeat,
}

/// Anything whose drop ends the source.
pub type StopHandle = Box<dyn Send>;

/// A running detector. Dropping it stops it, as [`stop`](Self::stop) does.
pub struct Daemon {
    // Field order is drop order: the source ends first, then the threads are joined in the order of the flow.
    stop_handle: Option<StopHandle>,
    feature_thread: Option<JoinOnDrop<Result<(), AudioError>>>,
    inference_thread: Option<JoinOnDrop<()>>,
    event_thread: Option<JoinOnDrop<()>>,
    /// Nothing is ever sent here: dropping it tells the inference thread not to wait for the sinks any longer.
    patience: Option<Sender<()>>,
    finished: Receiver<()>,
    controls: Controls,
    scores: Scores,
    recent: RecentEvents,
    stats: Arc<Stats>,
}

impl Daemon {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started, or the model is only for labelling.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let Setup { source, stop_handle, bundle, sinks, overflow, history, heartbeat } = setup;
        let cannot_listen = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        bundle.check_listens(&bundle.manifest.name).map_err(cannot_listen)?;
        let stats = Arc::new(Stats::default());
        let (heard_sender, heard) = bounded(FEATURE_QUEUE_BLOCKS);
        let (recycled_sender, recycled) = bounded(FEATURE_BLOCKS);
        for _ in 0..FEATURE_BLOCKS {
            let block = FeatureBlock::of_a_step(&bundle.manifest);
            recycled_sender.try_send(block).expect("the channel has room for every block");
        }
        let (event_sender, events) = bounded(EVENT_QUEUE_EVENTS);
        // Nothing is ever sent here: the event thread holds the sender, and its end is the news.
        let (finished_sender, finished) = bounded(0);
        let (patience, patience_ends) = bounded(0);
        let source_name = source.name().to_owned();

        let event_thread = event_thread::start(sinks, events, finished_sender, stats.clone())?;
        let controls = Controls::new(bundle.clone());
        let scores = Scores::new(&bundle);
        let recent = RecentEvents::default();
        let inference_wiring = inference_thread::Wiring {
            heard,
            recycled: recycled_sender,
            events: event_sender,
            patience_ends,
            overflow,
            controls: controls.clone(),
            history: history.clone(),
            heartbeat,
            source_name,
            scores: scores.clone(),
            recent: recent.clone(),
            stats: stats.clone(),
        };
        let inference_thread = inference_thread::start(inference_wiring, bundle.clone())?;
        let feature_wiring = feature_thread::Wiring {
            heard: heard_sender,
            recycled,
            controls: controls.clone(),
            history,
            stats: stats.clone(),
        };
        let feature_thread = feature_thread::start(source, bundle, feature_wiring)?;
        Ok(Self {
            stop_handle: Some(stop_handle),
            feature_thread: Some(feature_thread),
            inference_thread: Some(inference_thread),
            event_thread: Some(event_thread),
            patience: Some(patience),
            finished,
            controls,
            scores,
            recent,
            stats,
        })
    }

    /// What may change while it listens.
    pub fn controls(&self) -> &Controls {
        &self.controls
    }

    /// What the model makes of each word.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// The last events.
    pub fn recent_events(&self) -> &RecentEvents {
        &self.recent
    }

    /// Disconnects once the last event is delivered, because the stream ended or no sink takes events any more.
    pub fn finished(&self) -> &Receiver<()> {
        &self.finished
    }

    /// The running counts.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    fn shut_down(&mut self) -> Result<(), AudioError> {
        drop(self.stop_handle.take());
        let is_stuck = matches!(self.finished.recv_timeout(SINK_DEADLINE), Err(RecvTimeoutError::Timeout));
        drop(self.patience.take());
        let result = self.feature_thread.take().map_or(Ok(()), JoinOnDrop::join);
        drop(self.inference_thread.take());
        self.recent.finish();
        // Unless it has caught up meanwhile.
        if let Some(thread) = self.event_thread.take()
            && is_stuck
            && matches!(self.finished.try_recv(), Err(TryRecvError::Empty))
        {
            let n_undelivered = self.stats.summary().n_undelivered_events;
            tracing::error!(n_undelivered, "the sinks take nothing: stopping without them");
            thread.detach();
        }
        result
    }

    /// Ends the source, lets everything under way arrive, joins the threads; gives the final counts.
    ///
    /// # Errors
    /// When the source failed: the device was lost, the file is damaged.
    pub fn stop(mut self) -> (Summary, Result<(), AudioError>) {
        let result = self.shut_down();
        (self.stats.summary(), result)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.feature_thread.is_some()
            && let Err(error) = self.shut_down()
        {
            tracing::error!(%error, "the source failed");
        }
    }
}
