//! `tripword label`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;

use anyhow::{Result, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::audio_progress::AudioProgress;
use super::context::Context;
use super::hearing::HearingArgs;
use super::{Outcome, print_line};
use crate::audio::ChannelChoice;
use crate::bundle::Bundle;
use crate::label::{LabelOutputs, Labelled, Labeller, Recording, recordings};
use crate::labels::LabelFormat;
use crate::parallel;

/// Find the words in recordings
#[derive(Args)]
#[command(after_help = "Examples:
  tripword label talk.wav                      JSON lines here, talk.labels.txt beside the file for Audacity
  tripword label --json *.flac | jq .word
  tripword label --format textgrid,rttm --out labels/ archive/
                                               every sound file in archive/, its labels at the same place in labels/
  find /mnt -name '*.mp3' -mtime -1 | tripword label --format none -
  tripword label --scores scores/ talk.wav     scores/talk.scores.csv: time_s,word,score

Each line is one JSON object with at least file, word, score, start_s, end_s (of the word) and time_s (of the decision). A file
that cannot be read is reported and the others go on; the exit status is then 3.")]
pub(super) struct LabelArgs {
    /// Recordings (WAV, FLAC, MP3, Ogg, Opus, WebM, M4A and others), folders with all the sound in them, patterns in quotes; '-': a list on
    /// standard input, one a line
    #[arg(required = true, value_name = "FILE|DIR|PATTERN|-")]
    inputs: Vec<PathBuf>,
    /// For machines: JSON lines on standard output and nothing else, no progress bar; labels only with --format
    #[arg(long)]
    json: bool,
    /// Formats in which labels are written, with commas: audacity, textgrid, rttm, webvtt, jsonl, csv; or none
    #[arg(short, long, value_name = "FORMATS")]
    format: Option<String>,
    /// Folder for the labels; in it they lie as the recordings lie in theirs [default: beside each recording]
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write NAME.scores.csv for each file into this folder: time_s,word,score, a row a word for each model step
    #[arg(long, value_name = "DIR")]
    scores: Option<PathBuf>,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Files at a time [default: as many as there are cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<u32>,
}

pub(super) fn run(args: &LabelArgs, mut context: Context) -> Result<Outcome> {
    args.hearing.apply(&mut context)?;
    if let Some(jobs) = args.jobs {
        context.set_flag("--jobs", "label.n_jobs", i64::from(jobs))?;
    }
    let settings = context.settings()?;
    let bundle = context.load_model()?;
    let channels: ChannelChoice = settings.input.channel.parse()?;
    let formats = match (&args.format, args.json) {
        (Some(names), _) => parse_formats(names)?,
        (None, true) => Vec::new(),
        (None, false) => settings.label.formats.clone(),
    };
    let outputs = LabelOutputs { scores_dir: args.scores.clone(), formats, labels_dir: args.out.clone() };
    let recordings = recordings(&args.inputs, &mut std::io::stdin().lock())?;
    refuse_colliding_outputs(&recordings, &outputs)?;
    let n_cores = parallel::n_cores();
    let n_jobs = if settings.label.n_jobs == 0 { n_cores } else { settings.label.n_jobs }.min(recordings.len());
    let progress = if args.json {
        AudioProgress::hidden()
    } else {
        AudioProgress::shown(recordings.iter().map(|recording| recording.path.as_path()))
    };
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal stops between portions of the files, the second at once.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, cancelled.clone())?;
        signal_hook::flag::register(signal, cancelled.clone())?;
    }
    let run = Run {
        recordings: &recordings,
        bundle: &bundle,
        outputs: &outputs,
        channels,
        progress: &progress,
        cancelled: &cancelled,
    };
    let n_failed = run.all(n_jobs)?;
    progress.finish();
    if cancelled.load(Ordering::Relaxed) {
        bail!("stopped by a signal; files that were not finished have no output");
    }
    if n_failed == recordings.len() && n_failed > 0 {
        bail!("none of the {n_failed} files could be labelled");
    }
    progress.log_summary(recordings.len() - n_failed, recordings.len());
    Ok(if n_failed > 0 { Outcome::Partial } else { Outcome::Success })
}

/// Names with commas between; `none` is no format.
fn parse_formats(names: &str) -> Result<Vec<LabelFormat>> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
    names.map(|name| name.parse().map_err(anyhow::Error::msg)).collect()
}

/// Two inputs whose outputs would be the same file: better refused than one overwritten.
fn refuse_colliding_outputs(recordings: &[Recording], outputs: &LabelOutputs) -> Result<()> {
    let mut writers: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    for recording in recordings {
        let file = recording.path.as_path();
        for output in outputs.paths(recording) {
            if let Some(other) = writers.insert(output.clone(), file) {
                if other == file {
                    bail!("{} is named twice", file.display());
                }
                bail!(
                    "{} and {} would both write {}; label them in two runs with different folders",
                    other.display(),
                    file.display(),
                    output.display()
                );
            }
        }
    }
    Ok(())
}

struct Run<'a> {
    recordings: &'a [Recording],
    bundle: &'a Bundle,
    outputs: &'a LabelOutputs,
    channels: ChannelChoice,
    progress: &'a AudioProgress,
    cancelled: &'a AtomicBool,
}

impl Run<'_> {
    /// Labels all files on `n_jobs` threads and prints the results in the order of the files; gives how many failed.
    fn all(&self, n_jobs: usize) -> Result<usize> {
        let next = AtomicUsize::new(0);
        let printer = Mutex::new(Printer { waiting: BTreeMap::new(), n_printed: 0, n_failed: 0, error: None });
        std::thread::scope(|scope| {
            for _ in 0..n_jobs {
                let body = || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(recording) = self.recordings.get(i) else { return };
                        if self.cancelled.load(Ordering::Relaxed) {
                            return;
                        }
                        let labeller = Labeller {
                            bundle: self.bundle,
                            outputs: self.outputs,
                            channels: self.channels,
                            cancelled: self.cancelled,
                        };
                        let file_progress = self.progress.file(i);
                        let labelled = labeller
                            .label(recording, &|n_samples| file_progress.heard(n_samples))
                            .map_err(anyhow::Error::from);
                        drop(file_progress);
                        let mut printer = printer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        printer.waiting.insert(i, labelled.map_err(|error| format!("{error:#}")));
                        printer.print_ready(self.progress);
                    }
                };
                Builder::new()
                    .name("tw-label".into())
                    .spawn_scoped(scope, body)
                    .expect("the system can start a thread");
            }
        });
        let printer = printer.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        match printer.error {
            Some(error) => Err(error),
            None => Ok(printer.n_failed),
        }
    }
}

struct Printer {
    waiting: BTreeMap<usize, Result<Labelled, String>>,
    n_printed: usize,
    n_failed: usize,
    error: Option<anyhow::Error>,
}

impl Printer {
    fn print_ready(&mut self, progress: &AudioProgress) {
        while let Some(result) = self.waiting.remove(&self.n_printed) {
            self.n_printed += 1;
            match result {
                Ok(labelled) => {
                    for warning in &labelled.warnings {
                        progress.suspend(|| tracing::warn!("{warning}"));
                    }
                    for event in &labelled.events {
                        let printed = progress.suspend(|| print_line(&event.to_json()));
                        self.error = self.error.take().or(printed.err());
                    }
                }
                Err(error) => {
                    self.n_failed += 1;
                    progress.suspend(|| tracing::error!("{error}"));
                }
            }
        }
    }
}
