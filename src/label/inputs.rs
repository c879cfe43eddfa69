//! Which files are meant: files, folders with all the sound in them, patterns, lists.

use std::io::BufRead;
use std::path::{Component, Path, PathBuf};

use crate::audio::file::{ENDINGS, has_sound_ending};

/// A file to label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recording {
    /// Where it is.
    pub path: PathBuf,
    /// Where what is written of it goes below a folder of outputs: as it lies below the folder that was named.
    pub place: PathBuf,
}

impl Recording {
    /// One that was named itself: in a folder of outputs it lies at the top.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let place = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
        Self { path, place }
    }

    /// One of a list or pattern: in a folder of outputs it lies as in the list.
    fn listed(path: PathBuf) -> Self {
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if is_plain { Self { place: path.clone(), path } } else { Self::named(path) }
    }
}

/// What was asked for and cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// A folder that cannot be looked through.
    #[error("{path}: cannot be looked through", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder without any.
    #[error(
        "{path}: no sound files in it; their names end in {}", ENDINGS.map(|ending| format!(".{ending}")).join(", "),
        path = path.display()
    )]
    NoSound {
        /// The folder.
        path: PathBuf,
    },
    /// A pattern that is none.
    #[error("'{pattern}' is not a pattern: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// A pattern that nothing matches.
    #[error("no file matches '{pattern}'")]
    NoMatch {
        /// As it was given.
        pattern: String,
    },
    /// The list breaks off.
    #[error("the list of files on standard input cannot be read")]
    List(#[source] std::io::Error),
}

/// The files that `inputs` mean, folders and patterns in the order of names. `-` means that `list` names one a line.
///
/// # Errors
/// When a folder or pattern means nothing. A file that is named and not there is no error here: it is reported like any bad file.
pub fn recordings(inputs: &[PathBuf], list: &mut dyn BufRead) -> Result<Vec<Recording>, InputsError> {
    let mut found = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" {
            for line in list.lines() {
                let line = line.map_err(InputsError::List)?;
                let name = line.trim_end_matches('\r');
                if !name.is_empty() {
                    found.push(Recording::listed(name.into()));
                }
            }
        } else if input.is_dir() {
            found.extend(in_folder(input)?);
        } else if let Some(pattern) = pattern(input) {
            found.extend(matches(pattern)?);
        } else {
            found.push(Recording::named(input));
        }
    }
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<Vec<Recording>, InputsError> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| InputsError::Folder {
            path: error.path().unwrap_or(folder).to_owned(),
            source: error.into(),
        })?;
        let is_hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_file() && !is_hidden && has_sound_ending(entry.path()) {
            let place = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned();
            found.push(Recording { path: entry.into_path(), place });
        }
    }
    if found.is_empty() { Err(InputsError::NoSound { path: folder.to_owned() }) } else { Ok(found) }
}

/// A name with the signs of a pattern that is no file's own.
fn pattern(input: &Path) -> Option<&str> {
    let text = input.to_str()?;
    (text.contains(['*', '?', '[']) && !input.exists()).then_some(text)
}

fn matches(pattern: &str) -> Result<Vec<Recording>, InputsError> {
    let paths = glob::glob(pattern)
        .map_err(|error| InputsError::Pattern { pattern: pattern.to_owned(), reason: error.to_string() })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| InputsError::Folder { path: error.path().to_owned(), source: error.into() })?;
        if path.is_file() {
            found.push(Recording::listed(path));
        }
    }
    if found.is_empty() { Err(InputsError::NoMatch { pattern: pattern.to_owned() }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Recording]) -> Vec<String> {
        found.iter().map(|recording| recording.place.display().to_string()).collect()
    }

    #[test]
    fn a_folder_means_all_the_sound_in_it_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.WAV", "a.flac", "sub/c.opus", "sub/c.labels.txt", ".hidden.wav"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = recordings(&[folder.path().to_owned()], &mut &b""[..]).unwrap();
        assert_eq!(names(&found), ["a.flac", "b.WAV", "sub/c.opus"]);
        let pattern = folder.path().join("**/*.opus");
        let found = recordings(std::slice::from_ref(&pattern), &mut &b""[..]).unwrap();
        assert_eq!((found.len(), names(&found)), (1, vec!["c.opus".to_owned()]));
        let nothing = folder.path().join("*.mp3");
        assert!(matches!(recordings(&[nothing], &mut &b""[..]), Err(InputsError::NoMatch { .. })));
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let error = recordings(&[folder.path().join("empty")], &mut &b""[..]).unwrap_err();
        assert!(matches!(error, InputsError::NoSound { .. }), "{error}");
    }

    #[test]
    fn a_list_keeps_its_places() {
        let mut list = &b"one/a.wav\r\n\n/abs/b.wav\n../c.wav\n"[..];
        let found = recordings(&["-".into(), "x[1].wav.not".into()], &mut list);
        assert!(matches!(found, Err(InputsError::NoMatch { .. })));
        let mut list = &b"one/a.wav\r\n\n/abs/b.wav\n../c.wav\n"[..];
        let found = recordings(&["-".into(), "two/d.wav".into()], &mut list).unwrap();
        assert_eq!(names(&found), ["one/a.wav", "b.wav", "c.wav", "d.wav"]);
    }
}
