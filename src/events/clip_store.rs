//! A folder of clips that does not grow for ever: it has a size and an age that no clip survives.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::WakeEvent;
use crate::audio::write::write_wav;
use crate::files::write_whole;
use crate::units::SampleRate;

/// Begins the name of every file that we write, and so of every file that we may delete.
const PREFIX: &str = "tripword-";

/// What may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all clips together.
    pub max_bytes: u64,
    /// Older clips go.
    pub max_age: Duration,
}

/// Clips in a folder: of each a WAV file and beside it the event as JSON, both whole or not there.
pub struct ClipStore {
    folder: PathBuf,
    quota: Quota,
}

/// The files of one clip, which go together.
struct Kept {
    paths: Vec<PathBuf>,
    n_bytes: u64,
    changed: SystemTime,
}

impl ClipStore {
    /// The folder is made when there is a clip to put into it, for the owner alone.
    pub fn new(folder: PathBuf, quota: Quota) -> Self {
        Self { folder, quota }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What may stay.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Writes a clip at the model's rate, after older ones have made room.
    ///
    /// # Errors
    /// When the disk refuses, or the clip alone is larger than the quota.
    pub fn write(&self, event: &WakeEvent, samples: &[i16]) -> io::Result<PathBuf> {
        const WAV_HEADER_BYTES: u64 = 44;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let json = event.to_json();
        let n_bytes = WAV_HEADER_BYTES + 2 * samples.len() as u64 + json.len() as u64;
        if n_bytes > self.quota.max_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the clip alone is larger than the quota"));
        }
        self.make_room(n_bytes)?;
        let stem = self.folder.join(stem(event));
        let wav = stem.with_extension("wav");
        let samples: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
        write_wav(&wav, &samples, SampleRate::MODEL).map_err(io::Error::other)?;
        write_whole(&stem.with_extension("json"), json.as_bytes())?;
        Ok(wav)
    }

    /// Deletes what is too old.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn forget_old(&self) -> io::Result<()> {
        self.make_room(0)
    }

    /// Deletes what is too old, and the oldest until so many bytes fit.
    fn make_room(&self, n_bytes: u64) -> io::Result<()> {
        let mut kept = self.kept()?;
        kept.sort_by(|a, b| (a.changed, &a.paths).cmp(&(b.changed, &b.paths)));
        let now = SystemTime::now();
        let mut total = n_bytes + kept.iter().map(|clip| clip.n_bytes).sum::<u64>();
        for clip in kept {
            // A clip from the future is as old as one of now.
            let age = now.duration_since(clip.changed).unwrap_or_default();
            if age <= self.quota.max_age && total <= self.quota.max_bytes {
                continue;
            }
            for path in &clip.paths {
                match std::fs::remove_file(path) {
                    Ok(()) => tracing::debug!(path = %path.display(), "clip deleted"),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            total -= clip.n_bytes;
        }
        Ok(())
    }

    fn kept(&self) -> io::Result<Vec<Kept>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut kept = BTreeMap::<PathBuf, Kept>::new();
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
                && path.extension().is_some_and(|end| end == "wav" || end == "json");
            let Some(metadata) = entry.metadata().ok().filter(Metadata::is_file).filter(|_| is_ours) else { continue };
            let changed = metadata.modified()?;
            let clip = kept.entry(path.with_extension("")).or_insert(Kept { paths: Vec::new(), n_bytes: 0, changed });
            clip.n_bytes += metadata.len();
            clip.changed = clip.changed.max(changed);
            clip.paths.push(path);
        }
        Ok(kept.into_values().collect())
    }
}

/// `tripword-2026-03-01T12-00-00.123Z-view_glass-96000`: when, what, and where in the stream.
fn stem(event: &WakeEvent) -> String {
    let time = event.wall_time.as_deref().unwrap_or("unknown");
    let time = match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{}Z", fraction.chars().take(3).collect::<String>()),
        None => time.to_owned(),
    };
    let safe = |text: &str, keep: &str| -> String {
        let c = |c: char| if c.is_alphanumeric() || keep.contains(c) { c } else { '-' };
        text.chars().take(60).map(c).collect()
    };
    // No dot is left, so that the ending is all that an extension can be.
    format!("{PREFIX}{}-{}-{}", safe(&time, "-").trim_end_matches('-'), safe(&event.word, "_-"), event.time_sample)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::event;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_clip_is_a_wav_file_with_its_event_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let quota = Quota { max_bytes: 1_000_000, max_age: Duration::from_secs(1000) };
        let store = ClipStore::new(folder.path().join("clips"), quota);
        let path = store.write(&event("../view glass"), &[5; 100]).unwrap();
        assert_eq!(path.parent().unwrap(), store.folder());
        assert_eq!(path.file_name().unwrap(), "tripword-2026-03-01T12-00-00-123Z----view-glass-9600.wav");
        let samples: Vec<i16> = hound::WavReader::open(&path).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(samples, [5; 100]);
        let json = std::fs::read_to_string(path.with_extension("json")).unwrap();
        assert_eq!(json, event("../view glass").to_json());
        assert_eq!(std::fs::metadata(store.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_oldest_make_room_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("holiday.wav"), [0; 50_000]).unwrap();
        let quota = Quota { max_bytes: 5000, max_age: Duration::from_secs(1000) };
        let store = ClipStore::new(folder.path().into(), quota);
        for i in 0..5 {
            let mut event = event("word");
            event.time_sample = i;
            let path = store.write(&event, &[0; 700]).unwrap();
            // An order that does not depend on the clock of the disk.
            let when = SystemTime::now() - Duration::from_secs(100 - i);
            for path in [path.clone(), path.with_extension("json")] {
                std::fs::File::options().append(true).open(path).unwrap().set_modified(when).unwrap();
            }
        }
        let names = names(folder.path());
        assert!(names.contains(&"holiday.wav".into()), "{names:?}");
        let ours: Vec<_> = names.iter().filter(|name| name.starts_with(PREFIX)).collect();
        assert!(ours.len() == 4 && ours[0].contains("word-3") && ours[3].contains("word-4"), "{ours:?}");
        let message = store.write(&event("word"), &[0; 3000]).unwrap_err().to_string();
        assert!(message.contains("larger than the quota"), "{message}");
    }

    #[test]
    fn what_is_too_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let quota = Quota { max_bytes: 1_000_000, max_age: Duration::from_secs(1000) };
        let store = ClipStore::new(folder.path().into(), quota);
        let path = store.write(&event("word"), &[0; 700]).unwrap();
        store.forget_old().unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        for path in [path.clone(), path.with_extension("json")] {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(1001)).unwrap();
        }
        store.forget_old().unwrap();
        assert!(names(folder.path()).is_empty());
        ClipStore::new(folder.path().join("missing"), quota).forget_old().unwrap();
    }
}
