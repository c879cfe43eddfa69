//! Signals as messages.

use std::io::IsTerminal;
use std::thread::{Builder, JoinHandle};

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// SIGINT and SIGTERM as messages, from a thread that ends when this goes.
pub(super) struct SignalWatch {
    pub(super) received: Receiver<i32>,
    /// SIGHUPs, where they are watched for: several that come at once are one.
    pub(super) hang_ups: Receiver<()>,
    handle: signal_hook::iterator::Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    pub(super) fn start() -> Result<Self> {
        Self::watch(&[SIGINT, SIGTERM])
    }

    /// SIGHUP, too, as the wish to read everything anew; when a terminal was closed it means the end, as everywhere.
    pub(super) fn start_with_hang_ups() -> Result<Self> {
        Self::watch(&[SIGINT, SIGTERM, SIGHUP])
    }

    fn watch(signals: &[i32]) -> Result<Self> {
        let mut signals = Signals::new(signals).map_err(|error| anyhow!("cannot watch for signals: {error}"))?;
        let handle = signals.handle();
        let (sender, received) = bounded(1);
        let (hang_up_sender, hang_ups) = bounded(1);
        let has_terminal = || std::io::stdin().is_terminal() || std::io::stderr().is_terminal();
        let had_terminal = has_terminal();
        let thread = Builder::new().name("tw-signals".into()).spawn(move || {
            let mut is_first = true;
            for signal in signals.forever() {
                let terminal_was_closed = || had_terminal && !has_terminal();
                if signal == SIGHUP && !terminal_was_closed() {
                    let _ = hang_up_sender.try_send(());
                    continue;
                }
                if !std::mem::replace(&mut is_first, false) {
                    // A second signal while the first is being obeyed: the user means now.
                    std::process::exit(128 + signal);
                }
                // The receiver is gone only when the watch ends anyway.
                let _ = sender.send(signal);
            }
        })?;
        Ok(Self { received, hang_ups, handle, thread: Some(thread) })
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
