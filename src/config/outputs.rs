//! Section `events`: where events go.

use serde::Deserialize;

use crate::units::Milliseconds;

/// Section `events`. Whatever is empty is off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsSettings {
    /// Whether each event is a line on standard output.
    pub stdout: bool,
    /// The end of a file.
    pub file: FileSettings,
    /// A socket of this machine.
    pub socket: SocketSettings,
    /// A command.
    pub command: CommandSettings,
    /// A web server.
    pub webhook: WebhookSettings,
    /// An MQTT broker.
    pub mqtt: MqttSettings,
    /// The desktop.
    pub notification: NotificationSettings,
    /// The loudspeaker.
    pub chime: ChimeSettings,
    /// Recordings.
    pub clips: ClipsSettings,
}

/// Section `events.file`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Which file.
    pub path: String,
}

/// Section `events.socket`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketSettings {
    /// Where the socket is.
    pub path: String,
}

/// Section `events.command`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// After which it is ended.
    pub timeout_ms: Milliseconds,
    /// Commands at a time.
    pub max_overlapping: u32,
    /// Sound after the event.
    pub audio: AudioAfterEvent,
    /// How much of it.
    pub audio_s: f64,
}

/// The sound that a command gets after the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioAfterEvent {
    /// None.
    None,
    /// Samples.
    Raw,
    /// Samples after a WAV header.
    Wav,
}

/// Section `events.webhook`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where it is.
    pub url: String,
    /// `Name: value`.
    pub headers: Vec<String>,
    /// The same from a file.
    pub headers_file: String,
    /// For one attempt.
    pub timeout_ms: Milliseconds,
    /// For all attempts.
    pub keep_s: u32,
    /// Who is trusted.
    pub ca_file: String,
}

/// Section `events.mqtt`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttSettings {
    /// Where the broker is.
    pub url: String,
    /// Who we are.
    pub user: String,
    /// Holds the password.
    pub password_file: String,
    /// Whom we trust.
    pub ca_file: String,
    /// Our own certificate.
    pub certificate_file: String,
    /// Its key.
    pub key_file: String,
    /// Unique at the broker.
    pub client_id: String,
    /// First part of our topics.
    pub topic_prefix: String,
    /// Second part.
    pub site_id: String,
    /// For all attempts.
    pub keep_s: u32,
    /// Whether the Hermes protocol is spoken.
    pub hermes: bool,
    /// Whether Home Assistant is told what there is.
    pub home_assistant: bool,
    /// Where.
    pub discovery_prefix: String,
}

/// Section `events.notification`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// How long it stays.
    pub shown_ms: Milliseconds,
}

/// Section `events.chime`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChimeSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// Another sound.
    pub path: String,
}

/// Section `events.clips`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipsSettings {
    /// Where they are kept.
    pub folder: String,
    /// Sound before the word's end.
    pub before_ms: Milliseconds,
    /// Sound after it.
    pub after_ms: Milliseconds,
    /// Size of all clips.
    pub max_mb: u32,
    /// Age of any clip.
    pub max_age_days: u32,
}

impl EventsSettings {
    /// Checks the ranges; an error is the key and the sentence.
    pub(super) fn validate(&self) -> Result<(), (&'static str, String)> {
        let in_range = |key: &'static str, value: u32, range: std::ops::RangeInclusive<u32>| {
            if range.contains(&value) {
                Ok(())
            } else {
                Err((key, format!("{key} is {value}; expected {} to {}", range.start(), range.end())))
            }
        };
        in_range("events.command.timeout_ms", self.command.timeout_ms.0, 100..=86_400_000)?;
        in_range("events.command.max_overlapping", self.command.max_overlapping, 1..=64)?;
        let audio_s = self.command.audio_s;
        if !(audio_s > 0.0 && audio_s <= 600.0) {
            let reason = format!("events.command.audio_s is {audio_s}; expected above 0 and at most 600");
            return Err(("events.command.audio_s", reason));
        }
        in_range("events.webhook.timeout_ms", self.webhook.timeout_ms.0, 100..=60_000)?;
        in_range("events.webhook.keep_s", self.webhook.keep_s, 1..=86_400)?;
        in_range("events.mqtt.keep_s", self.mqtt.keep_s, 1..=86_400)?;
        in_range("events.notification.shown_ms", self.notification.shown_ms.0, 500..=600_000)?;
        in_range("events.clips.before_ms", self.clips.before_ms.0, 0..=5000)?;
        in_range("events.clips.after_ms", self.clips.after_ms.0, 100..=60_000)?;
        in_range("events.clips.max_mb", self.clips.max_mb, 1..=1_000_000)?;
        in_range("events.clips.max_age_days", self.clips.max_age_days, 1..=36_500)?;
        let url = &self.webhook.url;
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            let reason = "events.webhook.url is no address of a web server; expected http://… or https://…".to_owned();
            return Err(("events.webhook.url", reason));
        }
        for (key, topic) in [
            ("events.mqtt.topic_prefix", &self.mqtt.topic_prefix),
            ("events.mqtt.discovery_prefix", &self.mqtt.discovery_prefix),
        ] {
            if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.starts_with('/') || topic.ends_with('/') {
                let reason = format!("{key} is '{topic}'; expected the beginning of a topic, as in home/tripword");
                return Err((key, reason));
            }
        }
        let site_id = &self.mqtt.site_id;
        if site_id.is_empty() || site_id.contains(['+', '#', '/', '\0']) {
            let reason = format!("events.mqtt.site_id is '{site_id}'; expected a name without '/', '+' and '#'");
            return Err(("events.mqtt.site_id", reason));
        }
        if self.mqtt.certificate_file.is_empty() != self.mqtt.key_file.is_empty() {
            let reason = "events.mqtt.certificate_file and events.mqtt.key_file go together".to_owned();
            return Err(("events.mqtt.certificate_file", reason));
        }
        Ok(())
    }
}
