//! The score trace of a file as CSV: `time_s,word,score`, a row a word for each model step.

use std::io::{self, Write};
use std::path::Path;

use crate::files::WholeFile;
use crate::units::SampleRate;

/// A CSV file that appears under its name only when it is whole.
pub(super) struct ScoreWriter {
    file: WholeFile,
}

impl ScoreWriter {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = WholeFile::create(path)?;
        writeln!(file, "time_s,word,score")?;
        Ok(Self { file })
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
        self.file.finish()
    }
}

/// A word as a CSV field: quoted where it must be (RFC 4180).
pub(super) fn csv_field(word: &str) -> String {
    if word.contains([',', '"', '\n', '\r']) { format!("\"{}\"", word.replace('"', "\"\"")) } else { word.to_owned() }
}
