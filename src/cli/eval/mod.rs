//! `tripword eval`

mod page;
mod recordings;
mod streams;
mod table;
mod thresholds;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use super::context::Context;
use super::{Outcome, print_line, progress};
use crate::eval::report::Report;
use crate::eval::{Ear, Material, Measurement, PointRequest, StreamSet, TargetRule, WordUnderTest, hours_for_bound};
use crate::files::write_whole;

/// Signal-to-noise ratios of `--by-snr`, in decibels.
const SNRS_DB: [f32; 5] = [-5.0, 0.0, 5.0, 10.0, 20.0];
/// The operating point that details are told for, where it is among the targets.
const MAIN_TARGET: f64 = 0.5;

/// Measure a model on recordings: misses and false wakes, by events on continuous streams
#[derive(Args)]
#[command(after_help = "Examples:
  tripword eval data/dev
  tripword eval data/dev --model my-word --target-fa-per-hour 0.5 --snr 5 --by-snr
  tripword eval data/dev --json | jq 'select(.condition == \"clean\") | {word, operating_point, miss_rate}'
  tripword eval data/dev --html page                                  then open page/index.html
  tripword eval data/dev --model my-word --target-fa-per-hour 0.5 --write-thresholds
  tripword eval data/dev --streams streams                            the same sound for any other detector
  tripword eval talks/                 long recordings, each with talk.txt or talk.labels.txt beside it

The folder is laid out as for 'tripword train'. Its clips are laid into streams at random levels (peaks of -30 to -3 dBFS) with gaps
of room tone, in four conditions: clean, noisy, in a random room (or one of rir/), and in a room with noise; its other speech
likewise, and its noise alone. Long recordings with Audacity labels (start, end and word, tabs between) lie in labelled/, or make
the whole folder; what the labels do not name is no word.

A word counts as heard if an event falls between its start and one second after its end; further events within two seconds count
as nothing, events in other wake words are confusions, all others false accepts. The point 'model' is the model's own threshold;
the others are the lowest thresholds that keep to the given false accepts an hour on these very recordings, all conditions together.
Intervals hold 95 %; that of all conditions counts each hour of recordings once, however often it was heard.")]
pub(super) struct EvalArgs {
    /// Folder with recordings
    data: PathBuf,
    /// Name or folder of the model
    #[arg(short, long)]
    model: Option<String>,
    /// Word to measure; repeat for several [default: all words of the model that the folder has]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// False accepts per hour to choose a threshold for (repeatable) [default: 0.1, 0.5, 1]
    #[arg(long, value_name = "X", alias = "target", value_parser = positive_rate)]
    target_fa_per_hour: Vec<f64>,
    /// What has to keep to the target: the counted rate, or the upper end of its 95 % interval [default: point; with
    /// --write-thresholds the bound, if there are hours enough]
    #[arg(long, value_name = "RULE")]
    choose_by: Option<ChooseBy>,
    /// Signal-to-noise ratio of the noisy streams, in decibels
    #[arg(long, default_value_t = 10.0, value_name = "DB", allow_negative_numbers = true)]
    snr: f32,
    /// Seed of levels, gaps, noises and rooms
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also measure the words at -5, 0, 5, 10 and 20 dB
    #[arg(long)]
    by_snr: bool,
    /// One JSON object a line for each word, threshold and condition, instead of the table
    #[arg(long)]
    json: bool,
    /// Write everything, with curves, speakers and each miss and false accept, into one JSON file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Make a page in this folder, with curves and the sound of each miss and false accept; open its index.html in a browser
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
    /// Write all that is heard into this folder, for other programs: WAV files of 16 bits at 16 kHz by condition, the words in them as
    /// Audacity labels beside each, and streams.json
    #[arg(long, value_name = "DIR")]
    streams: Option<PathBuf>,
    /// Write the thresholds for the one --target-fa-per-hour into the model folder
    #[arg(long, requires = "target_fa_per_hour")]
    write_thresholds: bool,
    /// With --write-thresholds: make a new model folder, and leave the model as it is
    #[arg(short, long, value_name = "DIR", requires = "write_thresholds")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ChooseBy {
    Point,
    Bound,
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("expected a number above 0, as 0.5".into()),
    }
}

