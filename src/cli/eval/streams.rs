//! The folder of `--streams`: what a measurement hears, for any other program to hear.
//!
//! `CONDITION/ROLE-00.wav`, beside each the words in it as Audacity labels, and `streams.json` with what is needed to count: which
//! condition and role a file has, and how many of its seconds count as time in which events are false.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::audio::AudioError;
use crate::audio::write::GrowingWav;
use crate::eval::{Material, StreamLayout, StreamSet, StreamSink};
use crate::units::SampleRate;

const INDEX: &str = "streams.json";

/// Sees whether streams may be put at `folder`: nothing is there, or an empty folder.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{}: cannot hold the streams", folder.display())),
    };
    if !is_empty {
        bail!("{}: something is there; name a new or an empty folder for the streams", folder.display());
    }
    Ok(())
}

/// Writes the streams of `sets`. They are made in a folder beside `folder` and moved there when all are complete. `about` says in the
/// index where they come from; `progress` is called with the number of streams of the present set that are written and of all of
/// them, and what they are.
pub(super) fn write(
    folder: &Path,
    material: &Material,
    sets: &[StreamSet],
    words: &[String],
    mut about: BTreeMap<&str, Value>,
    progress: &dyn Fn(usize, usize, &str),
) -> Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("{}: cannot be written", folder.display());
    fs::create_dir_all(parent).with_context(cannot)?;
    let staging = tempfile::Builder::new().prefix(".tripword-streams-").tempdir_in(parent).with_context(cannot)?;
    let made = staging.path().join("new");
    let mut streams: BTreeMap<String, Value> = BTreeMap::new();
    for set in sets {
        let condition = file_name(&set.condition_name());
        fs::create_dir_all(made.join(&condition)).with_context(cannot)?;
        let new_sink = |stream_idx: usize| {
            let name = format!("{condition}/{}-{stream_idx:02}.wav", file_name(&set.role.to_string()));
            StreamFile { wav: GrowingWav::create(&made.join(&name), SampleRate::MODEL), root: &made, name, words }
        };
        let name = set.to_string();
        let (written, _) = material.lay_into(*set, new_sink, &|done, all| progress(done, all, &name));
        for stream in written {
            let (file, layout) = stream.with_context(cannot)?;
            let entry = json!({
                "file": &file,
                "condition": set.condition_name(),
                "role": set.role.to_string(),
                "n_words": layout.truths.len(),
                "duration_s": SampleRate::MODEL.seconds(layout.n_samples),
                "negative_s": SampleRate::MODEL.seconds(layout.n_negative_samples),
            });
            // A condition can be asked for twice, as by its signal-to-noise ratio; it is the same sound.
            streams.insert(file, entry);
        }
    }
    about.insert("streams", streams.into_values().collect());
    fs::write(made.join(INDEX), serde_json::to_vec_pretty(&about)?).with_context(cannot)?;
    if folder.exists() {
        // Empty, as was seen before; not every system lets a folder be moved onto one.
        fs::remove_dir(folder).with_context(cannot)?;
    }
    fs::rename(&made, folder).with_context(cannot)
}

/// Small letters, digits and signs; hyphens for all between.
fn file_name(text: &str) -> String {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

/// One stream being written.
struct StreamFile<'a> {
    /// The first failure ends it.
    wav: Result<GrowingWav, AudioError>,
    root: &'a Path,
    /// Below the root.
    name: String,
    words: &'a [String],
}

impl StreamSink for StreamFile<'_> {
    type Made = Result<(String, StreamLayout)>;

    fn push(&mut self, samples: &[f32]) {
        if let Ok(wav) = &mut self.wav
            && let Err(error) = wav.push(samples)
        {
            self.wav = Err(error);
        }
    }

    fn finish(self, layout: StreamLayout) -> Self::Made {
        self.wav?.finish()?;
        let path: PathBuf = self.root.join(&self.name).with_extension("txt");
        fs::write(&path, labels(&layout, self.words))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok((self.name, layout))
    }
}

/// Start, end and word of each truth; six decimals of a second tell every sample.
fn labels(layout: &StreamLayout, words: &[String]) -> String {
    let line = |truth: &crate::eval::Truth| {
        let [start_s, end_s] = [truth.start_sample, truth.end_sample].map(|sample| SampleRate::MODEL.seconds(sample));
        // A tab or line break inside a word would read as another field.
        let word = words[truth.word_idx].replace(['\t', '\n', '\r'], " ");
        format!("{start_s:.6}\t{end_s:.6}\t{word}\n")
    };
    layout.truths.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_roles_become_names_of_files() {
        for (text, expected) in [
            ("noisy, 10 dB", "noisy-10-db"),
            ("reverberant, -2.5 dB", "reverberant--2.5-db"),
            ("other speech", "other-speech"),
            ("clean", "clean"),
        ] {
            assert_eq!(file_name(text), expected);
        }
    }
}
