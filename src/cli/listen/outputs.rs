//! Where `listen` tells events: what the configuration names, put together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::audio::history::AudioHistory;
use crate::bundle::Bundle;
use crate::config::{AudioAfterEvent, EventsSettings, MqttSettings, WebhookSettings};
use crate::daemon::Controls;
use crate::detector::TriggerConfig;
use crate::events::{
    About, AppendedFile, ChimePlayer, ClipRecorder, ClipSpan, ClipStore, Command, CommandAudio, CommandConfig,
    DesktopNotification, Destination, EventSink, EventSocket, JsonLines, Mqtt, MqttConfig, MqttCredentials, OnToggle,
    Outbox, Outboxes, OutputView, Quota, RetryPolicy, Webhook, WebhookConfig, WordsOfNow, client_config,
};
use crate::units::Milliseconds;

/// A file or a socket that is away is tried for so long, and an event waits so long for a command.
const ONE_MINUTE: RetryPolicy = RetryPolicy::within(Duration::from_secs(60));
/// What comes later than this is no answer to a word any more.
const AT_ONCE: RetryPolicy = RetryPolicy::within(Duration::from_secs(2));
const MICROSECONDS_PER_DAY: u64 = 86_400_000_000;

/// The sinks of a daemon, and handles on what they do.
pub(super) struct Outputs {
    pub(super) sinks: Vec<Box<dyn EventSink>>,
    pub(super) views: Vec<OutputView>,
    /// Is to be connected with the daemon's controls, once there are any.
    pub(super) to_daemon: ToDaemon,
}

/// Starts all outputs that are configured.
pub(super) fn start(settings: &EventsSettings, bundle: &Bundle, history: &AudioHistory) -> Result<Outputs> {
    let to_daemon = ToDaemon::default();
    let mut boxes = Boxes::default();
    if let Some(path) = path(&settings.file.path) {
        let file = AppendedFile::new(path);
        boxes.add(file.about(), ONE_MINUTE, file)?;
    }
    if let Some(path) = path(&settings.socket.path) {
        let socket =
            EventSocket::bind(&path, history.clone()).with_context(|| format!("events.socket: {}", path.display()))?;
        boxes.add(socket.about(), ONE_MINUTE, socket)?;
    }
    if !settings.command.argv.is_empty() {
        let command = command(settings, history);
        boxes.add(command.about(), ONE_MINUTE, command)?;
    }
    if !settings.webhook.url.is_empty() {
        let hook = webhook(&settings.webhook).context("events.webhook")?;
        boxes.add(hook.about(), RetryPolicy::within(Duration::from_secs(settings.webhook.keep_s.into())), hook)?;
    }
    if !settings.mqtt.url.is_empty() {
        let mqtt = mqtt(&settings.mqtt, bundle, &to_daemon).context("events.mqtt")?;
        let policy = RetryPolicy {
            // A broker that is back is soon told what it has missed.
            longest_pause: Duration::from_secs(1),
            ..RetryPolicy::within(Duration::from_secs(settings.mqtt.keep_s.into()))
        };
        boxes.add(mqtt.about(), policy, mqtt)?;
    }
    if settings.notification.enabled {
        let notification = DesktopNotification::new(duration(settings.notification.shown_ms));
        boxes.add(notification.about(), RetryPolicy::within(Duration::from_secs(10)), notification)?;
    }
    if settings.chime.enabled {
        let chime = ChimePlayer::new(path(&settings.chime.path).as_deref()).context("events.chime")?;
        boxes.add(chime.about(), AT_ONCE, chime)?;
    }
    if let Some(folder) = path(&settings.clips.folder) {
        let clips = clips(settings, folder, history);
        boxes.add(clips.about(), AT_ONCE, clips)?;
    }
    let Boxes { all, views } = boxes;
    let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
    if settings.stdout {
        sinks.push(Box::new(JsonLines::new(std::io::stdout())));
    }
    // A daemon without any sink would stop at its first event.
    if !all.is_empty() || sinks.is_empty() {
        sinks.push(Box::new(Outboxes::new(all)));
    }
    Ok(Outputs { sinks, views, to_daemon })
}

/// Tells what has become of the events at each output; an error if some were left behind.
pub(super) fn tell_summary(views: &[OutputView]) -> Result<()> {
    let mut left_behind = Vec::new();
    for view in views {
        let status = view.status();
        tracing::info!("output closed: {}", serde_json::to_string(&status)?);
        let n_undelivered = status.n_abandoned + status.n_queued;
        if n_undelivered > 0 {
            left_behind.push(format!("{n_undelivered} events to {} ({})", status.name, status.target));
        }
    }
    if left_behind.is_empty() { Ok(()) } else { bail!("not delivered: {}", left_behind.join(", ")) }
}

#[derive(Default)]
struct Boxes {
    all: Vec<Outbox>,
    views: Vec<OutputView>,
}