pub(super) fn run(args: &EvalArgs, mut context: Context) -> Result<Outcome> {
    if let Some(model) = &args.model {
        context.set_flag("--model", "model.path", model.as_str())?;
    }
    let bundle = context.load_model()?;
    let manifest = &bundle.manifest;
    let writer = args.write_thresholds.then(|| thresholds::Writer::new(args, &context, manifest)).transpose()?;

    args.html.as_deref().map(page::check_folder).transpose()?;
    args.streams.as_deref().map(streams::check_folder).transpose()?;
    let (inventory, labelled) = recordings::read(&args.data, &args.word, manifest)?;
    let mut skipped = inventory.skipped.clone();
    let material = Material::new(&inventory, labelled, args.seed, &mut skipped);
    let conditions = material.conditions(args.snr);
    let snrs: &[f32] = if args.by_snr { &SNRS_DB } else { &[] };
    let bar = progress::bar(1, "{prefix} {msg} {bar:30} {pos}/{len} {elapsed} elapsed");
    let on_progress = |done: usize, total: usize, what: &str| {
        bar.set_message(what.to_owned());
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    if let Some(folder) = &args.streams {
        bar.set_prefix("writing");
        let mut sets = material.stream_sets(&conditions);
        sets.extend(snrs.iter().map(|&snr_db| StreamSet::words_at(snr_db)));
        let names: Vec<String> = manifest.words.iter().map(|word| word.name.clone()).collect();
        let about = [
            ("tripword_version", env!("CARGO_PKG_VERSION").into()),
            ("data", args.data.display().to_string().into()),
            ("seed", args.seed.into()),
        ];
        streams::write(folder, &material, &sets, &names, about.into(), &on_progress)?;
    }
    bar.set_prefix("hearing");
    let words =
        (manifest.words.iter()).map(|word| WordUnderTest { name: word.name.clone(), trigger: word.trigger }).collect();
    let ear = Ear { network: &bundle.network, features: &manifest.features, model: &manifest.model };
    let measurement = Measurement::new(&material, words, &conditions, snrs, ear, &on_progress);
    bar.finish_and_clear();
    skipped.extend(measurement.skipped.iter().cloned());
    let mut named = std::collections::BTreeSet::new();
    for file in skipped.iter().filter(|file| named.insert(&file.path)) {
        tracing::warn!("skipped {}: {}", file.path.display(), file.reason);
    }
    if measurement.different_hours() == 0.0 {
        bail!(
            "{}: no usable recordings without a wake word, so that false accepts cannot be counted",
            args.data.display()
        );
    }

    let targets =
        if args.target_fa_per_hour.is_empty() { vec![0.1, 0.5, 1.0] } else { args.target_fa_per_hour.clone() };
    let requests: Vec<PointRequest> = (targets.iter())
        .map(|&per_hour| PointRequest { per_hour, rule: rule(args, per_hour, measurement.different_hours()) })
        .collect();
    let main = targets.iter().position(|&target| target == MAIN_TARGET).unwrap_or(0);
    let mut report = Report {
        tripword_version: env!("CARGO_PKG_VERSION").into(),
        model: manifest.name.clone(),
        data: args.data.display().to_string(),
        seed: args.seed,
        main_point: format!("{} FA/h", targets[main]),
        different_hours: measurement.different_hours(),
        n_skipped_files: named.len(),
        words: measurement.words(&requests, main),
    };
    if let Some(folder) = &args.html {
        page::write(folder, &mut report, &measurement)?;
    }
    if let Some(path) = &args.report {
        let text = serde_json::to_vec(&report)?;
        write_whole(path, &text).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    if args.json {
        table::json_rows(&report).iter().try_for_each(|row| print_line(&serde_json::to_string(row)?))?;
    } else {
        table::lines(&report).iter().try_for_each(|line| print_line(line))?;
    }
    if let Some(writer) = writer {
        writer.write(&report, requests[0])?;
    }
    Ok(Outcome::Success)
}

/// The rule asked for, or the one that fits what is done with the threshold and how much was heard.
fn rule(args: &EvalArgs, per_hour: f64, different_hours: f64) -> TargetRule {
    match args.choose_by {
        Some(ChooseBy::Point) => TargetRule::Point,
        Some(ChooseBy::Bound) => TargetRule::Bound,
        None if !args.write_thresholds => TargetRule::Point,
        None => {
            let needed = hours_for_bound(per_hour);
            if different_hours >= needed {
                TargetRule::Bound
            } else {
                tracing::warn!(
                    "{different_hours:.1} hours of different recordings cannot prove {per_hour} false accepts an hour; {needed:.1} \
                     hours without one could. The thresholds are chosen by the counted rate"
                );
                TargetRule::Point
            }
        }
    }
}
