//! Which recordings there are, and which file has the labels of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lookup::{Meant, Recordings};
use super::{LabelledError, LabelledRecording, LabelledRecordings};
use crate::audio::ChannelChoice;
use crate::audio::file::has_sound_ending;
use crate::labels::{Label, LabelFormat, RecordingLabels, read_labels};
use crate::names::same_word;

/// Times that are nearer than this are the same, in seconds: WebVTT rounds to milliseconds.
const SAME_TIME_S: f64 = 0.001;

/// A recording, and the channel of it that is meant, counted from 0; none: the mean of all.
type Heard = (PathBuf, Option<u16>);

/// Labels of one recording out of one file.
struct LabelSet {
    path: PathBuf,
    labels: Vec<Label>,
    /// Whether the file was named itself, and so comes before others.
    is_named: bool,
}

/// What lies at the paths.
#[derive(Default)]
struct Lying {
    recordings: Recordings,
    /// Recordings that were named, or lie in a folder that was: those without labels are told.
    listed: BTreeSet<PathBuf>,
    /// Files of labels, and whether they were named themselves.
    labels: BTreeMap<PathBuf, bool>,
}

pub(super) fn find(paths: &[PathBuf]) -> Result<LabelledRecordings, LabelledError> {
    let mut lying = Lying::default();
    let mut root = None;
    for path in paths {
        let unreachable = |source| LabelledError::Unreachable { path: path.clone(), source };
        let whole = path.canonicalize().map_err(unreachable)?;
        let folder = if whole.is_dir() { &whole } else { whole.parent().unwrap_or(&whole) };
        root.get_or_insert_with(|| folder.to_owned());
        if whole.is_dir() {
            lying.look_through(&whole, true)?;
        } else if has_sound_ending(&whole) {
            lying.recordings.add(&whole);
            lying.beside(&whole)?;
            lying.listed.insert(whole);
        } else if LabelFormat::of_path(&whole).is_some() {
            lying.look_through(folder, false)?;
            lying.labels.insert(whole, true);
        } else {
            return Err(LabelledError::UnknownKind { path: path.clone() });
        }
    }
    let mut notes = Vec::new();
    let mut sets: BTreeMap<Heard, Vec<LabelSet>> = BTreeMap::new();
    for (path, is_named) in &lying.labels {
        for (heard, labels) in lying.read(path, *is_named, &mut notes)? {
            let set = LabelSet { path: path.clone(), labels, is_named: *is_named };
            sets.entry(heard).or_default().push(set);
        }
    }
    if sets.is_empty() {
        return Err(LabelledError::NoLabels {
            places: paths.iter().map(|path| path.display().to_string()).collect(),
            n_recordings: lying.listed.len(),
        });
    }
    let labelled: BTreeSet<&PathBuf> = sets.keys().map(|(recording, _)| recording).collect();
    notes.extend(note_unlabelled(&lying.listed.iter().filter(|path| !labelled.contains(path)).collect::<Vec<_>>()));
    let recordings = sets.into_iter().map(|(heard, sets)| one_set(heard, sets));
    let recordings = recordings.collect::<Result<_, _>>()?;
    Ok(LabelledRecordings { root: root.unwrap_or_default(), recordings, notes })
}

