//! `tripword listen`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use crossbeam_channel::select;

use super::Outcome;
use super::context::Context;
use super::hearing::HearingArgs;
use super::quiet::quietly;
use super::signals::SignalWatch;
use crate::audio::capture::{CaptureConfig, CaptureCounters, open_capture};
use crate::audio::history::AudioHistory;
use crate::audio::pcm::{PcmFormat, PcmSource};
use crate::audio::resample::at_model_rate;
use crate::audio::stoppable::{Pace, stoppable};
use crate::audio::wav::WavSource;
use crate::audio::{AudioSource, ChannelChoice};
use crate::config::Settings;
use crate::daemon::{Daemon, Overflow, Setup, StopHandle};
use crate::events::JsonLines;
use crate::units::{Milliseconds, SampleRate};

/// Sound that is kept for what happens at an event: the quiet before a word and the word.
const HISTORY: Milliseconds = Milliseconds(6000);

/// Listen, and print one JSON object a line whenever a word is said
#[derive(Args)]
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
    let signals = SignalWatch::start()?;
    let opened = open_input(args.input.as_deref(), args.real_time, &settings)?;
    let words: Vec<&str> = bundle.manifest.words.iter().map(|word| word.name.as_str()).collect();
    tracing::info!(input = opened.source.name(), model = bundle.manifest.name, words = words.join(", "), "listening");
    let capture = opened.capture;
    let daemon = Daemon::start(Setup {
        source: opened.source,
        stop_handle: opened.stop_handle,
        bundle: bundle.clone(),
        sinks: vec![Box::new(JsonLines::new(std::io::stdout()))],
        overflow: opened.overflow,
        history: AudioHistory::new(HISTORY),
        heartbeat: Box::new(|| {}),
    })
    .context("cannot start the threads")?;
    // If the sinks end before they are told to, the stream is over or their readers have left.
    let readers_left = select! {
        recv(signals.received) -> signal => {
            tracing::info!(signal = signal.unwrap_or_default(), "stopping");
            false
        }
        recv(daemon.finished()) -> _ => true,
    };
    let (summary, result) = daemon.stop();
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

struct OpenedInput {
    source: Box<dyn AudioSource>,
    /// What the audio callback counts, where there is one.
    capture: Option<Arc<CaptureCounters>>,
    stop_handle: StopHandle,
    overflow: Overflow,
}

fn open_input(input: Option<&str>, real_time: bool, settings: &Settings) -> Result<OpenedInput> {
    let channels: ChannelChoice = settings.input.channel.parse()?;
    match input {
        Some("-") => {
            let format = PcmFormat {
                rate: SampleRate::new(settings.input.pcm_rate_hz),
                channels: settings.input.pcm_channels,
                sample_format: settings.input.pcm_format.parse()?,
            };
            let (source, stop_handle) = PcmSource::stdin(format, channels)?;
            Ok(OpenedInput {
                source: at_model_rate(Box::new(source))?,
                capture: None,
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::Wait,
            })
        }
        Some(path) if is_path(path) => {
            let pace = if real_time { Pace::RealTime } else { Pace::Unbounded };
            let source = at_model_rate(Box::new(WavSource::open(Path::new(path), channels)?))?;
            let (source, stop_handle) = stoppable(source, pace);
            Ok(OpenedInput {
                source: Box::new(source),
                capture: None,
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::Wait,
            })
        }
        device => {
            let configured = Some(settings.input.device.as_str()).filter(|device| !device.is_empty());
            let config = CaptureConfig {
                device: device.or(configured).map(str::to_owned),
                channels,
                prefer_rate: Some(settings.input.rate_hz).filter(|&hz| hz > 0).map(SampleRate::new),
                block: settings.input.block_ms,
                ring: settings.input.ring_ms,
                stall_timeout: Duration::from_millis(settings.input.stall_timeout_ms.0.into()),
            };
            // No thread of ours runs yet.
            let (stop_handle, source) = quietly(|| open_capture(&config))?;
            tracing::info!(
                device = stop_handle.device_id(),
                rate_hz = stop_handle.sample_rate().hz(),
                channels = stop_handle.n_channels(),
                format = stop_handle.sample_format(),
                "microphone opened"
            );
            Ok(OpenedInput {
                source: at_model_rate(Box::new(source))?,
                capture: Some(stop_handle.counters().clone()),
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::CountAndDrop,
            })
        }
    }
}

/// Whether `input` means a file, be it there or not, and not a device: nothing that is on the disk or ends in `.wav` is looked
/// for among the microphones.
fn is_path(input: &str) -> bool {
    let path = Path::new(input);
    path.exists()
        || input.starts_with(['/', '.'])
        || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"))
}
