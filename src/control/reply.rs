//! What a daemon answers.

use serde::{Deserialize, Serialize};

use super::{Level, MuteStatus, Status, WIRE_VERSION};
use crate::events::WakeEvent;

/// An answer: on the wire the object's `kind`, with the fields beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// What it is and how it does.
    Status(Box<Status>),
    /// A word was said.
    Event {
        /// When and which.
        event: Box<WakeEvent>,
    },
    /// Words were said that are not told, because the client was too slow.
    Lost {
        /// How many.
        n_events: u64,
    },
    /// How loud it is.
    Level(Level),
    /// No sound comes.
    NoSound {
        /// For so long.
        waited_s: f64,
    },
    /// It is muted, or not any more.
    Mute(MuteStatus),
    /// The threshold of a word is another one.
    Threshold {
        /// As the model names it.
        word: String,
        /// Until now.
        before: f32,
        /// From the next step of the network on, until a restart or a reload.
        threshold: f32,
        /// What a reload brings back.
        configured: f32,
    },
    /// A word is told, or not any more.
    Enabled {
        /// As the model names it.
        word: String,
        /// Whether it is.
        is_enabled: bool,
    },
    /// Another device is listened to.
    Device {
        /// What is done about it.
        text: String,
    },
    /// Everything was read anew.
    Reloaded(Reloaded),
    /// Nothing more follows.
    End {},
    /// It could not be done; nothing was changed.
    Error {
        /// Why, and what would be possible.
        message: String,
    },
}

/// What a reload brought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is different from now on, a sentence each.
    pub changes: Vec<String>,
    /// Keys of the configuration whose new values need a restart.
    pub needs_restart: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    reply: &'a Reply,
}

impl Reply {
    /// As a line, with its end.
    pub fn to_line(&self) -> String {
        let line = Line { version: WIRE_VERSION, reply: self };
        let mut text = serde_json::to_string(&line).expect("a reply is strings, numbers and what a part tells");
        text.push('\n');
        text
    }

    /// Reads an answer from a line; fields that are not known are passed over.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_new_fields_are_no_harm() {
        for reply in [
            Reply::Threshold { word: "alexa".into(), before: 0.61, threshold: 0.7, configured: 0.61 },
            Reply::Mute(MuteStatus {
                is_muted: true,
                remaining_s: Some(3.25),
                until: Some("2026-01-01T00:00:00Z".into()),
            }),
            Reply::Reloaded(Reloaded { changes: vec!["x".into()], needs_restart: Vec::new() }),
            Reply::End {},
            Reply::Error { message: "no".into() },
        ] {
            let line = reply.to_line();
            assert!(line.starts_with("{\"version\":1,\"kind\":\"") && line.ends_with("}\n"), "{line}");
            assert_eq!(Reply::parse(&line).unwrap(), reply);
        }
        let line = "{\"version\":1,\"kind\":\"lost\",\"n_events\":3,\"newer\":{}}";
        assert_eq!(Reply::parse(line).unwrap(), Reply::Lost { n_events: 3 });
    }
}