impl Lying {
    /// A folder: with `is_whole` all that lies in it, at any depth, is meant; else only what its recordings are called is of interest.
    fn look_through(&mut self, folder: &Path, is_whole: bool) -> Result<(), LabelledError> {
        let depth = if is_whole { usize::MAX } else { 1 };
        for entry in walkdir::WalkDir::new(folder).max_depth(depth).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| LabelledError::Unreachable {
                path: error.path().unwrap_or(folder).to_owned(),
                source: error.into(),
            })?;
            let is_hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
            if !entry.file_type().is_file() || is_hidden {
                continue;
            }
            if has_sound_ending(entry.path()) {
                self.recordings.add(entry.path());
                if is_whole {
                    self.listed.insert(entry.into_path());
                }
            } else if is_whole && LabelFormat::of_path(entry.path()).is_some() {
                self.labels.entry(entry.into_path()).or_insert(false);
            }
        }
        Ok(())
    }

    /// The files of labels that are called like a recording that was named itself.
    fn beside(&mut self, recording: &Path) -> Result<(), LabelledError> {
        let folder = recording.parent().unwrap_or(recording);
        let io = |source| LabelledError::Unreachable { path: folder.into(), source };
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let stem = LabelFormat::of_path(&path).map(|(_, stem)| stem);
            if stem.is_some_and(
                |stem| matches!(self.recordings.meant(&stem, folder), Meant::One(own, _) if own == recording),
            ) {
                self.labels.entry(path).or_insert(false);
            }
        }
        Ok(())
    }

    /// The recordings that a file has labels of, each with the channel that is meant. What is obviously no file of labels but a text or a table
    /// that lies in the folder, too, is told in `notes`.
    fn read(
        &self,
        path: &Path,
        is_named: bool,
        notes: &mut Vec<String>,
    ) -> Result<Vec<(Heard, Vec<Label>)>, LabelledError> {
        let folder = path.parent().unwrap_or(path);
        let Some((format, stem)) = LabelFormat::of_path(path) else { return Ok(Vec::new()) };
        let is_of_recording = !matches!(self.recordings.meant(&stem, folder), Meant::Nothing);
        let read = match read_labels(path) {
            Err(error) if !is_named && !is_of_recording && is_common(format) => {
                notes.push(format!("left alone, as it has no labels in it: {error}"));
                return Ok(Vec::new());
            }
            read => read?,
        };
        // A table without rows says of its own recording that nothing is in it.
        let nothing = vec![RecordingLabels::default()];
        let read = if read.is_empty() && is_of_recording { nothing } else { read };
        let mut found = Vec::new();
        for RecordingLabels { recording, labels } in read {
            let name = recording.unwrap_or_else(|| stem.clone());
            match self.recordings.meant(&name, folder) {
                Meant::One(recording, ChannelChoice::Mix) => found.push(((recording, None), labels)),
                Meant::One(recording, ChannelChoice::One(channel)) => found.push(((recording, Some(channel)), labels)),
                Meant::Several(first, second) => {
                    let labels = path.to_owned();
                    return Err(LabelledError::AmbiguousRecording { labels, recording: name, first, second });
                }
                Meant::Nothing if is_named => {
                    return Err(LabelledError::NoRecording { labels: path.to_owned(), recording: name });
                }
                Meant::Nothing if labels.is_empty() => {}
                Meant::Nothing => {
                    notes
                        .push(format!("{}: there is no recording \"{name}\": its labels are not used", path.display()));
                }
            }
        }
        Ok(found)
    }
}

/// Whether files of other content often have such a name.
fn is_common(format: LabelFormat) -> bool {
    matches!(format, LabelFormat::Audacity | LabelFormat::Csv | LabelFormat::JsonLines)
}

/// The labels of a recording, if all files of them agree or one of them was named itself.
fn one_set((path, channel): Heard, mut sets: Vec<LabelSet>) -> Result<LabelledRecording, LabelledError> {
    if sets.iter().any(|set| set.is_named) {
        sets.retain(|set| set.is_named);
    }
    let mut sets = sets.into_iter();
    let first = sets.next().expect("an entry is made with its first set");
    for other in sets {
        if !is_same(&first.labels, &other.labels) {
            return Err(LabelledError::TwoSets { recording: path, first: first.path, second: other.path });
        }
    }
    let channels = channel.map_or(ChannelChoice::Mix, ChannelChoice::One);
    Ok(LabelledRecording { path, channels, labels_path: first.path, labels: first.labels })
}

/// Whether two sets say the same: `tripword label` writes several formats at once.
fn is_same(a: &[Label], b: &[Label]) -> bool {
    let is_near = |a: f64, b: f64| (a - b).abs() <= SAME_TIME_S;
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| is_near(a.start_s, b.start_s) && is_near(a.end_s, b.end_s) && same_word(&a.text, &b.text))
}

fn note_unlabelled(paths: &[&PathBuf]) -> Option<String> {
    const SHOWN: usize = 3;
    let (first, n) = (paths.first()?, paths.len());
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    let more = if n > SHOWN { format!(" and {} more", n - SHOWN) } else { String::new() };
    Some(format!(
        "{n} recordings have no labels and are not learned from: {}{more}; an empty {} would say that none of the words is in it",
        shown.join(", "),
        first.with_extension("labels.txt").display()
    ))
}
