//! Tells when files change: also those that an editor puts in the place of the old ones, and those that are not there yet.
//!
//! The folders are watched, not the files, each with the folder above it, so that a folder that is replaced as a whole is seen. What
//! the system tells is only the occasion to look: a file has changed if its time, its size or its identity has.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// A change is told when nothing has changed for so long: files are often written in several portions...
const QUIET: Duration = Duration::from_millis(500);
/// ...but not later than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where the system does not watch, it is looked so often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Watches until it is dropped.
pub(super) struct FileWatch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatch {
    /// Calls `changed` when one of `files` has changed since it was read, from a thread of its own; `files` is asked again after each
    /// change.
    pub(super) fn start(
        files: impl Fn() -> Seen + Send + 'static,
        changed: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let seen = files();
        let body = move || watch(&files, &changed, seen, &stopped);
        let thread = Builder::new().name("tw-files".to_owned()).spawn(body)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was reported by the runtime.
            let _ = thread.join();
        }
    }
}

fn watch(files: &impl Fn() -> Seen, changed: &impl Fn(), mut seen: Seen, stopped: &Receiver<()>) {
    let paths = || files().into_keys().collect::<Vec<_>>();
    // One is enough: it says that something has changed.
    let (sender, occasions) = bounded(1);
    let mut folders = Folders::default();
    loop {
        // Looked at only once the folders are watched: what changes in between is not missed.
        folders.watch_those_of(&paths(), &sender);
        if has_changed(&seen, &look(paths())) {
            if !wait_until_quiet(&occasions, stopped) {
                return;
            }
            let now = look(paths());
            let is_news = has_changed(&seen, &now);
            seen = now;
            if is_news {
                changed();
            }
            // Other files may count from now on, and may have changed since they were read.
            for (path, stamp) in files() {
                seen.entry(path).or_insert(stamp);
            }
            continue;
        }
        let is_watching = folders.watcher.is_some();
        let look_again = if is_watching { crossbeam_channel::never() } else { crossbeam_channel::after(LOOK_EVERY) };
        select! {
            recv(occasions) -> _ => {}
            recv(look_again) -> _ => {}
            recv(stopped) -> _ => return,
        }
    }
}

/// Waits until nothing has changed for a while, but not for ever; gives whether to go on.
fn wait_until_quiet(occasions: &Receiver<()>, stopped: &Receiver<()>) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match stopped.recv_timeout(QUIET) {
            Err(RecvTimeoutError::Timeout) if occasions.try_recv().is_ok() => {}
            Err(RecvTimeoutError::Timeout) => break,
            _ => return false,
        }
    }
    true
}

/// What was last seen of each file; nothing of one that is not there.
pub(super) type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>>;

/// Looks at files as they are now.
pub(super) fn look(files: Vec<PathBuf>) -> Seen {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), identity(&metadata)))
    };
    files.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

/// Whether one that was seen before is another now.
fn has_changed(before: &Seen, now: &Seen) -> bool {
    now.iter().any(|(path, now)| before.get(path).is_some_and(|before| before != now))
}

fn identity(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    return u64::from(metadata.is_dir());
}

/// The folders that are watched, each with its identity: another one may come into its place.
#[derive(Default)]
struct Folders {
    watched: Vec<(PathBuf, u64)>,
    watcher: Option<RecommendedWatcher>,
}

impl Folders {
    /// Watches the folders of `files`, unless it does already.
    fn watch_those_of(&mut self, files: &[PathBuf], sender: &Sender<()>) {
        let folders = folders_of(files);
        if self.watched == folders && self.watcher.is_some() {
            return;
        }
        let is_first = self.watched.is_empty();
        match start_watcher(&folders, sender.clone()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                if is_first || self.watcher.is_some() {
                    tracing::warn!(%error, "the system does not watch files; they are looked at every two seconds");
                }
                self.watcher = None;
            }
        }
        self.watched = folders;
    }
}

fn start_watcher(folders: &[(PathBuf, u64)], sender: Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is no change; an error may hide one.
        if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
            // If it is full, it is known.
            let _ = sender.try_send(());
        }
    })?;
    for (folder, _) in folders {
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            // One that is gone meanwhile is seen from above.
            Err(error) if !folder.is_dir() => tracing::debug!(%error, "a folder has gone"),
            result => result?,
        }
    }
    Ok(watcher)
}

/// The folder of each file, or the nearest above it that is there, and the one above that. Behind links, too.
fn folders_of(files: &[PathBuf]) -> Vec<(PathBuf, u64)> {
    let mut folders = BTreeMap::new();
    for file in files {
        let links_to = std::fs::canonicalize(file).ok();
        for file in std::path::absolute(file).ok().into_iter().chain(links_to) {
            let there = file.ancestors().skip(1).filter_map(|folder| Some((folder, std::fs::metadata(folder).ok()?)));
            folders.extend(there.take(2).map(|(folder, metadata)| (folder.to_owned(), identity(&metadata))));
        }
    }
    folders.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Watched {
        _watch: FileWatch,
        told: Receiver<()>,
    }

    fn start(files: Vec<PathBuf>) -> Watched {
        let (sender, told) = bounded(100);
        let read = look(files);
        let watch = FileWatch::start(move || read.clone(), move || sender.send(()).unwrap()).unwrap();
        Watched { _watch: watch, told }
    }

    impl Watched {
        fn is_told(&self) -> bool {
            self.told.recv_timeout(Duration::from_secs(20)).is_ok()
        }

        fn is_told_nothing(&self) -> bool {
            self.told.recv_timeout(QUIET * 3).is_err()
        }
    }

    #[test]
    fn a_file_that_is_written_renamed_over_removed_and_made_again_is_told_once_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "a").unwrap();
        let watched = start(vec![file.clone()]);
        // In portions, as some editors do it.
        for text in ["b", "bc", "bcd"] {
            std::fs::write(&file, text).unwrap();
        }
        assert!(watched.is_told() && watched.is_told_nothing());
        let other = folder.path().join(".config.toml.swp");
        std::fs::write(&other, "bcd").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert!(watched.is_told() && watched.is_told_nothing());
        std::fs::remove_file(&file).unwrap();
        assert!(watched.is_told());
        std::fs::write(&file, "e").unwrap();
        assert!(watched.is_told());
        // Reading and neighbours are no change.
        std::fs::read(&file).unwrap();
        std::fs::write(&other, "x").unwrap();
        assert!(watched.is_told_nothing());
    }

    #[test]
    fn folders_that_come_later_and_folders_that_are_replaced_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("deep").join("model");
        let file = model.join("manifest.toml");
        let watched = start(vec![file.clone()]);
        std::fs::create_dir_all(&model).unwrap();
        std::fs::write(&file, "a").unwrap();
        assert!(watched.is_told());
        let other = folder.path().join("deep").join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("manifest.toml"), "b").unwrap();
        std::fs::remove_dir_all(&model).unwrap();
        std::fs::rename(&other, &model).unwrap();
        assert!(watched.is_told());
        // The new folder is watched, not the old one.
        std::fs::write(&file, "longer").unwrap();
        assert!(watched.is_told());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_behind_a_link_is_watched() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (here.path().join("config.toml"), there.path().join("dot-config.toml"));
        std::fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let watched = start(vec![link]);
        std::fs::write(&file, "longer").unwrap();
        assert!(watched.is_told());
    }
}
