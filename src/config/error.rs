//! What is wrong with a configuration.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: not valid TOML: {reason}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// No such key.
    #[error("{origin}: there is no key '{key}'; did you mean '{nearest}'? 'tripword config --default' lists all keys")]
    UnknownKey {
        /// File or flag.
        origin: String,
        /// As written.
        key: String,
        /// The existing key most like it.
        nearest: String,
    },
    /// A value of the wrong kind.
    #[error("{origin}: {key} is {found}; expected {expected}, as in '{key} = {example}'")]
    WrongType {
        /// File or flag.
        origin: String,
        /// The key.
        key: String,
        /// The kind found.
        found: &'static str,
        /// The kind expected.
        expected: &'static str,
        /// The default value.
        example: String,
    },
    /// A value out of range.
    #[error("{origin}: {reason}")]
    Value {
        /// Where the value came from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}
