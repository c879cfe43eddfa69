//! Runs the network and the triggers. A thread of its own so that a burst of audio or a slow moment of the machine is
//! worked off beside the capture, not in its way.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, select};

use super::Overflow;
use super::stats::Stats;
use super::thread::JoinOnDrop;
use crate::bundle::Bundle;
use crate::detector::Detection;
use crate::events::WakeEvent;
use crate::pipeline::{FeatureBlock, InferenceStage};

/// The thread's channels.
pub(super) struct Wiring {
    pub(super) blocks: Receiver<FeatureBlock>,
    pub(super) recycled: Sender<FeatureBlock>,
    pub(super) events: Sender<WakeEvent>,
    /// Disconnects when the daemon stops and will not wait for the sinks any longer.
    pub(super) patience_ends: Receiver<()>,
    pub(super) overflow: Overflow,
}

pub(super) fn start(
    wiring: Wiring,
    bundle: Arc<Bundle>,
    source_name: String,
    stats: Arc<Stats>,
) -> io::Result<JoinOnDrop<()>> {
    JoinOnDrop::start("tw-inference", move || run(&wiring, &bundle, &source_name, &stats))
}

fn run(wiring: &Wiring, bundle: &Bundle, source_name: &str, stats: &Stats) {
    let mut stage = InferenceStage::new(bundle);
    let mut detections: Vec<Detection> = Vec::new();
    while let Ok(block) = wiring.blocks.recv() {
        let started = Instant::now();
        stage.push(&block, |_| {}, |detection| detections.push(detection));
        stats.n_steps.set(stage.n_steps());
        stats.n_suppressed_steps.set(stage.n_suppressed_steps());
        stats.busy_nanoseconds.add(started.elapsed().as_nanos() as u64);
        // There is room for every block; without a reader there is nothing to keep.
        let _ = wiring.recycled.try_send(block);
        for detection in detections.drain(..) {
            let mut event = WakeEvent::new(&detection, &bundle.manifest, source_name);
            event.wall_time = Some(jiff::Timestamp::now().to_string());
            stats.n_events.add(1);
            if !send(wiring, event, stats) {
                return;
            }
        }
    }
}

/// Gives whether anybody still takes events.
fn send(wiring: &Wiring, event: WakeEvent, stats: &Stats) -> bool {
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
                stats.n_dropped_events.add(1);
                tracing::error!(word = event.word, time_s = event.time_s, "event dropped: the sinks are too slow");
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        },
    }
}
