//! Which recording is meant by a name in a file of labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::audio::ChannelChoice;
use crate::audio::file::has_sound_ending;

/// What a name means.
#[derive(Debug, PartialEq)]
pub(super) enum Meant {
    /// This recording, or one channel of it.
    One(PathBuf, ChannelChoice),
    /// One of these, and nothing tells which.
    Several(PathBuf, PathBuf),
    /// None that is known.
    Nothing,
}

/// All recordings that a name may mean, by their names.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    by_name: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Recordings {
    pub(super) fn add(&mut self, path: &Path) {
        for name in [path.file_name(), path.file_stem()].into_iter().flatten() {
            self.by_name.entry(plain(&name.to_string_lossy())).or_default().insert(path.into());
        }
    }

    /// What `name` means in a file of labels in `folder`: a path from there or from here, or the name of a recording with or without its
    /// ending, the one in the same folder before others. `NAME.ch2` is the second channel of `NAME` where no recording has that name itself.
    pub(super) fn meant(&self, name: &str, folder: &Path) -> Meant {
        match self.whole(name, folder) {
            Meant::Nothing => {}
            meant => return meant,
        }
        let Some((stem, channel)) = channel_of(name) else { return Meant::Nothing };
        match self.whole(stem, folder) {
            Meant::One(path, _) => Meant::One(path, ChannelChoice::One(channel)),
            meant => meant,
        }
    }

    fn whole(&self, name: &str, folder: &Path) -> Meant {
        let is_path = Path::new(name).components().count() > 1;
        let paths = [folder.join(name), PathBuf::from(name)];
        let there =
            paths.iter().take(if is_path { 2 } else { 1 }).find(|path| has_sound_ending(path) && path.is_file());
        if let Some(path) = there.and_then(|path| path.canonicalize().ok()) {
            return Meant::One(path, ChannelChoice::Mix);
        }
        let last = Path::new(name).file_name().map_or_else(|| name.into(), |last| last.to_string_lossy());
        let mut found = self.by_name.get(&plain(&last));
        if found.is_none() && has_sound_ending(Path::new(&*last)) {
            // The labels may have been made of the same recording in another kind of file.
            let stem = Path::new(&*last).file_stem().map(|stem| plain(&stem.to_string_lossy()));
            found = stem.and_then(|stem| self.by_name.get(&stem));
        }
        let Some(found) = found else { return Meant::Nothing };
        let beside: Vec<&PathBuf> = found.iter().filter(|path| path.parent() == Some(folder)).collect();
        let choices = if beside.is_empty() { found.iter().collect() } else { beside };
        match choices[..] {
            [one] => Meant::One(one.clone(), ChannelChoice::Mix),
            [first, second, ..] => Meant::Several(first.clone(), second.clone()),
            [] => Meant::Nothing,
        }
    }
}

/// RTTM has no spaces in its names.
fn plain(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("_")
}

/// The name without `.chN`, and the channel, counted from 0.
fn channel_of(name: &str) -> Option<(&str, u16)> {
    let (stem, number) = name.rsplit_once(".ch")?;
    let number: u16 = number.parse().ok()?;
    (number > 0 && !stem.is_empty()).then(|| (stem, number - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recordings(paths: &[&str]) -> Recordings {
        let mut recordings = Recordings::default();
        paths.iter().for_each(|path| recordings.add(Path::new(path)));
        recordings
    }

    fn one(path: &str) -> Meant {
        Meant::One(path.into(), ChannelChoice::Mix)
    }

    #[test]
    fn a_name_means_the_recording_beside_it_before_others() {
        let known = recordings(&["/a/talk.wav", "/b/talk.flac", "/b/my talk.wav", "/c/x.wav", "/c/x.mp3"]);
        let meant = |name, folder: &str| known.meant(name, Path::new(folder));
        assert_eq!(meant("talk", "/a"), one("/a/talk.wav"));
        assert_eq!(meant("talk", "/b"), one("/b/talk.flac"));
        assert_eq!(meant("talk", "/elsewhere"), Meant::Several("/a/talk.wav".into(), "/b/talk.flac".into()));
        assert_eq!(meant("talk.flac", "/elsewhere"), one("/b/talk.flac"));
        assert_eq!(meant("/nowhere/talk.flac", "/elsewhere"), one("/b/talk.flac"));
        assert_eq!(meant("my_talk", "/elsewhere"), one("/b/my talk.wav"));
        assert_eq!(meant("my talk.opus", "/elsewhere"), one("/b/my talk.wav"));
        assert_eq!(meant("x", "/c"), Meant::Several("/c/x.mp3".into(), "/c/x.wav".into()));
        assert_eq!(meant("other", "/a"), Meant::Nothing);
    }

    #[test]
    fn a_channel_is_meant_where_no_recording_has_the_name() {
        let known = recordings(&["/a/talk.wav", "/a/own.wav", "/a/own.ch1.wav"]);
        let meant = |name| known.meant(name, Path::new("/a"));
        assert_eq!(meant("talk.ch2"), Meant::One("/a/talk.wav".into(), ChannelChoice::One(1)));
        assert_eq!(meant("own.ch1"), one("/a/own.ch1.wav"));
        assert_eq!(meant("own.ch2"), Meant::One("/a/own.wav".into(), ChannelChoice::One(1)));
        for name in ["talk.ch0", "talk.chx", "other.ch1"] {
            assert_eq!(meant(name), Meant::Nothing, "{name}");
        }
    }
}
