//! The folder of `--html`: the page, and beside it what is heard around each miss and false accept.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::audio::write::write_wav;
use crate::eval::Measurement;
use crate::eval::page::{GENERATOR, html};
use crate::eval::report::{Occurrence, Report};
use crate::files::write_whole;
use crate::page::generator_mark;
use crate::parallel;
use crate::units::SampleRate;

/// Excerpts of a word's misses or false accepts in one condition: the worst.
const N_EXCERPTS: usize = 50;
const PAGE: &str = "index.html";
const EXCERPTS: &str = "excerpts";

/// Sees whether a page may be put at `folder`: nothing is there, an empty folder, or such a page.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let is_page = fs::read_to_string(folder.join(PAGE)).is_ok_and(|text| text.contains(&generator_mark(GENERATOR)));
    if !is_page && entries.next().is_some() {
        bail!(
            "{}: something else is there; name a new folder, or one with a page of 'tripword eval'",
            folder.display()
        );
    }
    Ok(())
}

/// Writes the page and its excerpts. The page comes last, so that a page is never without its sounds.
pub(super) fn write(folder: &Path, report: &mut Report, measurement: &Measurement) -> Result<()> {
    let excerpts = folder.join(EXCERPTS);
    if excerpts.exists() {
        fs::remove_dir_all(&excerpts).with_context(|| format!("{}: cannot be replaced", excerpts.display()))?;
    }
    fs::create_dir_all(&excerpts).with_context(|| format!("{}: cannot be made", excerpts.display()))?;
    let mut chosen: Vec<&mut Occurrence> = Vec::new();
    for (word_idx, word) in report.words.iter_mut().enumerate() {
        for (kind, occurrences) in [("miss", &mut word.misses), ("false", &mut word.false_accepts)] {
            let mut n_of_condition: HashMap<String, usize> = HashMap::new();
            for (i, occurrence) in occurrences.iter_mut().enumerate() {
                let n = n_of_condition.entry(occurrence.condition.clone()).or_default();
                *n += 1;
                if *n <= N_EXCERPTS {
                    occurrence.excerpt = Some(format!("{EXCERPTS}/{}-{kind}-{}.wav", word_idx + 1, i + 1));
                    chosen.push(occurrence);
                }
            }
        }
    }
    let work = |_: &mut (), occurrence: &&mut Occurrence| {
        let path = folder.join(occurrence.excerpt.as_deref().unwrap_or_default());
        write_wav(&path, &measurement.excerpt(&occurrence.place), SampleRate::MODEL)
    };
    let written = parallel::map("tw-excerpts", &chosen, parallel::n_cores(), || (), work, &|_, _| {});
    written.into_iter().collect::<Result<Vec<()>, _>>()?;
    let path = folder.join(PAGE);
    write_whole(&path, html(report).as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
}
