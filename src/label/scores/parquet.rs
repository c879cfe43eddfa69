//! The score trace of a track as Parquet.

use std::path::PathBuf;

use super::super::{HeardTrack, LabelError, Observer};
use crate::bundle::Manifest;
use crate::pipeline::StepScores;
use crate::tables::{TableKind, TableWriter, Value};
use crate::units::SampleRate;

const SCORES: TableKind = TableKind {
    name: "scores 1",
    columns: "message scores {
        required double time_s;
        required byte_array word (string);
        required float score;
        required float probability;
    }",
};

/// A Parquet file that appears under its name only when it is whole.
pub(super) struct ScoreTable {
    table: TableWriter,
    rate: SampleRate,
    words: Vec<String>,
}

impl ScoreTable {
    pub(super) fn create(path: PathBuf, manifest: &Manifest) -> Result<Self, LabelError> {
        let words = manifest.words.iter().map(|word| word.name.clone()).collect();
        Ok(Self { table: TableWriter::create(&path, SCORES)?, rate: manifest.features.sample_rate(), words })
    }
}

impl Observer for ScoreTable {
    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        let time_s = self.rate.seconds(step.end_sample);
        for ((word, score), probability) in self.words.iter().zip(step.scores).zip(step.probabilities) {
            let row = [Value::Double(time_s), Value::Text(word), Value::Float(*score), Value::Float(*probability)];
            self.table.push(&row)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut HeardTrack) -> Result<(), LabelError> {
        Ok(self.table.finish()?)
    }
}
