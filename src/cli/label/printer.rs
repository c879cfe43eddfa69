//! Results in the order of the recordings, whichever is ready first.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::audio_progress::AudioProgress;
use super::super::print_line;
use super::archive::Archive;
use super::run::Done;
use crate::catalogue::Catalogues;
use crate::label::{HeardRecording, LabelError, Recording};

/// A recording that needs no more work.
pub(super) enum Finished {
    /// An earlier run labelled it.
    Before(HeardRecording),
    /// It was labelled, or cannot be.
    Now(Result<HeardRecording, LabelError>),
}

/// Prints and stores each result when all before it are.
pub(super) struct Printer<'a> {
    progress: &'a AudioProgress,
    recordings: &'a [Recording],
    catalogues: &'a mut Catalogues,
    waiting: BTreeMap<usize, Finished>,
    n_printed: usize,
    done: Done,
    result: Result<()>,
    archive: Option<Archive<'a>>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        progress: &'a AudioProgress,
        recordings: &'a [Recording],
        catalogues: &'a mut Catalogues,
        archive: Option<Archive<'a>>,
    ) -> Self {
        let (waiting, done) = (BTreeMap::new(), Done::default());
        Self { progress, recordings, catalogues, archive, waiting, n_printed: 0, done, result: Ok(()) }
    }

    /// What came of the recording with this index.
    pub(super) fn take(&mut self, recording_idx: usize, finished: Finished) {
        self.waiting.insert(recording_idx, finished);
        while let Some(finished) = self.waiting.remove(&self.n_printed) {
            let heard_idx = self.n_printed;
            let recording = &self.recordings[heard_idx];
            self.done.n_resumed += usize::from(matches!(finished, Finished::Before(_)));
            let heard = match finished {
                Finished::Before(heard) => Ok(heard),
                Finished::Now(heard) => heard,
            };
            let stored = self.catalogues.take(recording, &heard);
            self.keep_first_error(stored.map_err(anyhow::Error::from));
            self.n_printed += 1;
            let progress = self.progress;
            match heard {
                Ok(heard) => {
                    self.done.n_labelled += 1;
                    if let Some(archive) = &mut self.archive {
                        archive.take(heard_idx, &heard);
                    }
                    let printed = progress.suspend(|| print(&heard));
                    self.keep_first_error(printed);
                }
                Err(error) => {
                    self.done.n_failed += 1;
                    progress.suspend(|| tracing::error!("{:#}", anyhow::Error::from(error)));
                }
            }
        }
    }

    fn keep_first_error(&mut self, result: Result<()>) {
        if self.result.is_ok() {
            self.result = result;
        }
    }

    /// How many there were.
    ///
    /// # Errors
    /// When standard output, a catalogue or the page of the archive could not be written.
    pub(super) fn finish(self) -> Result<Done> {
        let written = self.archive.map_or(Ok(()), |archive| archive.write());
        self.result.and(written).map(|()| self.done)
    }
}

fn print(heard: &HeardRecording) -> Result<()> {
    heard.warnings().for_each(|warning| tracing::warn!("{warning}"));
    heard.events().try_for_each(|event| print_line(&event.to_json()))
}
