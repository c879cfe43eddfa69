//! `tripword label`

mod archive;
mod printer;
mod resume;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use self::run::Run;
use super::Outcome;
use super::audio_progress::AudioProgress;
use super::context::Context;
use super::hearing::HearingArgs;
use crate::catalogue::Catalogues;
use crate::label::{Channels, ClipOutput, LabelOutputs, Recording, ScoresFormat, Shard, recordings};
use crate::labels::LabelFormat;
use crate::parallel;
use crate::units::Milliseconds;

/// Find the words in recordings
#[derive(Args)]
#[command(after_help = "Examples:
  tripword label talk.wav                      JSON lines here, talk.labels.txt beside the file for Audacity
  tripword label --json *.flac | jq .word
  tripword label --format textgrid,rttm --out labels/ archive/
                                               every sound file in archive/, its labels at the same place in labels/
  find /mnt -name '*.mp3' -mtime -1 | tripword label --format none -
  tripword label --scores scores/ talk.wav     scores/talk.scores.csv: time_s,word,score
  tripword label --catalogue found.sqlite archive/
                                               everything in one database, also what failed; .parquet for DuckDB and pandas
  tripword label --shard 2/8 --out labels/ archive/
                                               the second of eight parts, for the second of eight machines
  tripword label --channels each call.wav      each side of a call by itself: call.ch1.labels.txt, call.ch2.labels.txt
  tripword label --resume archive/             after an interruption: the same command with --resume
  tripword label --clips found/ archive/       every detection cut out: found/NAME/00012.340-computer-0.98.wav
  tripword label --report --out seen/ archive/ a page to look at for each recording, and seen/index.html with all of them

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
    /// What the scores are written as: csv or parquet
    #[arg(long, value_name = "FORMAT", default_value = "csv", requires = "scores")]
    scores_format: ScoresFormat,
    /// Store all recordings and events in a catalogue: FILE.sqlite (or .db), where they replace what it has of the same recordings,
    /// or FILE.parquet and FILE.recordings.parquet; repeatable
    #[arg(long, value_name = "FILE")]
    catalogue: Vec<PathBuf>,
    /// Label one of N equal parts of the recordings, the I-th from 1 to N, by their places below the folders that are named
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Cut every detection out as a WAV file, into a folder for each recording in this folder
    #[arg(long, value_name = "DIR")]
    clips: Option<PathBuf>,
    /// Sound kept before and after each detection that is cut out, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, requires = "clips")]
    clip_margin: u32,
    /// Write NAME.report.html for each file, beside its labels: a page that shows it, plays what was found and lets thresholds be tried
    #[arg(long)]
    report: bool,
    /// A page with all files and the ways to their pages [default: index.html in --out, if there are several files]
    #[arg(long, value_name = "FILE", requires = "report")]
    report_index: Option<PathBuf>,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Channels to hear: 'mix', 'each' by itself, or one of them, counted from 1
    #[arg(long, visible_alias = "channel", value_name = "mix|each|N")]
    channels: Option<String>,
    /// Go on with a run that was interrupted: what it has finished is not heard again, only printed
    #[arg(long)]
    resume: bool,
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
    let channels: Channels =
        args.channels.as_ref().unwrap_or(&settings.input.channel).parse().map_err(|error: String| anyhow!(error))?;
    let formats = match (&args.format, args.json) {
        (Some(names), _) => parse_formats(names)?,
        (None, true) => Vec::new(),
        (None, false) => settings.label.formats.clone(),
    };
    let clips = args.clips.clone().map(|dir| ClipOutput { dir, margin: Milliseconds(args.clip_margin) });
    let outputs = LabelOutputs {
        formats,
        labels_dir: args.out.clone(),
        scores_dir: args.scores.clone(),
        scores_format: args.scores_format,
        clips,
        report: args.report,
    };
    let mut recordings = recordings(&args.inputs, &mut std::io::stdin().lock())?;
    refuse_colliding_outputs(&recordings, channels, &outputs)?;
    if let Some(shard) = args.shard {
        let n_all = recordings.len();
        recordings.retain(|recording| shard.holds(recording));
        tracing::info!("shard {shard} has {} of {n_all} recordings", recordings.len());
    }
    let mut catalogues = Catalogues::open(&args.catalogue, &bundle.manifest)?;
    let archive = archive::place(args, recordings.len());
    if let Some(path) = &archive {
        archive::check(path)?;
    }
    let n_cores = parallel::n_cores();
    let n_jobs = if settings.label.n_jobs == 0 { n_cores } else { settings.label.n_jobs }.min(recordings.len());
    let progress = if args.json {
        AudioProgress::hidden()
    } else {
        AudioProgress::shown(recordings.iter().map(|recording| recording.path.as_path()), channels)
    };
    let journal = resume::journal(args, &bundle, channels, &outputs);
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
        journal: journal.as_ref(),
        archive: archive.as_deref(),
    };
    let done = run.all(n_jobs, &mut catalogues)?;
    progress.finish();
    if cancelled.load(Ordering::Relaxed) {
        let n = recordings.len();
        let how = if journal.is_some() { "; the same command with --resume goes on" } else { "" };
        bail!(
            "stopped by a signal with {} of {n} recordings finished{how}; the others have no output",
            done.n_labelled
        );
    }
    let n_failed = done.n_failed;
    catalogues.finish()?;
    // What failed can be mended, and the run resumed.
    if let Some(journal) = journal.filter(|_| n_failed == 0) {
        journal.remove().context("the list of finished recordings")?;
    }
    if n_failed == recordings.len() && n_failed > 0 {
        bail!("none of the {n_failed} files could be labelled");
    }
    progress.log_summary(done.n_labelled, done.n_resumed, recordings.len());
    Ok(if n_failed > 0 { Outcome::Partial } else { Outcome::Success })
}

/// Names with commas between; `none` is no format.
fn parse_formats(names: &str) -> Result<Vec<LabelFormat>> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
    names.map(|name| name.parse().map_err(anyhow::Error::msg)).collect()
}

/// Two inputs whose outputs would be the same file: better refused than one overwritten.
fn refuse_colliding_outputs(recordings: &[Recording], channels: Channels, outputs: &LabelOutputs) -> Result<()> {
    let mut writers: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    for recording in recordings {
        let file = recording.path.as_path();
        for output in outputs.places(&channels.first_track(recording)) {
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
