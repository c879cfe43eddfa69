//! `tripword train`

mod data;
mod observer;
mod report;
mod result;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::context::{Context, models_dir};
use super::{Outcome, progress};
use crate::bundle::{Bundle, Manifest, ProvenanceEntry, check_destination, locate};
use crate::config::Origin;
use crate::dataset::Bank;
use crate::model::Weights;
use crate::train::{Adaptation, Base, Sides, Teacher, TrainConfig, TrainRequest, checkpoint_path, environment, train};
use data::DataArgs;
use observer::Observer;

/// Train a detector from recorded clips
#[derive(Args)]
#[command(after_help = "Examples:
  tripword train my-word --out models/my-word
  tripword train speech_commands --word marvin --out marvin
  tripword train my-word --out models/my-word --from six-words --negatives radio --negatives talks
                                                               from 5 to 50 clips of your own, in minutes
  tripword train data/train --validation data/dev --out six-words --set train.n_steps=20000
  tripword train --labels talks --word hey_house --out models/hey-house
                                                               from long recordings with labels of Audacity or Praat beside them
  tripword train my-word --out models/my-word --resume         after an interruption
  tripword train my-word --out models/my-word --report my-word.html
                                                               a page to watch: loss, misses, gradients, gates

The folder is laid out in one of four ways, and train says which it saw:
  positive/ negative/ [noise/] [rir/]                   positive/*.wav or positive/WORD/*.wav (NanoWakeWord)
  wake-word/ not-wake-word/ [test/…]                    Mycroft Precise
  activates/ negatives/ backgrounds/                    the trigger-word assignment of Coursera
  LABEL/*.wav _background_noise_/ validation_list.txt   Speech Commands, with --word for each word
Speakers are told apart by folders or file names (anna-01.wav, anna-02.wav), or by a manifest.tsv with the columns path and
speaker; whole speakers are held out for validation.

With --labels each span that a person, or tripword label, has labelled is a recording of its word, with exactly that beginning and end; all that
is half a second and more away from any is other sound, labels of other texts included. A recording with an empty file of labels has no word in it.
Whole recordings are held out for validation; where there is one only, its last part.

With --from a trained model learns new words: it keeps what it knows of speech, learns from all of the clips, and measures how
many it would miss by trainings with a third and two thirds of them. Its settings are those of [train.adapt].")]
pub(super) struct TrainArgs {
    #[command(flatten)]
    recordings: DataArgs,
    /// Model folder to make
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Word to train; repeat for several [default: all words of the folder, all texts of the labels]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// Name or folder of a trained model to begin with: for words of which there are few clips
    #[arg(long, value_name = "MODEL")]
    from: Option<String>,
    /// Do not measure, after --from, how misses fall with the number of clips: quicker, and nobody knows how many it misses
    #[arg(long, requires = "from")]
    no_learning_curve: bool,
    /// Model to learn from besides the recordings, by name or folder; repeat for several, whose mean then teaches
    #[arg(long, value_name = "MODEL")]
    teacher: Vec<String>,
    /// Go on from the checkpoint that an interrupted run left beside DIR
    #[arg(long)]
    resume: bool,
    /// Optimiser steps at most
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Seed
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// One sentence about the model, for its manifest
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Licence of the model, for its manifest
    #[arg(long, value_name = "SPDX", default_value = "LicenseRef-private")]
    license: String,
    /// HTML page that shows how the training goes, written at each validation and at the end: loss, misses, gradients of each
    /// layer and back through time, gates
    #[arg(long, value_name = "PAGE")]
    report: Option<PathBuf>,
    /// One JSON object a line on standard output for each validation and for the result
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TrainArgs, mut context: Context) -> Result<Outcome> {
    environment::ensure();
    if let Some(steps) = args.steps {
        let key = if args.from.is_some() { "train.adapt.n_steps" } else { "train.n_steps" };
        context.set_flag("--steps", key, i64::from(steps))?;
    }
    if let Some(seed) = args.seed {
        context.set_flag("--seed", "train.seed", i64::from(seed))?;
    }
    let mut config = context.settings()?.train;
    let base = args.from.as_deref().map(load_base).transpose()?;
    if let Some(base) = &base {
        warn_of_idle_settings(&context, &config, &base.manifest);
        config = config.adapting(&base.manifest.features, &base.manifest.model);
        let from_adapt = |(_, reason)| anyhow!("{reason} (with --from, train.adapt says so)");
        config.validate().map_err(from_adapt)?;
    }
    let config = config;
    check_destination(&args.out)?;
    args.report.as_deref().map(|page| report::check_page(page, &args.out)).transpose()?;
    if !args.resume && checkpoint_path(&args.out).exists() {
        bail!(
            "{} was left by an interrupted run; go on with --resume, or delete it to start afresh",
            checkpoint_path(&args.out).display()
        );
    }
    if args.resume && !checkpoint_path(&args.out).exists() {
        bail!(
            "there is nothing to resume: {} does not exist; run without --resume",
            checkpoint_path(&args.out).display()
        );
    }
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal asks for a checkpoint, the second ends at once.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, cancelled.clone())?;
        signal_hook::flag::register(signal, cancelled.clone())?;
    }

    let is_adapting = base.is_some();
    let sides = Sides::read(&args.recordings.folders(&args.out), &args.word, &config, is_adapting)?;
    let Sides { training, validation, tested_on, notes, .. } = &sides;
    let mut notes = notes.clone();
    for note in &notes {
        tracing::warn!("{note}");
    }
    if let Some(base) = &base {
        let Manifest { name, license, weights, .. } = &base.manifest;
        let note = format!("adapted from the model {name} (licence {license}, weights {:.12})", weights.sha256);
        tracing::info!("{note}");
        notes.insert(0, note);
    }
    let mut teachers = Vec::new();
    for name in &args.teacher {
        let bundle = Bundle::load(&locate(name, models_dir().as_deref()).context("--teacher")?).context("--teacher")?;
        teachers.extend(Teacher::all(name, &bundle, &training.words, &config)?);
    }
    notes.extend((!args.teacher.is_empty()).then(|| format!("taught by {}", args.teacher.join(", "))));

    let bar = progress::bar(1, "reading recordings {bar:30} {pos}/{len} {elapsed} elapsed");
    let on_progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let (bank, mut skipped) = Bank::build(training, &config.features, &config.mix, config.seed, &on_progress)?;
    bar.finish_and_clear();
    let validation_set = data::validation_set(&config, validation, &mut skipped)?;
    data::report_skipped(&skipped);
    notes.extend((!skipped.is_empty()).then(|| format!("{} files were skipped", skipped.len())));

    let name = args.out.file_name().context("--out needs a folder name")?.to_string_lossy().into_owned();
    let description = args.description.clone().unwrap_or_else(|| format!("Detector of {}", training.words.join(", ")));
    let mut manifest = sides.manifest(name, description, args.license.clone(), &config, notes);
    manifest.second_look = base.as_ref().and_then(|base| base.manifest.second_look);
    manifest.provenance.extend(base_provenance(base.as_ref()));
    let first_networks = |base: &Bundle| -> Result<Vec<Weights>> {
        let networks = base.weights.networks().take(config.adapt.n_networks);
        networks.map(|network| Ok(network?.weights()?)).collect()
    };
    let networks = base.as_ref().map(first_networks).transpose().context("--from")?;
    let n_steps = config.n_steps * networks.as_ref().map_or(1, Vec::len) as u64;
    let request = TrainRequest {
        words: training.words.clone(),
        bank: Arc::new(bank),
        teachers: teachers.into(),
        validation: Arc::new(validation_set),
        tested_on: *tested_on,
        n_speakers: sides.n_speakers(),
        adaptation: base.zip(networks).map(|(base, networks)| Adaptation {
            base: Base {
                name: base.manifest.name,
                sha256: base.manifest.weights.sha256,
                weights: Weights::joined(&networks),
                second_look: base.manifest.second_look,
            },
            with_curve: !args.no_learning_curve,
        }),
        destination: args.out.clone(),
        resume: args.resume,
        manifest,
        config,
    };
    let mut observer = Observer {
        bar: progress::bar(n_steps, "{bar:30} step {pos}/{len} {msg} {elapsed} elapsed, {eta} left"),
        smoothed: None,
        waited_s: 0.0,
        validated: String::new(),
        cancelled,
        json: args.json,
        report: args.report.clone(),
        is_adapting,
    };
    let trained = train(&request, &mut observer)?;
    observer.bar.finish_and_clear();
    result::report(&args.out, &trained, args.json)?;
    Ok(Outcome::Success)
}

fn load_base(model: &str) -> Result<Bundle> {
    let location = locate(model, models_dir().as_deref()).context("--from")?;
    Bundle::load(&location).context("--from")
}

/// What the base was made of is in what is made of it.
fn base_provenance(base: Option<&Bundle>) -> Vec<ProvenanceEntry> {
    let entries = base.map(|base| base.manifest.provenance.clone()).unwrap_or_default();
    entries.into_iter().map(|entry| ProvenanceEntry { role: format!("base, {}", entry.role), ..entry }).collect()
}

/// Says which settings somebody has made that an adaptation does not follow: shape and features are the base's, and what
/// `train.adapt` replaces.
fn warn_of_idle_settings(context: &Context, config: &TrainConfig, base: &Manifest) {
    let has_other_shape = config.network != base.model || config.features != base.features;
    for (key, value, origin) in context.layers.entries() {
        if *origin == Origin::Default {
            continue;
        }
        let is_of = |sections: &[&str]| sections.iter().any(|section| key.starts_with(section));
        if has_other_shape && is_of(&["train.network.", "train.features."]) {
            tracing::warn!(
                "{key} = {value} ({origin}) has no effect: with --from, shape and features are those of the model {}",
                base.name
            );
        } else if let Some(replaced) = REPLACED.iter().find(|replaced| key == **replaced) {
            let name = replaced.rsplit('.').next().unwrap_or(replaced);
            tracing::warn!("{key} = {value} ({origin}) has no effect with --from; set train.adapt.{name} instead");
        }
    }
}

/// The settings that those of the same name in `train.adapt` replace.
const REPLACED: [&str; 10] = [
    "train.n_steps",
    "train.learning_rate",
    "train.average_decay",
    "train.mine_every",
    "train.validation_fraction",
    "train.mix.warp_probability",
    "train.mix.warp",
    "train.mix.bank.n_speed_variants",
    "train.mix.bank.n_room_variants",
    "train.mix.bank.word_speed",
];
