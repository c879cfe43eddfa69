//! The settings as the program uses them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bundle::Manifest;
use crate::labels::LabelFormat;
use crate::names::same_word;
use crate::units::Milliseconds;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where sound comes from.
    pub input: InputSettings,
    /// Which model hears.
    pub model: ModelSettings,
    /// What replaces the model's own decision rules.
    pub trigger: TriggerSettings,
    /// Where events go.
    pub events: super::EventsSettings,
    /// Labelling files.
    pub label: LabelSettings,
    /// The Wyoming service.
    pub wyoming: WyomingSettings,
    /// Control of a running daemon.
    pub control: ControlSettings,
    /// The page of metrics.
    pub metrics: MetricsSettings,
    /// Logging.
    pub log: LogSettings,
    /// Training.
    #[cfg(feature = "train")]
    pub train: crate::train::TrainConfig,
    /// Training is not part of this build; the section is accepted and unused.
    #[cfg(not(feature = "train"))]
    pub train: toml::Table,
}

/// Section `input`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSettings {
    /// Device id or name; empty for the default.
    pub device: String,
    /// `mix`, or a channel counted from 1.
    pub channel: String,
    /// Rate asked of the microphone; 0 leaves the choice to us.
    pub rate_hz: u32,
    /// Rate of raw samples on standard input.
    pub pcm_rate_hz: u32,
    /// Channels of raw samples on standard input.
    pub pcm_channels: u16,
    /// Format of raw samples on standard input.
    pub pcm_format: String,
    /// Length of the blocks asked of the microphone.
    pub block_ms: Milliseconds,
    /// Size of the ring between the audio callback and the feature thread.
    pub ring_ms: Milliseconds,
    /// A device that is silent for so long is taken as lost.
    pub stall_timeout_ms: Milliseconds,
    /// Which way into the sound system; empty for the platform's own.
    pub host: String,
    /// Whether a microphone that is not there at the start is waited for.
    pub wait_for_device: bool,
    /// The default device is heard when the configured one is away for so long; 0 for never.
    pub fallback_after_ms: Milliseconds,
}

/// Section `model`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Name or folder.
    pub path: String,
    /// Replaces the model's warm-up.
    pub warm_up_ms: Override<u32>,
}

/// A value, or the word `model`: what the model folder says.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Override<T> {
    /// This value for every word.
    Value(T),
    /// The model's own.
    Model(FromModel),
}

/// The word `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromModel {
    /// As the model says.
    Model,
}

impl<T: Copy> Override<T> {
    fn over(self, own: T) -> T {
        match self {
            Self::Value(value) => value,
            Self::Model(_) => own,
        }
    }
}

/// Section `trigger`: replacements for all words, and for single ones.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerSettings {
    /// Replaces every word's threshold.
    pub threshold: Override<f32>,
    /// Replaces every word's release threshold.
    pub release_threshold: Override<f32>,
    /// Replaces every word's smoothing.
    pub smoothing_ms: Override<u32>,
    /// Replaces every word's minimum duration.
    pub min_duration_ms: Override<u32>,
    /// Replaces every word's refractory period.
    pub refractory_ms: Override<u32>,
    /// Replacements for single words, by name; they win over the above.
    #[serde(default)]
    pub words: BTreeMap<String, WordTriggerSettings>,
}

/// Replacements for one word; what is absent is as for all words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordTriggerSettings {
    /// See [`TriggerSettings`].
    pub threshold: Option<Override<f32>>,
    /// See [`TriggerSettings`].
    pub release_threshold: Option<Override<f32>>,
    /// See [`TriggerSettings`].
    pub smoothing_ms: Option<Override<u32>>,
    /// See [`TriggerSettings`].
    pub min_duration_ms: Option<Override<u32>>,
    /// See [`TriggerSettings`].
    pub refractory_ms: Option<Override<u32>>,
}

/// Section `label`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSettings {
    /// Files at a time; 0 for as many as there are cores.
    pub n_jobs: usize,
    /// Formats in which labels are written.
    pub formats: Vec<LabelFormat>,
}

/// Section `wyoming`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WyomingSettings {
    /// Where it listens, as text.
    pub address: String,
    /// Clients at a time.
    pub max_clients: u32,
    /// Whether the local network is told.
    pub announce: Announce,
    /// Under which name; empty for the program's and the machine's.
    pub announce_name: String,
    /// What clients are given of the microphone that `listen` hears.
    pub microphone: GivenOfMicrophone,
    /// Where whoever connects gets its sound, as text; empty for nowhere.
    pub microphone_address: String,
}