impl Boxes {
    fn add(&mut self, about: About, policy: RetryPolicy, destination: impl Destination + 'static) -> Result<()> {
        let outbox = Outbox::start(about, policy, Box::new(destination)).context("cannot start a thread")?;
        let status = outbox.view().status();
        tracing::info!(to = status.target, sends = status.sends, "output: {}", status.name);
        self.views.push(outbox.view());
        self.all.push(outbox);
        Ok(())
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn duration(milliseconds: Milliseconds) -> Duration {
    Duration::from_millis(milliseconds.0.into())
}

fn command(settings: &EventsSettings, history: &AudioHistory) -> Command {
    let settings = &settings.command;
    let config = CommandConfig {
        argv: settings.argv.clone(),
        time_limit: duration(settings.timeout_ms),
        n_at_a_time: settings.max_overlapping as usize,
        audio: match settings.audio {
            AudioAfterEvent::None => CommandAudio::None,
            AudioAfterEvent::Raw => CommandAudio::Raw,
            AudioAfterEvent::Wav => CommandAudio::Wav,
        },
        audio_length: Milliseconds((settings.audio_s * 1000.0).round() as u32),
    };
    Command::new(config, history.clone())
}

fn webhook(settings: &WebhookSettings) -> Result<Webhook> {
    let mut lines = settings.headers.clone();
    if let Some(path) = path(&settings.headers_file) {
        lines.extend(read_secret(&path)?.lines().map(str::to_owned));
    }
    let mut headers = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        // The value may be secret and is not shown.
        let Some((name, value)) = line.split_once(':') else {
            bail!("a header has no colon; expected 'Name: value'");
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let config = WebhookConfig {
        url: settings.url.clone(),
        headers,
        timeout: duration(settings.timeout_ms),
        ca_file: path(&settings.ca_file),
    };
    Ok(Webhook::new(config)?)
}

fn mqtt(settings: &MqttSettings, bundle: &Bundle, to_daemon: &ToDaemon) -> Result<Mqtt> {
    let (host, port, is_encrypted) = MqttConfig::parse_url(&settings.url).map_err(anyhow::Error::msg)?;
    let tls = if is_encrypted {
        let certificate = path(&settings.certificate_file).zip(path(&settings.key_file));
        let identity = certificate.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        Some(client_config(path(&settings.ca_file).as_deref(), identity)?)
    } else {
        None
    };
    let password = path(&settings.password_file).map(|path| read_secret(&path)).transpose()?;
    let credentials = (!settings.user.is_empty()).then(|| MqttCredentials {
        user: settings.user.clone(),
        password: password.unwrap_or_default().trim_end_matches(['\r', '\n']).to_owned(),
    });
    let client_id = match settings.client_id.as_str() {
        "" => format!("tripword-{}", settings.site_id),
        client_id => client_id.to_owned(),
    };
    let config = MqttConfig {
        host,
        port,
        tls,
        credentials,
        client_id,
        topic_prefix: settings.topic_prefix.clone(),
        site_id: settings.site_id.clone(),
        hermes: settings.hermes,
        discovery_prefix: settings.home_assistant.then(|| settings.discovery_prefix.clone()),
        words: to_daemon.words_of_now(bundle),
        longest_pause: Duration::from_secs(5),
    };
    Mqtt::start(config, to_daemon.on_toggle()).context("cannot start a thread")
}

fn clips(settings: &EventsSettings, folder: PathBuf, history: &AudioHistory) -> ClipRecorder {
    let settings = &settings.clips;
    let quota = Quota {
        max_bytes: u64::from(settings.max_mb) * 1_000_000,
        max_age: Duration::from_micros(u64::from(settings.max_age_days) * MICROSECONDS_PER_DAY),
    };
    let span = ClipSpan { before: settings.before_ms, after: settings.after_ms };
    ClipRecorder::new(ClipStore::new(folder, quota), span, history.clone())
}

fn read_secret(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// What outputs want of the daemon, which is not there yet when they start: silence, and to know its words.
#[derive(Clone, Default)]
pub(super) struct ToDaemon {
    wish: Arc<Mutex<Wish>>,
}

#[derive(Default)]
struct Wish {
    controls: Option<Controls>,
    is_silenced: bool,
}

impl ToDaemon {
    /// From now on wishes are obeyed, and the last one is at once.
    pub(super) fn connect(&self, controls: &Controls) {
        let mut wish = self.wish();
        controls.set_silenced(wish.is_silenced);
        wish.controls = Some(controls.clone());
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_toggle(&self) -> OnToggle {
        let this = self.clone();
        Box::new(move |is_listening| {
            let mut wish = this.wish();
            wish.is_silenced = !is_listening;
            if let Some(controls) = &wish.controls {
                controls.set_silenced(!is_listening);
            }
            tracing::info!(is_listening, "Hermes asks");
        })
    }

    /// Those of the model that listens; at first those of `bundle`.
    fn words_of_now(&self, bundle: &Bundle) -> WordsOfNow {
        let sensitivity = |trigger: TriggerConfig| 1.0 - trigger.threshold;
        let words = bundle.manifest.words.iter();
        let first: Vec<(String, f32)> = words.map(|word| (word.name.clone(), sensitivity(word.trigger))).collect();
        let this = self.clone();
        Arc::new(move || {
            let Some(controls) = this.wish().controls.clone() else { return first.clone() };
            controls.words().into_iter().map(|word| (word.name, sensitivity(word.trigger))).collect()
        })
    }
}
