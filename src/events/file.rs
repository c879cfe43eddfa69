//! Events at the end of a file, a line each.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::outbox::{Delivery, Destination, Failure};
use super::{About, WakeEvent};

/// A file that grows by a line of JSON at each event. It is opened for each, so that it may be moved away or cut at any time.
pub struct AppendedFile {
    path: PathBuf,
}

impl AppendedFile {
    /// The file at `path`, which need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What it is.
    pub fn about(&self) -> About {
        About::new("file", self.path.display().to_string(), "each event as a line of JSON").kept()
    }

    fn append(&self, event: &WakeEvent) -> io::Result<()> {
        // Reading, too: to see how it ends, and so that a pipe without a reader does not keep us.
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        let metadata = file.metadata()?;
        let mut line = event.to_json();
        line.push('\n');
        if !metadata.is_file() {
            return file.write_all(line.as_bytes());
        }
        let length = metadata.len();
        if length > 0 && !ends_a_line(&mut file)? {
            // Somebody was stopped in the middle of a line.
            line.insert(0, '\n');
        }
        file.write_all(line.as_bytes()).inspect_err(|_| {
            // The disk is full: half a line would spoil the file. The next attempt begins anew.
            let _ = file.set_len(length);
        })
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

impl Destination for AppendedFile {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        match self.append(event) {
            Ok(()) => Ok(Delivery::Done),
            Err(error) => Err(Failure::Passing(format!("{}: {error}", self.path.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::event;
    use super::*;

    #[test]
    fn lines_are_added_and_a_torn_one_is_ended_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut file = AppendedFile::new(path.clone());
        file.deliver(&event("one")).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
        file.deliver(&event("two")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n{{\"torn\n{}\n", event("one").to_json(), event("two").to_json()));
        // Moved away, as logrotate does: a new one is begun.
        std::fs::remove_file(&path).unwrap();
        file.deliver(&event("three")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_worth_another_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later").join("events.jsonl");
        let mut file = AppendedFile::new(path.clone());
        let Err(Failure::Passing(reason)) = file.deliver(&event("one")) else { panic!("there is no folder") };
        assert!(reason.contains("events.jsonl"), "{reason}");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        file.deliver(&event("one")).unwrap();
    }
}