/// What clients are given of the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenOfMicrophone {
    /// Nothing: `listen` does not serve them.
    Nothing,
    /// They are told of words.
    Words,
    /// They are told of words and get the sound, if they ask for it.
    Sound,
}

/// When the local network is told of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    /// If others than this machine can come in.
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// Section `control`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Path of the socket; `auto` for the usual one, empty for none.
    pub socket: String,
    /// Whether files that change are read anew.
    pub watch_files: bool,
}

/// Section `metrics`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// `HOST:PORT` of the page; empty for none.
    pub address: String,
}

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// error, warn, info, debug or trace.
    pub level: String,
}

impl Settings {
    /// Checks the ranges; an error is the key and the sentence.
    pub(super) fn validate(&self) -> Result<(), (&'static str, String)> {
        let input = &self.input;
        let in_range = |key: &'static str, value: u32, range: std::ops::RangeInclusive<u32>| {
            if range.contains(&value) {
                Ok(())
            } else {
                Err((key, format!("{key} is {value}; expected {} to {}", range.start(), range.end())))
            }
        };
        if input.rate_hz != 0 {
            in_range("input.rate_hz", input.rate_hz, 1000..=768_000)?;
        }
        in_range("input.pcm_rate_hz", input.pcm_rate_hz, 1000..=768_000)?;
        in_range("input.pcm_channels", input.pcm_channels.into(), 1..=256)?;
        in_range("input.block_ms", input.block_ms.0, 5..=100)?;
        in_range("input.ring_ms", input.ring_ms.0, 100..=60_000)?;
        in_range("input.stall_timeout_ms", input.stall_timeout_ms.0, 100..=3_600_000)?;
        in_range("input.fallback_after_ms", input.fallback_after_ms.0, 0..=3_600_000)?;
        in_range("wyoming.max_clients", self.wyoming.max_clients, 1..=10_000)?;
        self.events.validate()?;
        let levels = ["error", "warn", "info", "debug", "trace"];
        if !levels.contains(&self.log.level.as_str()) {
            let reason = format!("log.level is '{}'; expected one of {}", self.log.level, levels.join(", "));
            return Err(("log.level", reason));
        }
        if let Override::Value(threshold) = self.trigger.threshold
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            let reason = format!("trigger.threshold is {threshold}; expected above 0 and at most 1");
            return Err(("trigger.threshold", reason));
        }
        if let Override::Value(warm_up_ms) = self.model.warm_up_ms {
            in_range("model.warm_up_ms", warm_up_ms, 0..=10_000)?;
        }
        #[cfg(feature = "train")]
        self.train.validate()?;
        Ok(())
    }

    /// Puts the replacements of this configuration into a model's manifest.
    ///
    /// # Errors
    /// When a section names a word that the model does not have, or a rule makes no sense.
    pub fn apply_to(&self, manifest: &mut Manifest) -> Result<(), String> {
        if let Override::Value(warm_up_ms) = self.model.warm_up_ms {
            manifest.model.warm_up_ms = Milliseconds(warm_up_ms);
        }
        for name in self.trigger.words.keys() {
            if !manifest.words.iter().any(|word| same_word(&word.name, name)) {
                let words: Vec<&str> = manifest.words.iter().map(|word| word.name.as_str()).collect();
                return Err(format!(
                    "trigger.words has '{name}', but the model '{}' hears {}",
                    manifest.name,
                    words.join(", ")
                ));
            }
        }
        for word in &mut manifest.words {
            let own = self.trigger.words.iter().find(|(name, _)| same_word(name, &word.name)).map(|(_, own)| own);
            let all = &self.trigger;
            let rule = &mut word.trigger;
            let threshold = own.and_then(|own| own.threshold).unwrap_or(all.threshold).over(rule.threshold);
            if threshold != rule.threshold {
                *rule = rule.with_threshold(threshold);
            }
            let pick = |own: Option<Override<u32>>, all: Override<u32>, model: Milliseconds| {
                Milliseconds(own.unwrap_or(all).over(model.0))
            };
            rule.release_threshold =
                own.and_then(|own| own.release_threshold).unwrap_or(all.release_threshold).over(rule.release_threshold);
            rule.smoothing_ms = pick(own.and_then(|own| own.smoothing_ms), all.smoothing_ms, rule.smoothing_ms);
            rule.min_duration_ms =
                pick(own.and_then(|own| own.min_duration_ms), all.min_duration_ms, rule.min_duration_ms);
            rule.refractory_ms = pick(own.and_then(|own| own.refractory_ms), all.refractory_ms, rule.refractory_ms);
            rule.validate().map_err(|error| format!("trigger of word '{}': {error}", word.name))?;
        }
        Ok(())
    }
}
