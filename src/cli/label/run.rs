//! All recordings over some threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use anyhow::Result;

use super::super::audio_progress::AudioProgress;
use super::printer::Printer;
use crate::bundle::Bundle;
use crate::label::{Channels, LabelOutputs, Labeller, Recording};

/// What is labelled, with what, into what.
pub(super) struct Run<'a> {
    pub(super) recordings: &'a [Recording],
    pub(super) bundle: &'a Bundle,
    pub(super) outputs: &'a LabelOutputs,
    pub(super) channels: Channels,
    pub(super) progress: &'a AudioProgress,
    pub(super) cancelled: &'a AtomicBool,
}

impl Run<'_> {
    /// Labels all recordings on `n_jobs` threads and prints the results in their order; gives how many failed.
    pub(super) fn all(&self, n_jobs: usize) -> Result<usize> {
        let next = AtomicUsize::new(0);
        let printer = Mutex::new(Printer::new(self.progress));
        std::thread::scope(|scope| {
            for _ in 0..n_jobs {
                Builder::new()
                    .name("tw-label".into())
                    .spawn_scoped(scope, || self.work(&next, &printer))
                    .expect("the system can start a thread");
            }
        });
        printer.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
    }

    /// Takes one recording after the other until none is left.
    fn work(&self, next: &AtomicUsize, printer: &Mutex<Printer>) {
        let labeller =
            Labeller { bundle: self.bundle, outputs: self.outputs, channels: self.channels, cancelled: self.cancelled };
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(recording) = self.recordings.get(i) else { return };
            if self.cancelled.load(Ordering::Relaxed) {
                return;
            }
            let file_progress = self.progress.file(i);
            let heard = labeller.label(recording, &|n_samples| file_progress.heard(n_samples));
            drop(file_progress);
            printer.lock().unwrap_or_else(PoisonError::into_inner).take(i, heard);
        }
    }
}
