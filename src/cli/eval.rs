//! `tripword eval`

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::{Outcome, print_line, progress};
use crate::bundle::Bundle;
use crate::dataset::{DatasetError, Inventory};
use crate::eval::{Condition, EvalSet, TracedStreams, WordTraces, choose_threshold, evaluate_threshold, recordings};
use crate::names::same_word;

/// Measure a model on recordings: misses and false wakes, by events on continuous streams
#[derive(Args)]
#[command(after_help = "Examples:
  tripword eval data/dev
  tripword eval data/dev --model my-word --target 0.5 --target 2 --snr 10

The folder is laid out as for 'tripword train'. Its clips are laid into streams at random levels (peaks of -30 to -3 dBFS) with gaps
of room tone; its other recordings make the hours in which every event is false. A word counts as heard if an event falls
between its start and one second after its end. The row 'model' is at the model's own threshold; the other rows are at the
threshold that allows the given false accepts an hour on these very negatives, all conditions together.")]
pub(super) struct EvalArgs {
    /// Folder with recordings
    data: PathBuf,
    /// Name or folder of the model
    #[arg(short, long)]
    model: Option<String>,
    /// Word to measure; repeat for several [default: all words of the model that the folder has]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// False accepts per hour to choose a threshold for (repeatable) [default: 0.5, 1, 2]
    #[arg(long, value_name = "X")]
    target: Vec<f64>,
    /// Signal-to-noise ratio of the noisy streams, in decibels
    #[arg(long, default_value_t = 10.0, value_name = "DB")]
    snr: f32,
    /// Seed of levels, gaps and noises
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object a line for each word, threshold and condition
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    word: String,
    /// `model` or the target rate.
    operating_point: String,
    threshold: f32,
    condition: String,
    n_spoken: usize,
    n_missed: usize,
    miss_rate: f64,
    median_latency_ms: Option<i64>,
    n_false_accepts: usize,
    negative_hours: f64,
    false_accepts_per_hour: f64,
    n_confusions: usize,
}

