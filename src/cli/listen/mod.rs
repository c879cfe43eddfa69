//! `tripword listen`

mod control;
mod input;
mod reload;
mod watch;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use crossbeam_channel::select;
use input::open_input;

use super::Outcome;
use super::context::Context;
use super::hearing::HearingArgs;
use super::signals::SignalWatch;
use crate::audio::history::AudioHistory;
use crate::daemon::{Daemon, Setup};
use crate::events::JsonLines;
use crate::units::Milliseconds;

/// Sound that is kept for what happens at an event: the quiet before a word and the word.
const HISTORY: Milliseconds = Milliseconds(6000);

/// Listen, and print one JSON object a line whenever a word is said
#[derive(Args, Clone)]
#[command(after_help = "Examples:
  tripword listen
  tripword listen --model my-word --input 'USB Microphone' | while read -r event; do …; done
  arecord -f S16_LE -r 48000 -c 2 -t raw | tripword listen --input - --pcm-rate 48000 --pcm-channels 2
  tripword listen --input recording.wav --real-time

The fields of an event: version, file (the device, file or '-'), word, score, start_s, end_s (of the word) and time_s (of the
decision) in seconds since the stream began, the same in samples at 16 kHz, detection_latency_ms, level_dbfs, snr_db, model,
wall_time.")]
pub(super) struct ListenArgs {
    /// Device id or name (see 'tripword devices'), '-' for raw samples on standard input, or a WAV file
    #[arg(short, long, value_name = "DEVICE|-|FILE")]
    input: Option<String>,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Rate of raw samples on standard input, in hertz
    #[arg(long, value_name = "HZ")]
    pcm_rate: Option<u32>,
    /// Channels of raw samples on standard input
    #[arg(long, value_name = "N")]
    pcm_channels: Option<u16>,
    /// Format of raw samples on standard input: u8, s16le, s24le, s32le, f32le
    #[arg(long, value_name = "FORMAT")]
    pcm_format: Option<String>,
    /// Feed a WAV file as fast as it would be spoken, not as fast as possible
    #[arg(long)]
    real_time: bool,
}

pub(super) fn run(args: &ListenArgs, mut context: Context) -> Result<Outcome> {
    apply_flags(args, &mut context)?;
    let settings = context.settings()?;
    let bundle = context.load_model()?;
    bundle.check_listens(&bundle.manifest.name)?;
    let signals = SignalWatch::start_with_hang_ups()?;
    let opened = open_input(args.input.as_deref(), args.real_time, &settings)?;
    let words: Vec<&str> = bundle.manifest.words.iter().map(|word| word.name.as_str()).collect();
    tracing::info!(input = opened.source.name(), model = bundle.manifest.name, words = words.join(", "), "listening");
    let capture = opened.capture;
    let socket = control::bind_socket(&settings, capture.is_some())?;
    let source_name = opened.source.name().to_owned();
    let history = AudioHistory::new(HISTORY);
    let daemon = Daemon::start(Setup {
        source: opened.source,
        stop_handle: opened.stop_handle,
        bundle: bundle.clone(),
        sinks: vec![Box::new(JsonLines::new(std::io::stdout()))],
        overflow: opened.overflow,
        history: history.clone(),
        heartbeat: Box::new(|| {}),
    })
    .context("cannot start the threads")?;
    let setup = control::Setup {
        socket,
        history,
        ask_for_device: control::no_other_device(&source_name),
        parts: vec![
            Box::new(control::Input { name: source_name.clone(), capture: capture.clone() }),
            Box::new(control::StandardOutput),
        ],
        source_name,
        read_anew: read_anew(args, &context),
        hooks: reload::Hooks::default(),
    };
    let control = control::Control::start(&daemon, &context, &settings, setup)?;
    // If the sinks end before they are told to, the stream is over or their readers have left.
    let readers_left = loop {
        select! {
            recv(signals.received) -> signal => {
                tracing::info!(signal = signal.unwrap_or_default(), "stopping");
                break false;
            }
            recv(signals.hang_ups) -> _ => control.reload(),
            recv(daemon.finished()) -> _ => break true,
        }
    };
    let (summary, result) = daemon.stop();
    drop(control);
    if let Some(capture) = capture {
        let counts = capture.counts();
        tracing::info!(
            delivered = counts.samples_delivered,
            lost = counts.samples_lost,
            overruns = counts.overruns,
            xruns = counts.xruns,
            errors = counts.callback_errors,
            "microphone closed"
        );
    }
    tracing::info!("stopped: {}", serde_json::to_string(&summary)?);
    result?;
    let n_lost = summary.n_failed_deliveries + summary.n_undelivered_events;
    if summary.n_failed_deliveries > 0 || (summary.n_undelivered_events > 0 && !readers_left) {
        bail!("{n_lost} of {} events could not be delivered", summary.n_events);
    }
    Ok(Outcome::Success)
}

/// Reads the configuration as this command did at its start.
fn read_anew(args: &ListenArgs, context: &Context) -> reload::ReadAnew {
    let (args, context) = (args.clone(), context.clone());
    Box::new(move || {
        let mut context = context.read_anew()?;
        apply_flags(&args, &mut context)?;
        Ok(context)
    })
}

fn apply_flags(args: &ListenArgs, context: &mut Context) -> Result<()> {
    args.hearing.apply(context)?;
    if let Some(rate) = args.pcm_rate {
        context.set_flag("--pcm-rate", "input.pcm_rate_hz", i64::from(rate))?;
    }
    if let Some(channels) = args.pcm_channels {
        context.set_flag("--pcm-channels", "input.pcm_channels", i64::from(channels))?;
    }
    if let Some(format) = &args.pcm_format {
        context.set_flag("--pcm-format", "input.pcm_format", format.as_str())?;
    }
    Ok(())
}
