//! Delivers events. A thread of its own because a sink may block: a pipe nobody reads, a disk that sleeps.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::stats::Stats;
use super::thread::JoinOnDrop;
use crate::events::{EventSink, WakeEvent};

pub(super) fn start(
    mut sinks: Vec<Box<dyn EventSink>>,
    events: Receiver<Arc<WakeEvent>>,
    finished: Sender<()>,
    stats: Arc<Stats>,
) -> io::Result<JoinOnDrop<()>> {
    JoinOnDrop::start("tw-events", move || {
        while let Ok(event) = events.recv() {
            sinks.retain_mut(|sink| match sink.deliver(&event) {
                Ok(()) => {
                    stats.n_delivered_events.add(1);
                    true
                }
                Err(error) => {
                    let gone = error.kind() == io::ErrorKind::BrokenPipe;
                    // A reader that left has had what it wanted; any other failure is one.
                    stats.n_failed_deliveries.add(u64::from(!gone));
                    tracing::error!(sink = sink.name(), word = event.word, %error, "event not delivered");
                    !gone
                }
            });
            stats.n_handled_events.add(1);
            if sinks.is_empty() {
                tracing::info!("nobody takes events any more: stopping");
                break;
            }
        }
        drop(finished);
    })
}
