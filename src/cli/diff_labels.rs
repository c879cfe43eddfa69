//! `tripword diff-labels`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;

use super::{Outcome, print_line};
use crate::labels::{DiffOptions, Label, LabelFormat, WordDiff, diff_labels, read_labels};

/// Compare two sets of labels event by event: hits, misses, false accepts, offsets, precision and recall
#[derive(Args)]
#[command(after_help = "Examples:
  tripword diff-labels corrected.txt found.TextGrid
  tripword diff-labels --events truth/ found/             folders: recordings are told apart by their names
  tripword diff-labels --json truth.rttm found.jsonl | jq .total.recall

Formats, by the end of the name: .txt (Audacity), .TextGrid (Praat), .rttm, .vtt (WebVTT), .jsonl, .csv. Two labels are one event if they are of
the same word and overlap, or their ends are at most the tolerance apart. The exit status is 0 if both sets have the same events, else 4.")]
pub(super) struct DiffLabelsArgs {
    /// What is right: a file of labels, or a folder of them
    #[arg(value_name = "REFERENCE")]
    reference: PathBuf,
    /// What is compared with it
    #[arg(value_name = "FOUND")]
    found: PathBuf,
    /// Labels that do not overlap are one event if their ends are at most so far apart, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    tolerance_ms: u32,
    /// List every event that is in one set only, and every hit with its offset
    #[arg(long)]
    events: bool,
    /// For machines: one JSON object with everything
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DiffLabelsArgs) -> Result<Outcome> {
    let (mut reference, mut found) = (read_set(&args.reference)?, read_set(&args.found)?);
    // A file each, of one recording each: these are meant, whatever they are called.
    if !args.reference.is_dir() && !args.found.is_dir() && reference.len() <= 1 && found.len() <= 1 {
        let name = reference.keys().chain(found.keys()).next().cloned().unwrap_or_default();
        for set in [&mut reference, &mut found] {
            *set = std::mem::take(set).into_values().map(|labels| (name.clone(), labels)).collect();
        }
    }
    let diff = diff_labels(&reference, &found, DiffOptions { tolerance_s: f64::from(args.tolerance_ms) / 1000.0 });
    let total = diff.total();
    if args.json {
        let sum = |word: &WordDiff| {
            json!({
                "word": word.word, "n_hits": word.hits.len(), "n_misses": word.misses.len(),
                "n_false_accepts": word.false_accepts.len(), "precision": word.precision(), "recall": word.recall(),
                "median_end_offset_s": word.end_offsets_s().map(|[median, _]| median),
            })
        };
        let words: Vec<_> = diff.words.iter().map(sum).collect();
        print_line(&json!({ "total": sum(&total), "words": words, "events": diff.words }).to_string())?;
    } else {
        print_table(&diff.words, &total)?;
        if args.events {
            print_events(&diff.words)?;
        }
    }
    Ok(if diff.is_same() { Outcome::Success } else { Outcome::Different })
}

fn print_table(words: &[WordDiff], total: &WordDiff) -> Result<()> {
    let width = words.iter().map(|word| word.word.chars().count()).max().unwrap_or(0).max(4);
    print_line(&format!(
        "{:width$}  hits  misses  false accepts  precision  recall  end off by (median, 95 %)",
        "word"
    ))?;
    let rows = words.iter().chain((words.len() != 1).then_some(total));
    for word in rows {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
        let apart = word.end_offsets_s().map_or_else(
            || "-".to_owned(),
            |[median, most]| format!("{:.0} ms, {:.0} ms", median * 1000.0, most * 1000.0),
        );
        print_line(&format!(
            "{:width$}  {:>4}  {:>6}  {:>13}  {:>9}  {:>6}  {apart}",
            word.word,
            word.hits.len(),
            word.misses.len(),
            word.false_accepts.len(),
            percent(word.precision()),
            percent(word.recall()),
        ))?;
    }
    Ok(())
}

fn print_events(words: &[WordDiff]) -> Result<()> {
    for word in words {
        for pair in &word.hits {
            let offset_ms = pair.end_offset_s * 1000.0;
            print_line(&format!(
                "hit           {}  {:.3}-{:.3} s  {}  ends {offset_ms:+.0} ms",
                pair.recording, pair.start_s, pair.end_s, word.word
            ))?;
        }
        for (kind, singles) in [("miss        ", &word.misses), ("false accept", &word.false_accepts)] {
            for single in singles {
                let instead =
                    single.instead.as_ref().map_or_else(String::new, |other| format!(" (the other set has {other})"));
                print_line(&format!(
                    "{kind}  {}  {:.3}-{:.3} s  {}{instead}",
                    single.recording, single.start_s, single.end_s, word.word
                ))?;
            }
        }
    }
    Ok(())
}

/// The labels of each recording, by its name without folders and endings.
fn read_set(path: &Path) -> Result<BTreeMap<String, Vec<Label>>> {
    let mut files = Vec::new();
    if path.is_dir() {
        list(path, &mut files)?;
        files.sort();
        if files.is_empty() {
            bail!("{}: there are no files of labels in it", path.display());
        }
    } else {
        files.push(path.to_owned());
    }
    let mut set: BTreeMap<String, (PathBuf, Vec<Label>)> = BTreeMap::new();
    for file in files {
        let stem = LabelFormat::of_path(&file).map_or_else(String::new, |(_, stem)| stem);
        for of_recording in read_labels(&file)? {
            let name = of_recording.recording.as_ref().and_then(|name| Path::new(name).file_stem()?.to_str());
            let name = name.unwrap_or(&stem).to_owned();
            if let Some((other, _)) = set.get(&name) {
                bail!(
                    "{} and {} both have labels of '{name}'; compare one format and one folder at a time",
                    other.display(),
                    file.display()
                );
            }
            set.insert(name, (file.clone(), of_recording.labels));
        }
    }
    Ok(set.into_iter().map(|(name, (_, labels))| (name, labels)).collect())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: cannot be listed", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("{}: cannot be listed", folder.display()))?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if LabelFormat::of_path(&path).is_some() {
            files.push(path);
        }
    }
    Ok(())
}
