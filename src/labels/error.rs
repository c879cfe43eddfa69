//! What is wrong with a file of labels, and where.

use std::path::PathBuf;

/// A file of labels that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The disk refuses.
    #[error("{path}: cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is not of its format.
    #[error("{path}, line {line}: {fault}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was found and what was expected.
        fault: LabelsFault,
    },
    /// Its name tells no format.
    #[error(
        "{path}: the name tells no format of labels; expected {}", super::LabelFormat::choices(),
        path = path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong in one line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LabelsFault {
    /// Something else than the format has here.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// What is there, shortened.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// Bytes that are no text.
    #[error("this is neither UTF-8 nor UTF-16 text; save it as UTF-8")]
    NotText,
    /// A time that no recording has.
    #[error("the times {found} are not possible; expected seconds from 0 on")]
    BadTime {
        /// What is there.
        found: String,
    },
    /// The wrong way round.
    #[error("a label from {start_s} s to {end_s} s ends before it starts")]
    EndsBeforeItStarts {
        /// In seconds.
        start_s: f64,
        /// In seconds.
        end_s: f64,
    },
    /// A table without a column that is needed.
    #[error("there is no column {missing}; the columns are {found}")]
    NoColumn {
        /// Its name, or the names it may have.
        missing: &'static str,
        /// What the first row has.
        found: String,
    },
}

impl LabelsFault {
    /// `found` in quotes and short enough for a message.
    pub(super) fn unexpected(found: &str, expected: &'static str) -> Self {
        const LONGEST: usize = 60;
        let mut short: String = found.chars().take(LONGEST).collect();
        if short.len() < found.len() {
            short.push('…');
        }
        Self::Unexpected { found: format!("'{short}'"), expected }
    }
}

/// A fault and its line, counted from 1.
pub(super) type Fault = (usize, LabelsFault);
