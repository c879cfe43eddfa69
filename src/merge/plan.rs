//! What is written where of what: all that can be known before anything is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::kind::MergeKind;
use super::same::have_same_content;
use super::tree::{WholeFolder, part_of, places};
use super::{MergeError, catalogues};
use crate::catalogue::CatalogueKind;

/// Inputs that can be merged, and how.
#[derive(Debug)]
pub struct MergePlan {
    out: PathBuf,
    is_folder: bool,
    steps: Vec<Step>,
    summary: MergeSummary,
}

/// What was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct MergeSummary {
    /// Folders or files that were named.
    pub n_inputs: usize,
    /// Files of the result.
    pub n_files: usize,
    /// Files that were there more than once, with the same content.
    pub n_same: usize,
    /// Files that were made of several.
    pub n_merged: usize,
    /// Recordings in all catalogues of the result.
    pub n_recordings: usize,
    /// Events in them.
    pub n_events: usize,
    /// Rows of all files that were made of several and are no catalogues.
    pub n_rows: usize,
}

/// One file of the result.
#[derive(Debug)]
struct Step {
    /// Where it lies in the result.
    place: PathBuf,
    sources: Vec<PathBuf>,
    /// How it is made; none: it is copied from the first source.
    kind: Option<MergeKind>,
}

/// Who is told of progress and can stop the work.
pub(super) struct Watch<'a> {
    cancelled: &'a AtomicBool,
    on_bytes: &'a dyn Fn(u64),
}

impl Watch<'_> {
    pub(super) fn check(&self) -> Result<(), MergeError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(MergeError::Cancelled) } else { Ok(()) }
    }

    pub(super) fn file_is_done(&self, path: &Path) {
        (self.on_bytes)(n_bytes(path));
    }
}

impl MergePlan {
    /// Looks through `inputs`, all folders or all files, which are to become `out`.
    ///
    /// # Errors
    /// When the place is taken, an input is missing, or there are files of which there is no way to make one.
    pub fn new(inputs: &[PathBuf], out: &Path) -> Result<Self, MergeError> {
        if let Some(missing) = inputs.iter().find(|input| !input.exists()) {
            return Err(MergeError::NotFound { path: missing.clone() });
        }
        let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = inputs.iter().cloned().partition(|input| input.is_dir());
        if let (Some(folder), Some(file)) = (folders.first(), files.first()) {
            return Err(MergeError::Mixed { folder: folder.clone(), file: file.clone() });
        }
        let is_folder = files.is_empty();
        let n_inputs = inputs.len();
        let steps = if is_folder { steps_of_folders(&folders)? } else { vec![step_of_files(files, out)?] };
        // What is taken is looked at last: a wrong input is worth more words.
        let mut taken = if is_folder { vec![out.to_owned()] } else { steps[0].files(out) };
        if is_folder && std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
            taken.clear();
        }
        if let Some(path) = taken.into_iter().find(|path| path.exists()) {
            return Err(MergeError::IsThere { path });
        }
        let n_same = steps.iter().filter(|step| step.kind.is_none()).map(|step| step.sources.len() - 1).sum();
        let summary = MergeSummary { n_inputs, n_same, ..MergeSummary::default() };
        Ok(Self { out: out.to_owned(), is_folder, steps, summary })
    }

    /// Bytes to be read.
    pub fn n_bytes(&self) -> u64 {
        self.steps.iter().flat_map(Step::read).map(|path| n_bytes(path)).sum()
    }

    /// Writes the result, whole or not at all. `on_bytes` is told of further bytes that are read; `cancelled`, set, stops.
    ///
    /// # Errors
    /// When an input is not what its name says, or the disk refuses; then there is no result.
    pub fn run(self, cancelled: &AtomicBool, on_bytes: &dyn Fn(u64)) -> Result<MergeSummary, MergeError> {
        let watch = Watch { cancelled, on_bytes };
        let mut summary = self.summary;
        if self.is_folder {
            let folder = WholeFolder::create(&self.out)?;
            for step in &self.steps {
                watch.check()?;
                step.make(&folder.path(&step.place)?, &watch, &mut summary)?;
            }
            folder.finish()?;
        } else {
            if let Some(folder) = self.out.parent() {
                std::fs::create_dir_all(folder).map_err(MergeError::disk(folder))?;
            }
            self.steps[0].make(&self.out, &watch, &mut summary)?;
        }
        Ok(summary)
    }
}

