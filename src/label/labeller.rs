//! One file through the signal path.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Recording;
use super::scores::{ScoreWriter, csv_field};
use crate::audio::file::FileSource;
use crate::audio::resample::Resampled;
use crate::audio::{AudioError, AudioSource, ChannelChoice, Read};
use crate::bundle::Bundle;
use crate::detector::Detection;
use crate::events::WakeEvent;
use crate::files::write_whole;
use crate::labels::{Label, LabelFormat};
use crate::pipeline::{FeatureBlock, FeatureStage, InferenceStage, StepScores};
use crate::units::SampleRate;

/// Samples read at a time.
const CHUNK_SAMPLES: usize = 16_384;

/// Which files are written beside the events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelOutputs {
    /// Where `NAME.scores.csv` goes.
    pub scores_dir: Option<PathBuf>,
    /// Formats in which labels are written.
    pub formats: Vec<LabelFormat>,
    /// Where they go; beside each recording if there is no such folder.
    pub labels_dir: Option<PathBuf>,
}

impl LabelOutputs {
    fn scores_path(&self, recording: &Recording) -> Option<PathBuf> {
        Some(self.scores_dir.as_ref()?.join(&recording.place).with_extension("scores.csv"))
    }

    fn labels_path(&self, recording: &Recording, format: LabelFormat) -> PathBuf {
        let file = match &self.labels_dir {
            Some(folder) => &folder.join(&recording.place),
            None => &recording.path,
        };
        file.with_extension(format.endings()[0])
    }

    /// Every file that labelling `recording` would write.
    pub fn paths(&self, recording: &Recording) -> impl Iterator<Item = PathBuf> {
        let labels = self.formats.iter().map(|format| self.labels_path(recording, *format));
        self.scores_path(recording).into_iter().chain(labels)
    }

    /// Makes the folders that its outputs go to.
    fn make_folders(&self, recording: &Recording) -> Result<(), LabelError> {
        let is_elsewhere = self.scores_dir.is_some() || self.labels_dir.is_some();
        for path in is_elsewhere.then(|| self.paths(recording)).into_iter().flatten() {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder).map_err(|source| LabelError::Write { path: folder.to_owned(), source })?;
        }
        Ok(())
    }
}

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Labelled {
    /// In the order of time.
    pub events: Vec<WakeEvent>,
    /// What was odd about the file.
    pub warnings: Vec<String>,
}

/// Why a file was not labelled.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The user wants to stop.
    #[error("{}: stopped", path.display())]
    Cancelled {
        /// The file that was being labelled.
        path: PathBuf,
    },
    /// An output cannot be written.
    #[error("{path}: cannot be written; no part of it was left behind", path = path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Labels files with one model.
pub struct Labeller<'a> {
    /// The model.
    pub bundle: &'a Bundle,
    /// What is written.
    pub outputs: &'a LabelOutputs,
    /// What is heard.
    pub channels: ChannelChoice,
    /// Set when the user wants to stop; looked at between portions of a file.
    pub cancelled: &'a AtomicBool,
}

