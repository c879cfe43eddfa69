//! Which files are written of a recording, and where.

use std::path::{Path, PathBuf};

use super::clips::{ClipCutter, ClipOutput};
use super::label_file::LabelFile;
use super::report_page::ReportPage;
use super::scores::ScoresFormat;
use super::{LabelError, Observer, Track};
use crate::bundle::Bundle;
use crate::labels::LabelFormat;

/// Which files are written beside the events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelOutputs {
    /// Formats in which labels are written.
    pub formats: Vec<LabelFormat>,
    /// Where they go; beside each recording if there is no such folder.
    pub labels_dir: Option<PathBuf>,
    /// Where the scores of each step go.
    pub scores_dir: Option<PathBuf>,
    /// As what kind of table.
    pub scores_format: ScoresFormat,
    /// How the sound of each event is cut out.
    pub clips: Option<ClipOutput>,
    /// Whether there is a page to look at, beside the labels.
    pub report: bool,
}

impl LabelOutputs {
    fn scores_path(&self, track: &Track) -> Option<PathBuf> {
        Some(track.output_path(Some(self.scores_dir.as_ref()?), self.scores_format.ending()))
    }

    fn labels_path(&self, track: &Track, format: LabelFormat) -> PathBuf {
        track.output_path(self.labels_dir.as_deref(), format.endings()[0])
    }

    /// The page of `track`, if there is one.
    pub fn report_path(&self, track: &Track) -> Option<PathBuf> {
        self.report.then(|| track.output_path(self.labels_dir.as_deref(), "report.html"))
    }

    fn clips_folder(&self, track: &Track) -> Option<PathBuf> {
        Some(track.output_folder(&self.clips.as_ref()?.dir))
    }

    /// Every file that labelling `track` writes.
    pub fn paths(&self, track: &Track) -> Vec<PathBuf> {
        let labels = self.formats.iter().map(|format| self.labels_path(track, *format));
        self.scores_path(track).into_iter().chain(labels).chain(self.report_path(track)).collect()
    }

    /// Every place that nothing else may write to: the files, and folders for what is found.
    pub fn places(&self, track: &Track) -> Vec<PathBuf> {
        self.paths(track).into_iter().chain(self.clips_folder(track)).collect()
    }

    /// What makes the outputs of `track`.
    ///
    /// # Errors
    /// When a folder or file cannot be made.
    pub(super) fn observers<'a>(
        &self,
        track: Track<'a>,
        bundle: &'a Bundle,
    ) -> Result<Vec<Box<dyn Observer + 'a>>, LabelError> {
        if self.scores_dir.is_some() || self.labels_dir.is_some() {
            self.paths(&track).iter().try_for_each(|path| make_folder_of(path))?;
        }
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        if let Some(path) = self.scores_path(&track) {
            observers.push(self.scores_format.table(path, &bundle.manifest)?);
        }
        for format in &self.formats {
            observers.push(Box::new(LabelFile { path: self.labels_path(&track, *format), format: *format, track }));
        }
        if let Some(path) = self.report_path(&track) {
            observers.push(Box::new(ReportPage::new(path, track, &bundle.manifest)));
        }
        if let (Some(clips), Some(folder)) = (&self.clips, self.clips_folder(&track)) {
            observers.push(Box::new(ClipCutter { track, folder, margin: clips.margin }));
        }
        Ok(observers)
    }
}

fn make_folder_of(path: &Path) -> Result<(), LabelError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|source| LabelError::write(folder, source))
}
