//! The manifest that carries the corrected times into a training.

use std::collections::HashMap;
use std::path::Path;

use super::AlignedClip;
use crate::dataset::{Inventory, Provenance};
use crate::units::SampleRate;

/// The text of a `manifest.tsv` that lies in `folder` and names every recording of `inventory`, with the times of `clips`. `None` for a
/// recording that does not lie below `folder` or whose path cannot be written in a table.
pub fn manifest_text(inventory: &Inventory, clips: &[AlignedClip], folder: &Path) -> Option<String> {
    let spans: HashMap<usize, &AlignedClip> = clips.iter().map(|clip| (clip.file_idx, clip)).collect();
    let mut text = "path\tword\tspeaker\tsource\tlicense\tspeech_start_s\tspeech_end_s\n".to_owned();
    let mut row = |path: &Path, word: &str, speaker: Option<&str>, from: &Provenance, span_s: Option<(f64, f64)>| {
        let path = path.strip_prefix(folder).ok()?.to_str()?;
        let speaker = speaker.unwrap_or_default();
        let times = span_s.map_or("\t".into(), |(start_s, end_s)| format!("{start_s:.3}\t{end_s:.3}"));
        let cells = [path, word, speaker, &from.source, &from.license];
        if cells.iter().any(|cell| cell.contains(['\t', '\n', '\r'])) {
            return None;
        }
        text.push_str(&format!("{}\t{times}\n", cells.join("\t")));
        Some(())
    };
    for (file_idx, file) in inventory.positives.iter().enumerate() {
        let second = |sample: usize| SampleRate::MODEL.seconds(sample as u64);
        let aligned = spans.get(&file_idx).map(|clip| (second(clip.aligned.start), second(clip.aligned.end)));
        let word = &inventory.words[file.word_idx];
        row(&file.path, word, file.speaker.as_deref(), &file.provenance, aligned.or(file.span_s))?;
    }
    for file in inventory.negatives.iter().chain(&inventory.noises) {
        row(&file.path, "", file.speaker.as_deref(), &file.provenance, None)?;
    }
    for file in &inventory.rooms {
        row(&file.path, "", None, &file.provenance, None)?;
    }
    Some(text)
}
