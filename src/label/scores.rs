//! The score trace of a file as CSV: `time_s,word,score`, a row a word for each model step.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::units::SampleRate;

/// A CSV file that appears under its name only when it is whole.
pub(super) struct ScoreWriter {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl ScoreWriter {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = BufWriter::new(NamedTempFile::new_in(folder)?);
        writeln!(file, "time_s,word,score")?;
        Ok(Self { file, path: path.into() })
    }

    /// One step that ends at `end_sample`: a row for each word.
    pub(super) fn step(
        &mut self,
        rate: SampleRate,
        end_sample: u64,
        words: &[String],
        scores: &[f32],
    ) -> io::Result<()> {
        for (word, score) in words.iter().zip(scores) {
            writeln!(self.file, "{:.3},{word},{score:.6}", rate.seconds(end_sample))?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// A word as a CSV field: quoted where it must be (RFC 4180).
pub(super) fn csv_field(word: &str) -> String {
    if word.contains([',', '"', '\n', '\r']) { format!("\"{}\"", word.replace('"', "\"\"")) } else { word.to_owned() }
}
