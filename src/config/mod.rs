//! Configuration: defaults, then a file, then flags; each value knows where it came from.
//!
//! `config/default.toml` is the single source of the defaults and of the set of keys: it is part of the binary, and a key
//! that is not in it does not exist.

mod error;
mod layers;
mod outputs;
mod settings;

pub use error::ConfigError;
pub use layers::{Layers, Origin};
pub use outputs::{
    AudioAfterEvent, ChimeSettings, ClipsSettings, CommandSettings, EventsSettings, FileSettings, MqttSettings,
    NotificationSettings, SocketSettings, WebhookSettings,
};
pub use settings::{
    Announce, ControlSettings, GivenOfMicrophone, InputSettings, LabelSettings, LogSettings, MetricsSettings,
    ModelSettings, Override, Settings, TriggerSettings, WyomingSettings,
};

/// The defaults, as text: every key with its unit, range and effect.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");