impl Labeller<'_> {
    /// How long a file is by its header; 0 for what cannot be read. `None` for a pipe, which is left alone: what is read of it is
    /// gone.
    pub fn duration_s(file: &Path) -> Option<f64> {
        if file.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return None;
        }
        let source = FileSource::open(file, ChannelChoice::Mix).ok();
        Some(source.and_then(|source| source.duration_s()).unwrap_or(0.0))
    }

    /// Labels a recording; `on_progress` is told of further samples at the model's rate, about once for each second of them.
    ///
    /// # Errors
    /// When the file cannot be read to its end, or an output cannot be written; then that output does not exist.
    pub fn label(&self, recording: &Recording, on_progress: &dyn Fn(u64)) -> Result<Labelled, LabelError> {
        let file = recording.path.as_path();
        let manifest = &self.bundle.manifest;
        let rate = manifest.features.sample_rate();
        let name = file.display().to_string();
        let words: Vec<String> = manifest.words.iter().map(|word| csv_field(&word.name)).collect();
        let mut source = Resampled::new(FileSource::open(file, self.channels)?, SampleRate::MODEL)?;
        self.outputs.make_folders(recording)?;
        let scores_path = self.outputs.scores_path(recording);
        let write_error = |path: &Path, source| LabelError::Write { path: path.into(), source };
        let mut score_writer = match &scores_path {
            Some(path) => Some(ScoreWriter::create(path).map_err(|source| write_error(path, source))?),
            None => None,
        };

        let mut labelled = Labelled::default();
        let mut feature_stage = FeatureStage::new(manifest);
        let mut inference_stage = InferenceStage::new(self.bundle);
        let mut block = FeatureBlock::default();
        let mut chunk = vec![0.0; CHUNK_SAMPLES];
        let (mut n_untold, mut n_heard) = (0u64, 0u64);
        let mut write_result = Ok(());
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(LabelError::Cancelled { path: file.into() });
            }
            let read = source.read(&mut chunk)?;
            let completed = match read {
                Read::Samples(n) => {
                    n_untold += n as u64;
                    n_heard += n as u64;
                    if n_untold >= u64::from(SampleRate::MODEL.hz()) {
                        on_progress(std::mem::take(&mut n_untold));
                    }
                    feature_stage.push(&chunk[..n], &mut block)
                }
                Read::Gap { lost_samples } => {
                    n_heard += lost_samples;
                    feature_stage.pass_gap(lost_samples, &mut block)
                }
                Read::End => feature_stage.finish(&mut block),
            };
            let mut on_scores = |step: StepScores| {
                if let (Some(writer), Ok(())) = (&mut score_writer, &write_result) {
                    write_result = writer.step(rate, step.end_sample, &words, step.scores);
                }
            };
            let mut on_detection =
                |detection: Detection| labelled.events.push(WakeEvent::new(&detection, manifest, &name));
            if completed {
                inference_stage.push(&block, &mut on_scores, &mut on_detection);
            }
            if read == Read::End {
                inference_stage.finish(&mut on_scores, &mut on_detection);
            }
            if let (Some(path), Err(source)) = (&scores_path, std::mem::replace(&mut write_result, Ok(()))) {
                return Err(write_error(path, source));
            }
            if read == Read::End {
                break;
            }
        }
        on_progress(n_untold);
        if let (Some(path), Some(writer)) = (&scores_path, score_writer) {
            writer.finish().map_err(|source| write_error(path, source))?;
        }
        let labels: Vec<Label> = labelled.events.iter().map(label_of).collect();
        for format in &self.outputs.formats {
            let path = self.outputs.labels_path(recording, *format);
            let text = format.write(&name, SampleRate::MODEL.seconds(n_heard), &labels);
            labelled.warnings.extend(keep_edited(&path, &text).map_err(|source| write_error(&path, source))?);
            write_whole(&path, text.as_bytes()).map_err(|source| write_error(&path, source))?;
        }
        labelled.warnings.extend(source.source().warnings().into_iter().map(|warning| format!("{name}: {warning}")));
        let n_unusable = source.n_unusable_samples() + feature_stage.n_unusable_samples();
        if n_unusable > 0 {
            labelled.warnings.push(format!(
                "{name}: {n_unusable} samples are NaN, infinite or far beyond full scale; silence or the limit stood in for them"
            ));
        }
        Ok(labelled)
    }
}

fn label_of(event: &WakeEvent) -> Label {
    Label { start_s: event.start_s, end_s: event.end_s, text: event.word.clone(), score: Some(event.score) }
}

/// Labels that stand there and say something else may have been corrected by hand: they step aside. Gives what to tell the user.
fn keep_edited(path: &Path, text: &str) -> std::io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(found) if found != text.as_bytes() => {
            // Never over an earlier one: that may be the corrected one.
            let kept = (1..)
                .map(|n| {
                    let mut kept = path.as_os_str().to_owned();
                    kept.push(if n == 1 { ".bak".to_owned() } else { format!(".bak.{n}") });
                    PathBuf::from(kept)
                })
                .find(|kept| !kept.exists())
                .expect("numbers do not end");
            std::fs::rename(path, &kept)?;
            Ok(Some(format!("{}: other labels were there; they are kept in {}", path.display(), kept.display())))
        }
        _ => Ok(None),
    }
}
