//! `tripword listen`

mod control;
mod input;
mod outputs;
mod parts;
mod reload;
mod watch;
mod wyoming;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use crossbeam_channel::select;
use input::open_input;
use wyoming::WyomingBeside;

use super::Outcome;
use super::context::Context;
use super::hearing::HearingArgs;
use super::signals::SignalWatch;
use crate::audio::history::AudioHistory;
use crate::audio::supervised::{DeviceState, DeviceStatus, DeviceWatch};
use crate::control::Part;
use crate::daemon::{Daemon, Heartbeat, Passed, Setup};
use crate::systemd::ServiceManager;
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
  tripword listen --wyoming                               and tell Wyoming clients of words, at tcp://127.0.0.1:10400

The fields of an event: version, file (the device, file or '-'), word, score, start_s, end_s (of the word) and time_s (of the
decision) in seconds since the stream began, the same in samples at 16 kHz, detection_latency_ms, level_dbfs, snr_db, model,
wall_time.")]
pub(super) struct ListenArgs {
    /// Device id or name (see 'tripword devices'), '-' for raw samples on standard input, or a WAV file
    #[arg(short, long, value_name = "DEVICE|-|FILE")]
    input: Option<String>,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Channel to hear, counted from 1, or 'mix'
    #[arg(long)]
    channel: Option<String>,
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
    /// Serve Wyoming clients, too: tell them of 'words', or give them the microphone's 'sound' besides [default: words]
    #[arg(long, value_name = "WHAT", num_args = 0..=1, default_missing_value = "words", value_parser = ["words", "sound"])]
    wyoming: Option<String>,
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
    let devices = opened.devices;
    let socket = control::bind_socket(&settings, devices.is_some())?;
    let source_name = opened.source.name().to_owned();
    let history = AudioHistory::new(HISTORY);
    let manager = ServiceManager::from_environment(&source_name);
    let wyoming = WyomingBeside::start(&settings.wyoming, &bundle, &history)?;
    let outputs = outputs::start(&settings.events, &bundle, &history)?;
    let mut sinks = outputs.sinks;
    sinks.extend(wyoming.as_ref().map(WyomingBeside::sink));
    sinks.extend(manager.is_there().then(|| manager.event_sink()));
    let daemon = Daemon::start(Setup {
        source: opened.source,
        stop_handle: opened.stop_handle,
        bundle: bundle.clone(),
        sinks,
        overflow: opened.overflow,
        history: history.clone(),
        heartbeat: sign_of_life(&manager, devices.clone()),
    })
    .context("cannot start the threads")?;
    outputs.to_daemon.connect(daemon.controls());
    if let Some(wyoming) = &wyoming {
        wyoming.follow(daemon.controls());
    }
    let mut parts: Vec<Box<dyn Part>> = vec![
        Box::new(parts::Input { name: source_name.clone(), devices: devices.clone() }),
        Box::new(parts::Outputs { views: outputs.views.clone(), has_stdout: settings.events.stdout }),
    ];
    if let Some(wyoming) = &wyoming {
        parts.push(Box::new(parts::WyomingClients(wyoming.counts())));
    }
    let setup = control::Setup {
        socket,
        history,
        ask_for_device: control::device_door(devices.clone(), &source_name),
        parts,
        source_name,
        read_anew: read_anew(args, &context),
        hooks: reload_hooks(&manager),
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
    manager.stopping();
    let (summary, result) = daemon.stop();
    drop(control);
    if let Some(wyoming) = wyoming {
        let counts = wyoming.counts();
        drop(wyoming);
        for (address, _, counts) in counts.now() {
            tracing::info!(address, "Wyoming clients: {}", serde_json::to_string(&counts)?);
        }
    }
    if let Some(devices) = devices {
        tracing::info!("microphone closed: {}", serde_json::to_string(&devices.status())?);
    }
    tracing::info!("stopped: {}", serde_json::to_string(&summary)?);
    let told = outputs::tell_summary(&outputs.views);
    result?;
    told?;
    let n_lost = summary.n_failed_deliveries + summary.n_undelivered_events;
    if summary.n_failed_deliveries > 0 || (summary.n_undelivered_events > 0 && !readers_left) {
        bail!("{n_lost} of {} events could not be delivered", summary.n_events);
    }
    Ok(Outcome::Success)
}

/// What the inference thread tells the service manager: that sound passes, or that a microphone is knowingly away.
fn sign_of_life(manager: &ServiceManager, devices: Option<DeviceWatch>) -> Heartbeat {
    let manager = manager.clone();
    Box::new(move |passed| match passed {
        Passed::Sound => manager.sound_passed(),
        Passed::Gap if manager.is_there() => {
            let status = devices.as_ref().map(DeviceWatch::status);
            let is_away = |status: &DeviceStatus| matches!(status.state, DeviceState::Away | DeviceState::Waiting);
            if let Some(status) = status.filter(is_away) {
                manager.alive_without_sound(status.last_reason.as_deref().unwrap_or("it is looked for"));
            }
        }
        Passed::Gap => {}
    })
}

/// What the service manager is told of a reload.
fn reload_hooks(manager: &ServiceManager) -> reload::Hooks {
    let (before, after) = (manager.clone(), manager.clone());
    reload::Hooks {
        before: Box::new(move || before.reloading()),
        after: Box::new(move |outcome| after.reloaded(outcome)),
    }
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
    if let Some(channel) = &args.channel {
        context.set_flag("--channel", "input.channel", channel.as_str())?;
    }
    if let Some(rate) = args.pcm_rate {
        context.set_flag("--pcm-rate", "input.pcm_rate_hz", i64::from(rate))?;
    }
    if let Some(channels) = args.pcm_channels {
        context.set_flag("--pcm-channels", "input.pcm_channels", i64::from(channels))?;
    }
    if let Some(format) = &args.pcm_format {
        context.set_flag("--pcm-format", "input.pcm_format", format.as_str())?;
    }
    if let Some(given) = &args.wyoming {
        context.set_flag("--wyoming", "wyoming.microphone", given.as_str())?;
    }
    Ok(())
}
