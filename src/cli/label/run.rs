//! All recordings over some threads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use anyhow::Result;

use super::super::audio_progress::AudioProgress;
use super::archive::Archive;
use super::printer::{Finished, Printer};
use crate::bundle::Bundle;
use crate::catalogue::Catalogues;
use crate::label::{Channels, HeardRecording, Journal, LabelError, LabelOutputs, Labeller, Recording};

/// What is labelled, with what, into what.
pub(super) struct Run<'a> {
    pub(super) recordings: &'a [Recording],
    pub(super) bundle: &'a Bundle,
    pub(super) outputs: &'a LabelOutputs,
    pub(super) channels: Channels,
    pub(super) progress: &'a AudioProgress,
    pub(super) cancelled: &'a AtomicBool,
    pub(super) journal: Option<&'a Journal>,
    /// The page of all recordings.
    pub(super) archive: Option<&'a Path>,
}

/// What came of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Done {
    /// With the resumed ones.
    pub(super) n_labelled: usize,
    /// An earlier run had labelled these.
    pub(super) n_resumed: usize,
    pub(super) n_failed: usize,
}

impl Run<'_> {
    /// Labels all recordings on `n_jobs` threads, prints and stores the results in their order.
    ///
    /// # Errors
    /// When standard output or a catalogue cannot be written.
    pub(super) fn all(&self, n_jobs: usize, catalogues: &mut Catalogues) -> Result<Done> {
        let next = AtomicUsize::new(0);
        let archive = self.archive.map(|path| Archive::new(path, self));
        let printer = Mutex::new(Printer::new(self.progress, self.recordings, catalogues, archive));
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
            let before = self.journal.and_then(|journal| journal.finished(recording, self.channels, self.outputs));
            let result = match before {
                Some(heard) => {
                    self.progress.file(i).was_heard();
                    Finished::Before(heard)
                }
                None => Finished::Now(self.label(&labeller, i)),
            };
            printer.lock().unwrap_or_else(PoisonError::into_inner).take(i, result);
        }
    }

    fn label(&self, labeller: &Labeller, recording_idx: usize) -> Result<HeardRecording, LabelError> {
        let recording = &self.recordings[recording_idx];
        let file_progress = self.progress.file(recording_idx);
        let heard = labeller.label(recording, &|n_samples| file_progress.heard(n_samples))?;
        if let Some(Err(error)) = self.journal.map(|journal| journal.add(recording, &heard)) {
            let file = recording.path.display();
            self.progress.suspend(|| {
                tracing::warn!("{file}: cannot be noted as finished ({error}); it would be labelled again")
            });
        }
        Ok(heard)
    }
}
