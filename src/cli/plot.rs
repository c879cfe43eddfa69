//! `tripword plot`

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use super::Outcome;
use super::context::Context;
use super::hearing::HearingArgs;
use crate::audio::ChannelChoice;
use crate::audio::file::FileSource;
use crate::events::WakeEvent;
use crate::files::write_whole;
use crate::label::{Channels, HeardTrack, LabelError, Observer, Recording, hear};
use crate::picture::{Detail, Drawing, Mark, Picture, PictureBuilder, Theme, WordLine};
use crate::pipeline::{FeatureBlock, StepScores};

/// Draw a recording: waveform, mel spectrogram, each word's score with its threshold, and what is found
#[derive(Args)]
#[command(after_help = "Examples:
  tripword plot talk.wav                           talk.png beside it
  tripword plot talk.wav --out talk.svg            as vectors, for documents
  tripword plot talk.wav --from 61.5 --to 75 --out minute.png --width 2400
  tripword plot call.wav --channel 2 --dark")]
pub(super) struct PlotArgs {
    /// The recording, of any kind that 'label' reads
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The picture; its name ends in .png or .svg [default: the recording's name with .png, beside it]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where the picture begins, in seconds
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    from: f64,
    /// Where it ends, in seconds [default: the recording's end]
    #[arg(long, value_name = "S")]
    to: Option<f64>,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Channel to hear: 'mix', or one of them, counted from 1
    #[arg(long, value_name = "mix|N")]
    channel: Option<String>,
    /// Width of the picture in pixels, 400 to 20000
    #[arg(long, value_name = "PX", default_value_t = 1400, value_parser = clap::value_parser!(u32).range(400..=20_000))]
    width: u32,
    /// Light lines on dark ground
    #[arg(long)]
    dark: bool,
}

/// What a picture is written as.
#[derive(Clone, Copy)]
enum Kind {
    Png,
    Svg,
}

pub(super) fn run(args: &PlotArgs, mut context: Context) -> Result<Outcome> {
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("png"));
    let kind = kind_of(&out)?;
    if out == args.file {
        bail!("{}: the picture would be written over the recording; name another with --out", out.display());
    }
    let to = args.to.unwrap_or(f64::INFINITY);
    if !(args.from >= 0.0 && args.from.is_finite() && to > args.from) {
        bail!("--from {} --to {to}: expected times in seconds from 0 on, the first before the second", args.from);
    }
    args.hearing.apply(&mut context)?;
    let settings = context.settings()?;
    let bundle = context.load_model()?;
    let channel = args.channel.as_ref().unwrap_or(&settings.input.channel);
    let choice: ChannelChoice = channel
        .parse()
        .map_err(|_| anyhow!("'{channel}' is no choice of a channel; expected 'mix' or a channel's number from 1"))?;

    let recording = Recording::named(&args.file);
    let track = Channels::Choice(choice).first_track(&recording);
    let manifest = &bundle.manifest;
    // Two columns in each pixel, so that none is coarser than it has to be.
    let n_columns = 2 * args.width as usize;
    let detail = Detail { n_waveform_columns: n_columns, n_mel_columns: n_columns, n_score_columns: n_columns };
    let picture = RefCell::new(None);
    let observer = PlotObserver { builder: PictureBuilder::new(manifest, args.from..to, detail), picture: &picture };
    let source = FileSource::open(&args.file, choice)?;
    let heard = hear(&track, source, &bundle, vec![Box::new(observer)], &AtomicBool::new(false), &|_| {})?;
    heard.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let picture = picture.into_inner().expect("a track that is heard has a picture");
    if picture.end_s <= picture.start_s && args.from > 0.0 {
        bail!("--from {}: {} ends at {:.3} s", args.from, args.file.display(), heard.duration_s);
    }

    let words: Vec<WordLine> = manifest
        .words
        .iter()
        .map(|word| WordLine { name: word.name.clone(), threshold: word.trigger.threshold })
        .collect();
    let mark = |event: &WakeEvent| {
        let word_idx = words.iter().position(|word| word.name == event.word)?;
        Some(Mark { word_idx, score: event.score, start_s: event.start_s, end_s: event.end_s })
    };
    let marks: Vec<Mark> = heard.events.iter().filter_map(mark).collect();
    let n_seen = marks.iter().filter(|mark| mark.end_s >= picture.start_s && mark.start_s <= picture.end_s).count();
    let title = args.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let subtitle = format!(
        "{}{:.1} s · model {} · {n_seen} {}",
        track.channel().map_or_else(String::new, |channel| format!("channel {channel} · ")),
        picture.end_s - picture.start_s,
        manifest.name,
        if n_seen == 1 { "detection" } else { "detections" },
    );
    let drawing = Drawing {
        title: &title,
        subtitle: &subtitle,
        picture: &picture,
        features: &manifest.features,
        words: &words,
        marks: &marks,
        width: args.width,
        theme: if args.dark { Theme::DARK } else { Theme::LIGHT },
    };
    let bytes = match kind {
        Kind::Png => drawing.png(),
        Kind::Svg => drawing.svg().into_bytes(),
    };
    write_whole(&out, &bytes)
        .with_context(|| format!("{}: cannot be written; no part of it was left behind", out.display()))?;
    tracing::info!(
        "{}: {} x {} pixels, {n_seen} of {} detections",
        out.display(),
        args.width,
        drawing.height(),
        marks.len()
    );
    Ok(Outcome::Success)
}

fn kind_of(out: &Path) -> Result<Kind> {
    let ending = out.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    match ending.as_deref() {
        Some("png") => Ok(Kind::Png),
        Some("svg") => Ok(Kind::Svg),
        _ => bail!("{}: pictures are .png or .svg; name one with --out", out.display()),
    }
}

/// Keeps the picture of what is heard.
struct PlotObserver<'a> {
    builder: PictureBuilder,
    picture: &'a RefCell<Option<Picture>>,
}

impl Observer for PlotObserver<'_> {
    fn samples(&mut self, samples: &[f32]) -> Result<(), LabelError> {
        self.builder.samples(samples);
        Ok(())
    }

    fn gap(&mut self, lost_samples: u64) {
        self.builder.gap(lost_samples);
    }

    fn features(&mut self, block: &FeatureBlock) -> Result<(), LabelError> {
        self.builder.features(block);
        Ok(())
    }

    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        self.builder.scores(&step);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut HeardTrack) -> Result<(), LabelError> {
        self.picture.replace(Some(self.builder.finish()));
        Ok(())
    }
}
