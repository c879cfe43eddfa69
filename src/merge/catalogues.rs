//! Several catalogues as one, in constant memory but for the names of the recordings.
//!
//! All are put into a draft first, in which of each recording the newest entry stays, as after a run into a catalogue that has it
//! already; from there they are written in the order of one run over all recordings.

use std::path::{Path, PathBuf};

use super::MergeError;
use super::plan::Watch;
use crate::catalogue::{CatalogueKind, RecordingEntry, SqliteCatalogue};

/// Makes the catalogue `out` of `sources`; gives how many recordings and events it has.
pub(super) fn merge(sources: &[PathBuf], out: &Path, watch: &Watch) -> Result<(usize, usize), MergeError> {
    let kind = CatalogueKind::of_path(out)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(".tripword-").tempdir_in(folder).map_err(MergeError::disk(folder))?;
    let mut draft = SqliteCatalogue::draft(&scratch.path().join("draft.sqlite"))?;
    for source in sources {
        for entry in CatalogueKind::of_path(source)?.read(source)? {
            let entry = entry?;
            watch.check()?;
            if draft.labelled_at(&entry.path)?.is_none_or(|known| known < entry.labelled_at) {
                draft.put_in_draft(&entry)?;
            }
        }
        watch.file_is_done(source);
    }
    let mut recordings = draft.recordings()?;
    recordings.sort_by(|(a, _), (b, _)| RecordingEntry::order(a).cmp(RecordingEntry::order(b)));
    let mut writer = kind.create(out)?;
    let mut n_events = 0;
    for (path, _) in &recordings {
        watch.check()?;
        if let Some(entry) = draft.entry(path)? {
            n_events += entry.n_events();
            writer.put(&entry)?;
        }
    }
    writer.finish()?;
    Ok((recordings.len(), n_events))
}