pub(super) fn run(args: &EvalArgs, mut context: Context) -> Result<Outcome> {
    if let Some(model) = &args.model {
        context.set_flag("--model", "model.path", model.as_str())?;
    }
    let bundle = context.load_model()?;
    let inventory = read_inventory(&args.data, &args.word, &bundle)?;
    let conditions = [Condition::Clean, Condition::Noisy { snr_db: args.snr }];
    let conditions = if inventory.noises.is_empty() { &conditions[..1] } else { &conditions[..] };
    let bar =
        progress::bar(conditions.len() as u64, "laying out and hearing {pos}/{len} conditions, {elapsed} elapsed");
    let mut sets = Vec::new();
    for &condition in conditions {
        let manifest = &bundle.manifest;
        let set =
            recordings::streams(&inventory, condition, &manifest.features, manifest.model.frames_per_step(), args.seed);
        for file in &set.skipped {
            tracing::warn!("skipped {}: {}", file.path.display(), file.reason);
        }
        sets.push((condition, set));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let measured: Vec<Measured> = sets.iter().map(|(condition, set)| Measured::new(*condition, set, &bundle)).collect();
    let targets = if args.target.is_empty() { vec![0.5, 1.0, 2.0] } else { args.target.clone() };
    let rows = rows(&bundle, &measured, &targets);
    if args.json {
        for row in &rows {
            print_line(&serde_json::to_string(row)?)?;
        }
    } else {
        print_table(&rows)?;
    }
    Ok(Outcome::Success)
}

/// The recordings of the model's words, with the words in the model's order. Words that the folder does not have are named.
fn read_inventory(data: &Path, asked: &[String], bundle: &Bundle) -> Result<Inventory> {
    let words: Vec<String> = bundle.manifest.words.iter().map(|word| word.name.clone()).collect();
    let wanted = if asked.is_empty() { words.clone() } else { asked.to_vec() };
    let mut inventory = match Inventory::read(data, &wanted) {
        Err(DatasetError::UnknownWord { choices, .. }) if asked.is_empty() => {
            let is_there = |word: &String| choices.iter().any(|choice| same_word(choice, word));
            let (there, missing): (Vec<String>, Vec<String>) = wanted.into_iter().partition(is_there);
            if there.is_empty() {
                bail!("{} has {}, the model hears {}", data.display(), choices.join(", "), words.join(", "));
            }
            tracing::warn!("not measured, since the folder has no recordings of them: {}", missing.join(", "));
            Inventory::read(data, &there)?
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

/// One condition's streams and what the network makes of them.
struct Measured<'a> {
    condition: Condition,
    set: &'a EvalSet,
    positives: TracedStreams<'a>,
    negatives: TracedStreams<'a>,
}

impl<'a> Measured<'a> {
    fn new(condition: Condition, set: &'a EvalSet, bundle: &Bundle) -> Self {
        let manifest = &bundle.manifest;
        let run = |streams| TracedStreams::new(&bundle.network, &manifest.features, &manifest.model, streams);
        Self { condition, positives: run(&set.positives), negatives: run(&set.negatives), set }
    }
}

fn rows(bundle: &Bundle, measured: &[Measured], targets: &[f64]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (word_idx, word) in bundle.manifest.words.iter().enumerate() {
        let truths =
            |part: &Measured| part.set.positives.iter().any(|s| s.truths.iter().any(|t| t.word_idx == word_idx));
        if !measured.iter().any(truths) {
            continue;
        }
        let own = ("model".to_owned(), word.trigger.threshold);
        // One threshold for all conditions, as a user has one.
        let negatives: Vec<WordTraces> = measured.iter().map(|part| part.negatives.word(word_idx)).collect();
        let chosen = targets
            .iter()
            .map(|&target| (format!("{target} FA/h"), choose_threshold(&negatives, word.trigger, target).threshold));
        for (operating_point, threshold) in std::iter::once(own).chain(chosen) {
            for part in measured {
                let trigger = word.trigger.with_threshold(threshold);
                let outcome = part.positives.word(word_idx).outcome(trigger);
                let point = evaluate_threshold(&[part.negatives.word(word_idx)], word.trigger, threshold);
                rows.push(Row {
                    word: word.name.clone(),
                    operating_point: operating_point.clone(),
                    threshold,
                    condition: part.condition.to_string(),
                    n_spoken: outcome.n_spoken,
                    n_missed: outcome.n_missed,
                    miss_rate: outcome.miss_rate(),
                    median_latency_ms: outcome.median_latency_ms(),
                    n_false_accepts: point.n_false_accepts,
                    negative_hours: point.hours,
                    false_accepts_per_hour: point.false_accepts_per_hour(),
                    n_confusions: outcome.n_false,
                });
            }
        }
    }
    rows
}

fn print_table(rows: &[Row]) -> Result<()> {
    print_line(&format!(
        "{:13} {:10} {:9} {:14} {:>16} {:>9} {:>22} {:>10}",
        "word", "point", "threshold", "condition", "missed", "latency", "false accepts", "confusions"
    ))?;
    for row in rows {
        let latency = row.median_latency_ms.map_or("-".into(), |ms| format!("{ms} ms"));
        print_line(&format!(
            "{:13} {:10} {:9.3} {:14} {:>4}/{:<4} {:4.1} % {:>9} {:>5} in {:.2} h {:5.2}/h {:>10}",
            row.word,
            row.operating_point,
            row.threshold,
            row.condition,
            row.n_missed,
            row.n_spoken,
            row.miss_rate * 100.0,
            latency,
            row.n_false_accepts,
            row.negative_hours,
            row.false_accepts_per_hour,
            row.n_confusions
        ))?;
    }
    let points: Vec<&str> = rows.iter().fold(Vec::new(), |mut points, row| {
        if !points.contains(&row.operating_point.as_str()) {
            points.push(&row.operating_point);
        }
        points
    });
    for point in points {
        let conditions: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.condition.as_str()).collect();
        for condition in conditions {
            let of_point: Vec<&Row> =
                rows.iter().filter(|row| row.operating_point == point && row.condition == condition).collect();
            let mean = of_point.iter().map(|row| row.miss_rate).sum::<f64>() / of_point.len().max(1) as f64;
            print_line(&format!(
                "mean over {} words at {point}, {condition}: {:.1} % missed",
                of_point.len(),
                mean * 100.0
            ))?;
        }
    }
    Ok(())
}
