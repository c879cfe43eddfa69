//! Wake events as the outside world sees them, and where they go.
//!
//! A sink is called by the daemon's event thread. What may be slow, away or hang is a [`Destination`], which has a thread and a bounded
//! queue of its own, an [`Outbox`]: it is tried again after pauses and given up in the end, and never makes anybody wait.

mod audio_tail;
mod chime;
mod chime_player;
mod clip_store;
mod clips;
mod command;
mod command_input;
mod event;
mod file;
mod json_lines;
mod mqtt;
mod notification;
mod outbox;
mod output_status;
mod patience;
mod socket;
#[cfg(test)]
mod testing;
mod tls;
mod webhook;

pub use audio_tail::{AudioTail, Piece};
pub use chime::{CHIME_RATE, CHIME_WAV, synthesize_chime};
pub use chime_player::ChimePlayer;
pub use clip_store::{ClipStore, Quota};
pub use clips::{ClipRecorder, ClipSpan};
pub use command::{Command, CommandConfig};
pub use command_input::CommandAudio;
pub use event::{EVENT_VERSION, WakeEvent};
pub use file::AppendedFile;
pub use json_lines::JsonLines;
pub use mqtt::{Mqtt, MqttConfig, MqttCredentials, OnToggle, WordsOfNow};
pub use notification::DesktopNotification;
pub use outbox::{Delivery, Destination, Failure, LAST_CHANCE, Outbox, Outboxes, QUEUE_EVENTS, RetryPolicy};
pub use output_status::{About, ClientCounters, OutputStatus, OutputView};
pub use socket::EventSocket;
pub use tls::{TlsError, client_config, root_certificates};
pub use webhook::{Webhook, WebhookConfig, without_secrets};

/// Takes events one at a time. A sink that returns has delivered, or sees to it.
pub trait EventSink: Send {
    /// A short name for logs.
    fn name(&self) -> &str;

    /// Delivers one event.
    ///
    /// # Errors
    /// When it could not be delivered.
    fn deliver(&mut self, event: &WakeEvent) -> std::io::Result<()>;
}
