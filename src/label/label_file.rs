//! The labels of a track as a file.

use std::path::{Path, PathBuf};

use super::{HeardTrack, LabelError, Observer, Track};
use crate::events::WakeEvent;
use crate::files::write_whole;
use crate::labels::{Label, LabelFormat};

/// Writes the labels at the end.
pub(super) struct LabelFile<'a> {
    pub(super) path: PathBuf,
    pub(super) format: LabelFormat,
    pub(super) track: Track<'a>,
}

impl Observer for LabelFile<'_> {
    fn finish(self: Box<Self>, track: &mut HeardTrack) -> Result<(), LabelError> {
        let labels: Vec<Label> = track.events.iter().map(label_of).collect();
        let recording = self.track.recording.path.display().to_string();
        let text = self.format.write(&recording, track.duration_s, &labels);
        let failed = |source| LabelError::write(&self.path, source);
        track.warnings.extend(keep_edited(&self.path, &text).map_err(failed)?);
        write_whole(&self.path, text.as_bytes()).map_err(failed)
    }
}

fn label_of(event: &WakeEvent) -> Label {
    Label { start_s: event.start_s, end_s: event.end_s, text: event.word.clone(), score: Some(event.score) }
}

/// Labels that stand there and say something else may have been corrected by hand: they step aside. Gives what to tell the user.
fn keep_edited(path: &Path, text: &str) -> std::io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(found) if found != text.as_bytes() => {
            // Never over an earlier one: that may be the corrected one.
            let kept = (1..)
                .map(|n| {
                    let mut kept = path.as_os_str().to_owned();
                    kept.push(if n == 1 { ".bak".to_owned() } else { format!(".bak.{n}") });
                    PathBuf::from(kept)
                })
                .find(|kept| !kept.exists())
                .expect("numbers do not end");
            std::fs::rename(path, &kept)?;
            Ok(Some(format!("{}: other labels were there; they are kept in {}", path.display(), kept.display())))
        }
        _ => Ok(None),
    }
}
