//! Results in the order of the recordings, whichever is ready first.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::audio_progress::AudioProgress;
use super::super::print_line;
use crate::label::{HeardRecording, LabelError};

/// Prints each result when all before it are printed.
pub(super) struct Printer<'a> {
    progress: &'a AudioProgress,
    waiting: BTreeMap<usize, Result<HeardRecording, LabelError>>,
    n_printed: usize,
    n_failed: usize,
    result: Result<()>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(progress: &'a AudioProgress) -> Self {
        Self { progress, waiting: BTreeMap::new(), n_printed: 0, n_failed: 0, result: Ok(()) }
    }

    /// The result of the recording with this index.
    pub(super) fn take(&mut self, recording_idx: usize, heard: Result<HeardRecording, LabelError>) {
        self.waiting.insert(recording_idx, heard);
        while let Some(heard) = self.waiting.remove(&self.n_printed) {
            self.n_printed += 1;
            let progress = self.progress;
            match heard {
                Ok(heard) => {
                    let printed = progress.suspend(|| print(&heard));
                    self.result = std::mem::replace(&mut self.result, Ok(())).and(printed);
                }
                Err(error) => {
                    self.n_failed += 1;
                    progress.suspend(|| tracing::error!("{:#}", anyhow::Error::from(error)));
                }
            }
        }
    }

    /// How many failed.
    ///
    /// # Errors
    /// When standard output could not be written.
    pub(super) fn finish(self) -> Result<usize> {
        self.result.map(|()| self.n_failed)
    }
}

fn print(heard: &HeardRecording) -> Result<()> {
    heard.warnings().for_each(|warning| tracing::warn!("{warning}"));
    heard.events().try_for_each(|event| print_line(&event.to_json()))
}
