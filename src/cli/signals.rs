//! Signals as messages.

use std::thread::{Builder, JoinHandle};

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// SIGINT and SIGTERM as messages, from a thread that ends when this goes.
pub(super) struct SignalWatch {
    pub(super) received: Receiver<i32>,
    handle: signal_hook::iterator::Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    pub(super) fn start() -> Result<Self> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM]).map_err(|error| anyhow!("cannot watch for signals: {error}"))?;
        let handle = signals.handle();
        let (sender, received) = bounded(1);
        let thread = Builder::new().name("tw-signals".into()).spawn(move || {
            let mut is_first = true;
            for signal in signals.forever() {
                if !std::mem::replace(&mut is_first, false) {
                    // A second signal while the first is being obeyed: the user means now.
                    std::process::exit(128 + signal);
                }
                // The receiver is gone only when the watch ends anyway.
                let _ = sender.send(signal);
            }
        })?;
        Ok(Self { received, handle, thread: Some(thread) })
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}