impl Step {
    /// The sources that are read to make it.
    fn read(&self) -> &[PathBuf] {
        if self.kind.is_some() { &self.sources } else { &self.sources[..1] }
    }

    /// Every file that it makes, if it makes `out`.
    fn files(&self, out: &Path) -> Vec<PathBuf> {
        match (self.kind, CatalogueKind::of_path(out)) {
            (Some(MergeKind::Catalogue(_)), Ok(kind)) => kind.files(out),
            _ => vec![out.to_owned()],
        }
    }

    fn make(&self, out: &Path, watch: &Watch, summary: &mut MergeSummary) -> Result<(), MergeError> {
        summary.n_files += self.files(out).len();
        summary.n_merged += usize::from(self.kind.is_some() && self.sources.len() > 1);
        match self.kind {
            None => {
                let source = &self.sources[0];
                std::fs::copy(source, out).map_err(MergeError::disk(source))?;
                watch.file_is_done(source);
            }
            Some(MergeKind::Catalogue(_)) => {
                let (n_recordings, n_events) = catalogues::merge(&self.sources, out, watch)?;
                summary.n_recordings += n_recordings;
                summary.n_events += n_events;
            }
            Some(MergeKind::Rows(rows)) => {
                summary.n_rows += rows.merge(&self.sources, out)?;
                self.sources.iter().for_each(|source| watch.file_is_done(source));
            }
        }
        Ok(())
    }
}

fn steps_of_folders(folders: &[PathBuf]) -> Result<Vec<Step>, MergeError> {
    let mut conflicts = Vec::new();
    let mut steps = Vec::new();
    for (place, sources) in places(folders)? {
        let kinds: Option<Vec<MergeKind>> = sources.iter().map(|source| MergeKind::of(source)).collect();
        let kind = kinds.filter(|kinds| kinds.windows(2).all(|pair| pair[0].goes_with(pair[1]))).map(|kinds| kinds[0]);
        // A catalogue has a log or a second table beside it, so it is never copied alone.
        if !matches!(kind, Some(MergeKind::Catalogue(_))) {
            match first_other(&sources)? {
                None => {
                    steps.push(Step { place, sources, kind: None });
                    continue;
                }
                Some(other) if kind.is_none() => conflicts.push((sources[0].clone(), other.clone())),
                Some(_) => {}
            }
        }
        steps.push(Step { place, sources, kind });
    }
    let n_conflicts = conflicts.len();
    match conflicts.into_iter().next() {
        Some((first, second)) => Err(MergeError::Conflict { n_conflicts, first, second }),
        None => Ok(steps),
    }
}

fn step_of_files(mut files: Vec<PathBuf>, out: &Path) -> Result<Step, MergeError> {
    // A pattern like shard-*/found*.parquet names both tables of a catalogue.
    let named = files.clone();
    files.retain(|file| part_of(file).is_none_or(|main| !named.contains(&main)));
    let mut kinds = Vec::new();
    for file in &files {
        let kind = match MergeKind::of(file) {
            Some(kind) => kind,
            // A catalogue's name without a catalogue in it: reading it says what it is instead.
            None => match CatalogueKind::of_path(file) {
                Ok(kind) => return Err(kind.read(file).err().map_or_else(|| unknown(file), MergeError::from)),
                Err(_) => return Err(unknown(file)),
            },
        };
        kinds.push(kind);
    }
    let kind = kinds[0];
    if let Some(at) = kinds.iter().position(|other| !kind.goes_with(*other)) {
        return Err(MergeError::OtherKind { path: files[0].clone(), other: files[at].clone() });
    }
    if matches!(kind, MergeKind::Catalogue(_)) {
        CatalogueKind::of_path(out)?;
    }
    Ok(Step { place: out.to_owned(), sources: files, kind: Some(kind) })
}

fn unknown(path: &Path) -> MergeError {
    MergeError::UnknownKind { path: path.into() }
}

/// The first source with another content than the first of all.
fn first_other(sources: &[PathBuf]) -> Result<Option<&PathBuf>, MergeError> {
    for other in &sources[1..] {
        if !have_same_content(&sources[0], other).map_err(MergeError::disk(other))? {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn n_bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
