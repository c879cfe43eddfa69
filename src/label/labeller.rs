//! A recording through the signal path, and what is written of it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::{Channels, HeardRecording, LabelError, LabelOutputs, Recording, hear};
use crate::audio::file::FileSource;
use crate::audio::{AudioSource, ChannelChoice};
use crate::bundle::Bundle;

/// Labels recordings with one model.
pub struct Labeller<'a> {
    /// The model.
    pub bundle: &'a Bundle,
    /// What is written.
    pub outputs: &'a LabelOutputs,
    /// What is heard.
    pub channels: Channels,
    /// Set when the user wants to stop; looked at between portions of a file.
    pub cancelled: &'a AtomicBool,
}

impl Labeller<'_> {
    /// How long the tracks of a file are together by its header, in seconds; 0 for what cannot be read. `None` for a pipe, which is
    /// left alone: what is read of it is gone.
    pub fn duration_s(file: &Path, channels: Channels) -> Option<f64> {
        if is_pipe(file) {
            return None;
        }
        let source = FileSource::open(file, ChannelChoice::Mix).ok();
        let n_tracks =
            |source: &FileSource| if channels == Channels::Each { f64::from(source.n_channels()) } else { 1.0 };
        Some(source.and_then(|source| Some(source.duration_s()? * n_tracks(&source))).unwrap_or(0.0))
    }

    /// Labels a recording; `on_progress` is told of further samples at the model's rate, about once for each second of them.
    ///
    /// # Errors
    /// When the file cannot be read to its end, or an output cannot be written; then that output does not exist.
    pub fn label(&self, recording: &Recording, on_progress: &dyn Fn(u64)) -> Result<HeardRecording, LabelError> {
        let file = recording.path.as_path();
        let first = FileSource::open(file, self.channels.first_track(recording).channels)?;
        let (n_channels, sample_rate_hz) = (first.n_channels(), first.sample_rate().hz());
        if is_pipe(file) {
            let refuse = |what| Err(LabelError::NotAFile { path: file.into(), what });
            match (self.channels, &self.outputs.clips) {
                (Channels::Each, _) if n_channels > 1 => return refuse("hearing each channel by itself"),
                (_, Some(_)) => return refuse("cutting clips out of it"),
                _ => {}
            }
        }
        let mut first = Some(first);
        let mut tracks = Vec::new();
        for track in self.channels.tracks(recording, n_channels) {
            let observers = self.outputs.observers(track, self.bundle)?;
            let source = first.take().map_or_else(|| FileSource::open(file, track.channels), Ok)?;
            tracks.push(hear(&track, source, self.bundle, observers, self.cancelled, on_progress)?);
        }
        Ok(HeardRecording { path: recording.path.clone(), n_channels, sample_rate_hz, tracks })
    }
}

/// Whether a file can be read but once.
fn is_pipe(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}
