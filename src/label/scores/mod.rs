//! The scores of each step of a track, as a table: a row a word for each model step.

mod csv;
mod parquet;

use std::path::PathBuf;
use std::str::FromStr;

use super::{LabelError, Observer};
use crate::bundle::Manifest;

/// How scores are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoresFormat {
    /// `time_s,word,score`, for any program.
    #[default]
    Csv,
    /// The same and the network's own probability as Parquet, for DuckDB, pandas and others; a third of the size.
    Parquet,
}

impl ScoresFormat {
    /// How the names of its files end, without the dot before it.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "scores.csv",
            Self::Parquet => "scores.parquet",
        }
    }

    /// What makes the table `path` of a track that the model `manifest` hears.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn table(self, path: PathBuf, manifest: &Manifest) -> Result<Box<dyn Observer>, LabelError> {
        Ok(match self {
            Self::Csv => Box::new(csv::ScoreTable::create(path, manifest)?),
            Self::Parquet => Box::new(parquet::ScoreTable::create(path, manifest)?),
        })
    }
}

impl FromStr for ScoresFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            _ => Err(format!("scores are not written as '{name}'; choose csv or parquet")),
        }
    }
}
