//! The score trace of a track as CSV: `time_s,word,score`, a row a word for each model step.

use std::io::Write;
use std::path::PathBuf;

use super::super::{HeardTrack, LabelError, Observer};
use crate::bundle::Manifest;
use crate::files::WholeFile;
use crate::pipeline::StepScores;
use crate::units::SampleRate;

/// A CSV file that appears under its name only when it is whole.
pub(super) struct ScoreTable {
    path: PathBuf,
    file: WholeFile,
    rate: SampleRate,
    words: Vec<String>,
}

impl ScoreTable {
    pub(super) fn create(path: PathBuf, manifest: &Manifest) -> Result<Self, LabelError> {
        let created = WholeFile::create(&path).and_then(|mut file| writeln!(file, "time_s,word,score").map(|()| file));
        let words = manifest.words.iter().map(|word| csv_field(&word.name)).collect();
        match created {
            Ok(file) => Ok(Self { path, file, rate: manifest.features.sample_rate(), words }),
            Err(error) => Err(LabelError::write(&path, error)),
        }
    }
}

impl Observer for ScoreTable {
    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        let time_s = self.rate.seconds(step.end_sample);
        for (word, score) in self.words.iter().zip(step.scores) {
            writeln!(self.file, "{time_s:.3},{word},{score:.6}")
                .map_err(|source| LabelError::write(&self.path, source))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut HeardTrack) -> Result<(), LabelError> {
        self.file.finish().map_err(|source| LabelError::write(&self.path, source))
    }
}

/// A word as a CSV field: quoted where it must be (RFC 4180).
fn csv_field(word: &str) -> String {
    if word.contains([',', '"', '\n', '\r']) { format!("\"{}\"", word.replace('"', "\"\"")) } else { word.to_owned() }
}
