//! What an interrupted run has finished, so that it can go on.
//!
//! One line of JSON for each recording, written when all of its outputs are. A line that was being written when the machine went down
//! is no line.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::{Channels, HeardRecording, LabelOutputs, Recording};

/// The journal of one run; threads share it.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    /// Where the line of each recording lies that was finished before: its first byte and its length.
    lines: HashMap<PathBuf, (u64, u64)>,
}

/// One line.
#[derive(Serialize, Deserialize)]
struct Entry {
    recording: PathBuf,
    state: FileState,
    heard: HeardRecording,
}

/// As long as these are the same, the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct FileState {
    n_bytes: u64,
    changed_ns: u64,
}

impl FileState {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { n_bytes: metadata.len(), changed_ns: changed.as_nanos() as u64 })
    }
}

impl Journal {
    /// Begins a new one; gives how many recordings one that lay there had finished.
    ///
    /// # Errors
    /// When the folder or file cannot be made.
    pub fn start(path: PathBuf) -> io::Result<(Self, usize)> {
        let journal = Self::resume(path)?;
        let n_forgotten = journal.lines.len();
        journal.file().set_len(0)?;
        Ok((Self { lines: HashMap::new(), ..journal }, n_forgotten))
    }

    /// Goes on with one, if there is one.
    ///
    /// # Errors
    /// When the folder or file cannot be made or read.
    pub fn resume(path: PathBuf) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let mut reader = BufReader::new(&file);
        let (mut lines, mut place, mut line) = (HashMap::new(), 0, Vec::new());
        loop {
            line.clear();
            let n_bytes = reader.read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                break;
            }
            // A line of another version of this program is of no use, and the recording is labelled anew.
            if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                lines.insert(entry.recording, (place, n_bytes));
            }
            place += n_bytes;
        }
        // Half a line would spoil the next one.
        file.set_len(place)?;
        Ok(Self { path, file: Mutex::new(file), lines })
    }

    /// Recordings that were finished before.
    pub fn n_finished_before(&self) -> usize {
        self.lines.len()
    }

    /// What was found in `recording` before; nothing if it or one of its outputs is no longer there as it was.
    pub fn finished(
        &self,
        recording: &Recording,
        channels: Channels,
        outputs: &LabelOutputs,
    ) -> Option<HeardRecording> {
        let &(place, n_bytes) = self.lines.get(&recording.path)?;
        let mut line = vec![0; usize::try_from(n_bytes).ok()?];
        {
            let mut file = self.file();
            file.seek(SeekFrom::Start(place)).ok()?;
            file.read_exact(&mut line).ok()?;
        }
        let entry: Entry = serde_json::from_slice(&line).ok()?;
        let is_same = FileState::of(&recording.path).is_ok_and(|state| state == entry.state);
        let mut tracks = channels.tracks(recording, entry.heard.n_channels).into_iter();
        let is_whole = tracks.all(|track| outputs.paths(&track).iter().all(|path| path.is_file()));
        (is_same && is_whole).then_some(entry.heard)
    }

    /// Adds a recording whose outputs are written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&self, recording: &Recording, heard: &HeardRecording) -> io::Result<()> {
        if !recording.path.is_file() {
            // What is read of a pipe is gone; nobody can go on with it.
            return Ok(());
        }
        let state = FileState::of(&recording.path)?;
        let entry = Entry { recording: recording.path.clone(), state, heard: heard.clone() };
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file().write_all(&line)
    }

    /// All is done: there is nothing to resume.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    fn file(&self) -> std::sync::MutexGuard<'_, File> {
        // Lines are added at the end whole, wherever a thread broke off.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(recording: &Recording) -> HeardRecording {
        HeardRecording { path: recording.path.clone(), n_channels: 1, sample_rate_hz: 8000, tracks: Vec::new() }
    }

    #[test]
    fn what_is_finished_is_known_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = ["a.wav", "b.wav", "c.wav"].map(|name| Recording::named(folder.path().join(name)));
        for recording in &recordings {
            std::fs::write(&recording.path, "sound").unwrap();
        }
        let outputs = LabelOutputs { formats: vec!["rttm".parse().unwrap()], ..LabelOutputs::default() };
        let channels: Channels = "mix".parse().unwrap();
        let path = folder.path().join("state/journal.jsonl");
        let (journal, _) = Journal::start(path.clone()).unwrap();
        for recording in &recordings[..2] {
            std::fs::write(recording.path.with_extension("rttm"), "").unwrap();
            journal.add(recording, &heard(recording)).unwrap();
        }
        // The machine goes down in the middle of a line.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..40]].concat()).unwrap();

        let journal = Journal::resume(path.clone()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        let finished =
            |journal: &Journal| recordings.each_ref().map(|a| journal.finished(a, channels, &outputs).is_some());
        assert_eq!((journal.n_finished_before(), finished(&journal)), (2, [true, true, false]));
        journal.add(&recordings[2], &heard(&recordings[2])).unwrap();
        std::fs::write(recordings[2].path.with_extension("rttm"), "").unwrap();
        assert_eq!(finished(&Journal::resume(path.clone()).unwrap()), [true; 3]);

        std::fs::write(&recordings[0].path, "another sound").unwrap();
        std::fs::remove_file(recordings[1].path.with_extension("rttm")).unwrap();
        assert_eq!(finished(&Journal::resume(path.clone()).unwrap()), [false, false, true]);

        let (journal, n_forgotten) = Journal::start(path.clone()).unwrap();
        assert_eq!((n_forgotten, journal.n_finished_before(), finished(&journal)), (3, 0, [false; 3]));
        journal.remove().unwrap();
        assert!(!path.exists());
    }
}
