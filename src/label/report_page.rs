//! A track as a page to look at.

use std::path::{Path, PathBuf};

use super::{HeardTrack, LabelError, Observer, Track};
use crate::bundle::Manifest;
use crate::files::write_whole;
use crate::pipeline::{FeatureBlock, StepScores};
use crate::report::{ReportBuilder, ReportedTrack, link};

/// Writes the page at the end.
pub(super) struct ReportPage<'a> {
    path: PathBuf,
    track: Track<'a>,
    builder: ReportBuilder<'a>,
}

impl<'a> ReportPage<'a> {
    pub(super) fn new(path: PathBuf, track: Track<'a>, manifest: &'a Manifest) -> Self {
        Self { path, track, builder: ReportBuilder::new(manifest) }
    }
}

impl Observer for ReportPage<'_> {
    fn samples(&mut self, samples: &[f32]) -> Result<(), LabelError> {
        self.builder.samples(samples);
        Ok(())
    }

    fn gap(&mut self, lost_samples: u64) {
        self.builder.gap(lost_samples);
    }

    fn features(&mut self, block: &FeatureBlock) -> Result<(), LabelError> {
        self.builder.features(block);
        Ok(())
    }

    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        self.builder.scores(&step);
        Ok(())
    }

    fn finish(self: Box<Self>, track: &mut HeardTrack) -> Result<(), LabelError> {
        let recording = &self.track.recording.path;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let html = self.builder.finish(&ReportedTrack {
            file: &recording.display().to_string(),
            link: &link(folder, recording),
            channel: self.track.channel(),
            warnings: &track.warnings,
        });
        write_whole(&self.path, html.as_bytes()).map_err(|source| LabelError::write(&self.path, source))
    }
}
