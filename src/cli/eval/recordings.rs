//! Which recordings a model is measured on.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::bundle::Manifest;
use crate::dataset::{DatasetError, Inventory, Layout, sounds};
use crate::eval::{Content, Recording, SpokenWord};
use crate::names::same_word;

/// The folder of long recordings with labels beside the folders of clips.
const LABELLED: &str = "labelled";

/// The clips of the model's words, with the words in the model's order, and the long recordings with labels.
pub(super) fn read(data: &Path, asked: &[String], manifest: &Manifest) -> Result<(Inventory, Vec<Recording>)> {
    let words: Vec<String> = manifest.words.iter().map(|word| word.name.clone()).collect();
    if let Some(stranger) = asked.iter().find(|word| !words.iter().any(|own| same_word(own, word))) {
        bail!("the model does not hear '{stranger}'; it hears {}", words.join(", "));
    }
    let is_asked = |word: &str| asked.is_empty() || asked.iter().any(|other| same_word(other, word));
    match read_inventory(data, asked, &words) {
        Err(error) if matches!(error.downcast_ref(), Some(DatasetError::UnknownLayout { .. })) => {
            let labelled = read_labelled(data, &words, &is_asked)?;
            if labelled.is_empty() {
                return Err(error);
            }
            Ok((nothing_but(data, words), labelled))
        }
        read => Ok((read?, read_labelled(&data.join(LABELLED), &words, &is_asked)?)),
    }
}

/// Words that the folder does not have are named.
fn read_inventory(data: &Path, asked: &[String], words: &[String]) -> Result<Inventory> {
    let wanted = if asked.is_empty() { words } else { asked };
    let mut inventory = match Inventory::read(data, wanted) {
        Err(DatasetError::UnknownWord { choices, .. }) if asked.is_empty() => {
            let is_there = |word: &&String| choices.iter().any(|choice| same_word(choice, word));
            let (there, missing): (Vec<&String>, Vec<&String>) = wanted.iter().partition(is_there);
            if there.is_empty() {
                bail!("{} has {}, the model hears {}", data.display(), choices.join(", "), words.join(", "));
            }
            let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
            tracing::warn!("not measured, since the folder has no recordings of them: {}", missing.join(", "));
            Inventory::read(data, &there.into_iter().cloned().collect::<Vec<_>>())?
        }
        read => read?,
    };
    let places: Vec<usize> = inventory
        .words
        .iter()
        .map(|word| {
            words
                .iter()
                .position(|own| same_word(own, word))
                .ok_or_else(|| anyhow!("the model does not hear '{word}'; it hears {}", words.join(", ")))
        })
        .collect::<Result<_>>()?;
    for file in &mut inventory.positives {
        file.word_idx = places[file.word_idx];
    }
    Ok(inventory)
}

fn nothing_but(root: &Path, words: Vec<String>) -> Inventory {
    Inventory {
        root: root.into(),
        layout: Layout::NanoWakeWord,
        words,
        positives: Vec::new(),
        negatives: Vec::new(),
        noises: Vec::new(),
        rooms: Vec::new(),
        skipped: Vec::new(),
    }
}

/// The sound files below `folder` that have labels beside them; the others are named in the log.
fn read_labelled(folder: &Path, words: &[String], is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for path in sounds(folder)? {
        let Some(labels) =
            ["labels.txt", "txt"].map(|ending| path.with_extension(ending)).into_iter().find(|p| p.is_file())
        else {
            tracing::warn!(
                "skipped {}: no labels beside it; an empty {} says that no word is said",
                path.display(),
                path.with_extension("txt").display()
            );
            continue;
        };
        let text = std::fs::read_to_string(&labels).with_context(|| format!("{}: cannot be read", labels.display()))?;
        let spoken =
            parse_labels(&text, words, is_asked).map_err(|problem| anyhow!("{}: {problem}", labels.display()))?;
        recordings.push(Recording { path, speaker: None, content: Content::Labelled(spoken) });
    }
    Ok(recordings)
}

/// Lines of start, end and word. Words that the model does not hear are none; a score after the word, as `tripword label` writes
/// it, is not part of it.
fn parse_labels(text: &str, words: &[String], is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<SpokenWord>, String> {
    let mut spoken = Vec::new();
    // Audacity writes a second line, of frequencies, for labels of a part of the spectrum; it begins with a backslash.
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('\\')) {
        let wrong = || format!("line {}: expected START, END and WORD with tabs between, found '{line}'", i + 1);
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [start, end, label] = fields[..] else { return Err(wrong()) };
        let time =
            |text: &str| text.parse::<f64>().ok().filter(|time| time.is_finite() && *time >= 0.0).ok_or_else(wrong);
        let (start_s, end_s) = (time(start)?, time(end)?);
        if end_s <= start_s {
            return Err(format!("line {}: the word ends before it begins: '{line}'", i + 1));
        }
        let name = match label.rsplit_once(' ') {
            Some((name, score)) if score.parse::<f64>().is_ok() => name,
            _ => label,
        };
        if let Some(word_idx) = words.iter().position(|word| same_word(word, name)).filter(|&i| is_asked(&words[i])) {
            spoken.push(SpokenWord { word_idx, start_s, end_s });
        }
    }
    Ok(spoken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_people_and_of_tripword_are_read() {
        let words = ["view_glass".to_owned(), "alexa".to_owned()];
        let text = "0.5\t1.25\tView Glass\n\\\t100.0\t200.0\n2.000000\t3.000000\talexa 0.93\n4\t5\tlaughter\n\n";
        let found = parse_labels(text, &words, &|_| true).unwrap();
        let of = |word_idx, start_s, end_s| SpokenWord { word_idx, start_s, end_s };
        assert_eq!(found, [of(0, 0.5, 1.25), of(1, 2.0, 3.0)]);
        assert_eq!(parse_labels(text, &words, &|word| word == "alexa").unwrap(), [of(1, 2.0, 3.0)]);
    }

    #[test]
    fn labels_that_make_no_sense_name_their_line() {
        for (text, expected) in [
            ("0\t1\talexa\n0.5 1.0 alexa", "line 2: expected START"),
            ("1\t0.5\talexa", "ends before it begins"),
            ("a\t1\talexa", "line 1"),
            ("-1\t1\talexa", "line 1"),
        ] {
            let problem = parse_labels(text, &["alexa".into()], &|_| true).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
