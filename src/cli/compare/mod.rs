//! `tripword compare`

mod observer;
mod seeds;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::context::Context;
use super::{Outcome, print_line};
use crate::compare::{Budget, CompareRequest, Configurations, Sort, Table, Variation, compare};
use crate::dataset::Elsewhere;
use crate::train::{Folders, Sides, TrainConfig, environment};
use observer::Observer;

/// Train several configurations on the same recordings, seeds and time, and put what they miss side by side
#[derive(Args)]
#[command(after_help = "Examples:
  tripword compare --data data/train --validation data/dev --out cells --vary train.network.cell=gru,lstm,rnn
  tripword compare --data data/train --validation data/dev --out sizes --minutes 20 --seeds 5 \\
      --vary train.network.cell=gru,lstm --vary train.network.hidden_size=32,64
  tripword compare small.toml large.toml --data data/train --validation data/dev --out shapes --set train.batch_size=32
  tripword compare --data my-word --out quick --steps 500 --seeds 1,2 --vary train.learning_rate=0.001,0.003

Each CONFIG is a configuration file whose section [train] is laid over the configuration in force, and is called by its file's name;
--vary takes each of its values with each of these. --set holds for all of them.

Every run has the same time: before the first, the time that an optimiser step takes is measured for all configurations in turn, and
each run does as many steps as fit into --minutes, its learning rate planned for them. Searches for hard negatives would come on top:
there are none unless train.mine_every is set. Nothing is validated before the end, so that no best step is chosen. The variants of
recordings are the same for all seeds; weights, mixes and dropout are not.

Then each model is measured as by 'tripword eval': streams in four conditions, each word's threshold the lowest that keeps to the
false accepts an hour in all of them together.

In the folder are plan.json, runs/NAME/seed-N with the model and its result, and, written anew after each run, compare.json, table.md
and index.html, which opens in any browser. After Ctrl-C, which leaves a checkpoint, the same command goes on; it also takes further
seeds and configurations.")]
pub(super) struct CompareArgs {
    /// Configuration files to compare [default: the configuration in force]
    #[arg(value_name = "CONFIG.toml")]
    configs: Vec<PathBuf>,
    /// Folder with the recordings to learn from, laid out as for 'tripword train'
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder of the same layout to test on [default: speakers held out of the data]
    #[arg(long, value_name = "DIR")]
    validation: Option<PathBuf>,
    /// Folder of the comparison: a new one, or one to go on with
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Key of the section train and its values, each of which is tried with each of the others (repeatable)
    #[arg(long, value_name = "KEY=A,B,C")]
    vary: Vec<String>,
    /// Seeds: how many, or which ones with commas between
    #[arg(long, value_name = "N|A,B,C", default_value = "3", value_parser = seeds::parse)]
    seeds: seeds::Seeds,
    /// Minutes of training for each run
    #[arg(long, value_name = "M", default_value_t = 5.0, value_parser = positive)]
    minutes: f64,
    /// Optimiser steps of each run, instead of minutes
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// False accepts per hour to choose thresholds for
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = positive)]
    target_fa_per_hour: f64,
    /// Word to train; repeat for several [default: all words of the folder]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// Folder of other speech, radio and household sound, beside what the data has (repeatable)
    #[arg(long, value_name = "DIR")]
    negatives: Vec<PathBuf>,
    /// Folder of recorded noise, beside what the data has (repeatable)
    #[arg(long, value_name = "DIR")]
    noise: Vec<PathBuf>,
    /// Order of the configurations
    #[arg(long, value_name = "ORDER", default_value = "misses")]
    sort: SortBy,
    /// Print what compare.json holds, on one line, instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SortBy {
    /// The fewest misses first
    Misses,
    /// As given
    Given,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("expected a number above 0, as 0.5".into()),
    }
}

pub(super) fn run(args: &CompareArgs, context: &Context) -> Result<Outcome> {
    environment::ensure();
    let variations: Vec<Variation> = args.vary.iter().map(|text| Variation::parse(text)).collect::<Result<_>>()?;
    let configurations = Configurations::read(&context.layers, &args.configs, &variations)?;
    for note in &configurations.notes {
        tracing::warn!("{note}");
    }
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal asks for a checkpoint, the second ends at once.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, cancelled.clone())?;
        signal_hook::flag::register(signal, cancelled.clone())?;
    }
    let folders = Folders {
        data: Some(args.data.clone()),
        labelled: None,
        validation: args.validation.clone(),
        elsewhere: Elsewhere { negatives: args.negatives.clone(), noises: args.noise.clone() },
    };
    // A split is the same for all seeds.
    let split = TrainConfig { seed: TrainConfig::default().seed, ..context.settings()?.train };
    let sides = Sides::read(&folders, &args.word, &split, false)?;
    for note in &sides.notes {
        tracing::warn!("{note}");
    }
    let validation = args
        .validation
        .as_ref()
        .map_or_else(|| format!("speakers held out of {}", args.data.display()), |folder| folder.display().to_string());
    let request = CompareRequest {
        sides,
        folders: [args.data.display().to_string(), validation],
        configurations: configurations.all,
        seeds: args.seeds.0.clone(),
        budget: args.steps.map_or(Budget::Minutes(args.minutes), |n_steps| Budget::Steps(n_steps.into())),
        target_fa_per_hour: args.target_fa_per_hour,
        sort: match args.sort {
            SortBy::Misses => Sort::Misses,
            SortBy::Given => Sort::Given,
        },
        out: args.out.clone(),
    };
    let observer = Observer::new(cancelled);
    let report = compare(&request, &observer)?;
    observer.finish();
    if args.json {
        print_line(&serde_json::to_string(&report)?)?;
    } else {
        Table::new(&report).lines().iter().try_for_each(|line| print_line(line))?;
        print_line(&format!("\n{} shows it in a browser", args.out.join("index.html").display()))?;
    }
    Ok(Outcome::Success)
}
