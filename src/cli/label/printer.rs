//! Results in the order of the recordings, whichever is ready first.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::audio_progress::AudioProgress;
use super::super::print_line;
use super::archive::Archive;
use super::run::Done;
use crate::label::{HeardRecording, LabelError};

/// A recording that needs no more work.
pub(super) enum Finished {
    /// An earlier run labelled it.
    Before(HeardRecording),
    /// It was labelled, or cannot be.
    Now(Result<HeardRecording, LabelError>),
}

/// Prints each result when all before it are printed.
pub(super) struct Printer<'a> {
    progress: &'a AudioProgress,
    waiting: BTreeMap<usize, Finished>,
    n_printed: usize,
    done: Done,
    result: Result<()>,
    archive: Option<Archive<'a>>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(progress: &'a AudioProgress, archive: Option<Archive<'a>>) -> Self {
        Self { progress, waiting: BTreeMap::new(), n_printed: 0, done: Done::default(), result: Ok(()), archive }
    }

    /// What came of the recording with this index.
    pub(super) fn take(&mut self, recording_idx: usize, finished: Finished) {
        self.waiting.insert(recording_idx, finished);
        while let Some(finished) = self.waiting.remove(&self.n_printed) {
            let heard_idx = self.n_printed;
            self.n_printed += 1;
            let progress = self.progress;
            self.done.n_resumed += usize::from(matches!(finished, Finished::Before(_)));
            match finished {
                Finished::Before(heard) | Finished::Now(Ok(heard)) => {
                    self.done.n_labelled += 1;
                    if let Some(archive) = &mut self.archive {
                        archive.take(heard_idx, &heard);
                    }
                    let printed = progress.suspend(|| print(&heard));
                    self.result = std::mem::replace(&mut self.result, Ok(())).and(printed);
                }
                Finished::Now(Err(error)) => {
                    self.done.n_failed += 1;
                    progress.suspend(|| tracing::error!("{:#}", anyhow::Error::from(error)));
                }
            }
        }
    }

    /// How many there were.
    ///
    /// # Errors
    /// When standard output, or the page of the archive, could not be written.
    pub(super) fn finish(self) -> Result<Done> {
        let written = self.archive.map_or(Ok(()), |archive| archive.write());
        self.result.and(written).map(|()| self.done)
    }
}

fn print(heard: &HeardRecording) -> Result<()> {
    heard.warnings().for_each(|warning| tracing::warn!("{warning}"));
    heard.events().try_for_each(|event| print_line(&event.to_json()))
}
