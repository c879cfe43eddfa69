//! `tripword train`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::context::{Context, models_dir};
use super::{Outcome, print_line, progress};
use crate::bundle::{
    Bundle, FORMAT_VERSION, Manifest, ProvenanceEntry, TrainingSummary, WeightsEntry, check_destination, locate,
};
use crate::dataset::{Bank, Inventory, SkippedFile};
use crate::train::{
    StepReport, Teacher, TrainConfig, TrainObserver, TrainRequest, ValidationReport, ValidationSet, checkpoint_path,
    environment, train,
};

/// Train a detector from recorded clips
#[derive(Args)]
#[command(after_help = "Examples:
  tripword train my-word --out models/my-word
  tripword train speech_commands --word marvin --out marvin
  tripword train data/train --validation data/dev --out six-words --set train.n_steps=20000
  tripword train my-word --out models/my-word --resume         after an interruption

The folder is laid out in one of four ways, and train says which it saw:
  positive/ negative/ [noise/] [rir/]                   positive/*.wav or positive/WORD/*.wav (NanoWakeWord)
  wake-word/ not-wake-word/ [test/…]                    Mycroft Precise
  activates/ negatives/ backgrounds/                    the trigger-word assignment of Coursera
  LABEL/*.wav _background_noise_/ validation_list.txt   Speech Commands, with --word for each word
Speakers are told apart by folders or file names (anna-01.wav, anna-02.wav), or by a manifest.tsv with the columns path and
speaker; whole speakers are held out for validation.")]
pub(super) struct TrainArgs {
    /// Folder with the recordings
    data: PathBuf,
    /// Model folder to make
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Word to train; repeat for several [default: all words of the folder]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// Folder of the same layout to validate on [default: speakers held out of DATA]
    #[arg(long, value_name = "DIR")]
    validation: Option<PathBuf>,
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
    /// One JSON object a line on standard output for each validation and for the result
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TrainArgs, mut context: Context) -> Result<Outcome> {
    environment::ensure();
    if let Some(steps) = args.steps {
        context.set_flag("--steps", "train.n_steps", i64::from(steps))?;
    }
    if let Some(seed) = args.seed {
        context.set_flag("--seed", "train.seed", i64::from(seed))?;
    }
    let config = context.settings()?.train;
    check_destination(&args.out)?;
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

    let inventory = Inventory::read(&args.data, &args.word)?;
    tracing::info!(
        folder = %args.data.display(),
        layout = %inventory.layout,
        words = inventory.words.join(", "),
        positives = inventory.positives.len(),
        negatives = inventory.negatives.len(),
        "recordings found"
    );
    let mut notes = Vec::new();
    let (training, validation) = match &args.validation {
        Some(folder) => {
            let words = inventory.words.clone();
            (inventory.without_testing(), Inventory::read(folder, &words)?.without_testing())
        }
        None => {
            let split = inventory.split(config.validation_fraction, config.seed)?;
            notes.extend(split.notes);
            (split.training, split.validation)
        }
    };
    if training.words != validation.words {
        bail!(
            "the words to train are {}, those to validate {}; both folders need the same",
            training.words.join(", "),
            validation.words.join(", ")
        );
    }

    notes.extend(shared_speakers(&training, &validation));
    let mut teachers = Vec::new();
    for name in &args.teacher {
        let bundle = Bundle::load(&locate(name, models_dir().as_deref())?)?;
        teachers.extend(Teacher::all(name, &bundle, &training.words, &config)?);
    }
    for note in &notes {
        tracing::warn!("{note}");
    }

    let bar = progress::bar(1, "reading recordings {bar:30} {pos}/{len} {elapsed} elapsed");
    let on_progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let (bank, mut skipped) = Bank::build(&training, &config.features, &config.mix, config.seed, &on_progress)?;
    bar.finish_and_clear();
    let validation_set = validation_set(&config, &validation, &mut skipped)?;
    report_skipped(&skipped);
    notes.extend((!args.teacher.is_empty()).then(|| format!("taught by {}", args.teacher.join(", "))));
    notes.extend((!skipped.is_empty()).then(|| format!("{} files were skipped", skipped.len())));

    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: args.out.file_name().context("--out needs a folder name")?.to_string_lossy().into_owned(),
        description: args.description.clone().unwrap_or_else(|| format!("Detector of {}", training.words.join(", "))),
        license: args.license.clone(),
        weights: WeightsEntry { file: String::new(), sha256: String::new(), n_parameters: 0 },
        features: config.features.clone(),
        model: config.network.clone(),
        words: Vec::new(),
        training: TrainingSummary { notes, ..TrainingSummary::default() },
        provenance: provenance(&training, &validation),
    };
    let n_steps = config.n_steps;
    let request = TrainRequest {
        words: training.words.clone(),
        bank: Arc::new(bank),
        teachers: teachers.into(),
        validation: validation_set,
        destination: args.out.clone(),
        resume: args.resume,
        manifest,
        config,
    };
    let mut observer = Observer {
        bar: progress::bar(n_steps, "{bar:30} step {pos}/{len} {msg} {elapsed} elapsed, {eta} left"),
        last_loss: 0.0,
        waited_s: 0.0,
        validated: String::new(),
        cancelled,
        json: args.json,
    };
    let manifest = train(&request, &mut observer)?;
    observer.bar.finish_and_clear();
    report_result(args, &manifest)?;
    Ok(Outcome::Success)
}

/// What there is to say about voices that are on both sides.
fn shared_speakers(training: &Inventory, validation: &Inventory) -> Option<String> {
    let speakers = |inventory: &Inventory| -> std::collections::BTreeSet<String> {
        let of_words = inventory.positives.iter().filter_map(|file| file.speaker.clone());
        let of_others = inventory.negatives.iter().filter_map(|file| file.speaker.clone());
        of_words.chain(of_others).collect()
    };
    let shared: Vec<String> = speakers(training).intersection(&speakers(validation)).cloned().collect();
    (!shared.is_empty()).then(|| {
        format!("speakers both trained and validated on, so that validation looks too good: {}", shared.join(", "))
    })
}

fn validation_set(
    config: &TrainConfig,
    validation: &Inventory,
    skipped: &mut Vec<SkippedFile>,
) -> Result<ValidationSet> {
    let bar = progress::bar(1, "laying out validation recordings {bar:30} {pos}/{len} {elapsed} elapsed");
    let set = ValidationSet::new(validation, config, skipped, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if set.positives.is_empty() || set.negatives.is_empty() {
        bail!("no usable recordings are left for validation; add clips of another speaker, or more negatives");
    }
    Ok(set)
}

fn report_skipped(skipped: &[SkippedFile]) {
    let mut named = std::collections::BTreeSet::new();
    for file in skipped {
        if named.insert(&file.path) {
            tracing::warn!("skipped {}: {}", file.path.display(), file.reason);
        }
    }
}

fn provenance(training: &Inventory, validation: &Inventory) -> Vec<ProvenanceEntry> {
    let mut entries: Vec<ProvenanceEntry> = Vec::new();
    for (inventory, purpose) in [(training, "training"), (validation, "validation")] {
        for (role, source, license) in inventory.sources() {
            let role = format!("{purpose}, {role}");
            match entries
                .iter_mut()
                .find(|entry| entry.source == source && entry.license == license && entry.role == role)
            {
                Some(entry) => entry.n_files += 1,
                None => entries.push(ProvenanceEntry { source, license, role, n_files: 1 }),
            }
        }
    }
    entries
}

fn report_result(args: &TrainArgs, manifest: &Manifest) -> Result<()> {
    if args.json {
        return print_line(&serde_json::to_string(
            &serde_json::json!({ "model": args.out, "words": manifest.words, "training": manifest.training }),
        )?);
    }
    let training = &manifest.training;
    print_line(&format!("{} is ready: weights of step {}", args.out.display(), training.best_step))?;
    for word in &manifest.words {
        let missed = training.validation_miss_rate.get(&word.name).copied().unwrap_or(0.0);
        let spoken = training.n_validation_clips.get(&word.name).copied().unwrap_or(0);
        print_line(&format!(
            "  {}: {:.1} % of {spoken} missed on held-out recordings at threshold {:.3} (at most {} false wakes an hour on {:.1} h of \
             other sound)",
            word.name,
            missed * 100.0,
            word.trigger.threshold,
            training.target_false_accepts_per_hour,
            training.validation_negative_hours
        ))?;
    }
    print_line(&format!("Try it: tripword listen --model {}", args.out.display()))
}

struct Observer {
    bar: ProgressBar,
    /// Smoothed, so that it can be read.
    last_loss: f64,
    waited_s: f64,
    validated: String,
    cancelled: Arc<AtomicBool>,
    json: bool,
}

impl TrainObserver for Observer {
    fn on_step(&mut self, report: StepReport) {
        self.last_loss = if self.last_loss == 0.0 { report.loss } else { 0.98 * self.last_loss + 0.02 * report.loss };
        self.waited_s += report.waited_s;
        self.bar.set_position(report.n_steps);
        self.bar.set_message(format!("loss {:.3}{}", self.last_loss, self.validated));
        tracing::debug!(?report, "step");
    }

    fn on_validation(&mut self, report: &ValidationReport) {
        self.validated = format!(", {:.1} % missed", report.miss_rate * 100.0);
        let words: Vec<String> = report
            .words
            .iter()
            .map(|(name, miss_rate, threshold)| format!("{name} {:.1} % at {threshold:.3}", miss_rate * 100.0))
            .collect();
        self.bar.suspend(|| {
            tracing::info!(
                step = report.n_steps,
                loss = format!("{:.4}", self.last_loss),
                missed = format!("{:.2} %", report.miss_rate * 100.0),
                best = report.is_best,
                waited = format!("{:.1} s", self.waited_s),
                words = words.join(", "),
                "validated"
            );
        });
        if self.json {
            let line = serde_json::json!({
                "step": report.n_steps, "loss": self.last_loss, "miss_rate": report.miss_rate, "best": report.is_best,
                "words": report.words.iter().map(|(name, miss_rate, threshold)| {
                    serde_json::json!({ "word": name, "miss_rate": miss_rate, "threshold": threshold })
                }).collect::<Vec<_>>(),
            });
            if let Err(error) = print_line(&line.to_string()) {
                tracing::error!(%error, "standard output");
            }
        }
    }

    fn on_note(&mut self, note: &str) {
        self.bar.suspend(|| tracing::info!("{note}"));
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
