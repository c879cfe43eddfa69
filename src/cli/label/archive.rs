//! The page of all recordings of a run.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail};

use super::LabelArgs;
use super::run::Run;
use crate::files::write_whole;
use crate::label::{HeardRecording, Track};
use crate::page::generator_mark;
use crate::report::{ARCHIVE_GENERATOR, ArchivePage, link};

/// Where it goes, if there is to be one.
pub(super) fn place(args: &LabelArgs, n_recordings: usize) -> Option<PathBuf> {
    let in_out = || args.out.as_ref().filter(|_| args.report && n_recordings > 1).map(|dir| dir.join("index.html"));
    args.report_index.clone().or_else(in_out)
}

/// Sees whether the page may be put there: its place is free, or has such a page.
pub(super) fn check(path: &Path) -> Result<()> {
    let is_page = || std::fs::read_to_string(path).is_ok_and(|text| text.contains(&generator_mark(ARCHIVE_GENERATOR)));
    if path.exists() && !is_page() {
        bail!(
            "{}: something else is there; name another file for the page of all recordings with --report-index",
            path.display()
        );
    }
    Ok(())
}

/// The page while it is made.
pub(super) struct Archive<'a> {
    path: &'a Path,
    run: &'a Run<'a>,
    page: ArchivePage,
}

impl<'a> Archive<'a> {
    pub(super) fn new(path: &'a Path, run: &'a Run<'a>) -> Self {
        let manifest = &run.bundle.manifest;
        let page = ArchivePage::new(&manifest.name, manifest.words.iter().map(|word| word.name.clone()));
        Self { path, run, page }
    }

    /// What was heard of the recording with this index.
    pub(super) fn take(&mut self, recording_idx: usize, heard: &HeardRecording) {
        let recording = &self.run.recordings[recording_idx];
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let tracks = self.run.channels.tracks(recording, heard.n_channels);
        for (track, heard) in tracks.iter().zip(&heard.tracks) {
            let Some(report) = self.run.outputs.report_path(track) else { continue };
            self.page.push(name(track), link(folder, &report), heard.duration_s, &heard.events);
        }
    }

    /// Writes the page, whole or not at all; of a run that was stopped there is none.
    pub(super) fn write(&self) -> Result<()> {
        if self.run.cancelled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| write_whole(self.path, self.page.html().as_bytes()))
            .with_context(|| format!("{}: cannot be written; no part of it was left behind", self.path.display()))
    }
}

fn name(track: &Track) -> String {
    let file = track.recording.path.display();
    match track.channel() {
        Some(channel) if track.is_one_of_each => format!("{file}, channel {channel}"),
        _ => file.to_string(),
    }
}
