//! What may be asked of a daemon.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::WIRE_VERSION;
use crate::daemon::RECENT_EVENTS;
use crate::names::did_you_mean;

/// A year is long enough not to be told anything.
pub const LONGEST_MUTE_S: f64 = 366.0 * 86_400.0;

/// A question or a wish: on the wire the object's `command`, with the fields beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What it is and how it does.
    Status {},
    /// The last events, and those to come.
    Events {
        /// So many that have been; none for all that are kept.
        #[serde(default)]
        n_events: Option<usize>,
        /// Whether those to come are told, too, until the client leaves.
        #[serde(default)]
        follow: bool,
    },
    /// How loud it is, several times a second, until the client leaves.
    Level {},
    /// Tells no words.
    Mute {
        /// For so long; none: until it is unmuted.
        #[serde(default)]
        for_s: Option<f64>,
    },
    /// Tells words again.
    Unmute {},
    /// Decides on a word from another threshold on.
    Threshold {
        /// The word.
        word: String,
        /// Above 0 and at most 1.
        threshold: f32,
    },
    /// Tells a word.
    Enable {
        /// The word.
        word: String,
    },
    /// Tells a word no more.
    Disable {
        /// The word.
        word: String,
    },
    /// Listens to another device.
    Device {
        /// Its id or name.
        device: String,
    },
    /// Reads the configuration and the model anew.
    Reload {},
}

/// The names of all commands.
const COMMANDS: [&str; 10] =
    ["status", "events", "level", "mute", "unmute", "threshold", "enable", "disable", "device", "reload"];

/// A line that is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or no object.
    #[error("not a JSON object on one line: {0}; as in {{\"command\":\"status\"}}")]
    NotAnObject(String),
    /// From a newer client.
    #[error("version is {found}; this daemon speaks version {WIRE_VERSION}")]
    Version {
        /// As it came.
        found: String,
    },
    /// No such command.
    #[error("command is {found}; expected one of {known}{hint}", known = COMMANDS.join(", "))]
    Command {
        /// As it came.
        found: String,
        /// What may have been meant, as the end of the message.
        hint: String,
    },
    /// Fields that do not belong to the command.
    #[error("{command}: {reason}")]
    Fields {
        /// The command.
        command: String,
        /// What is wrong.
        reason: String,
    },
}

impl Request {
    /// Reads a request from a line.
    ///
    /// # Errors
    /// When it is none, or a value is out of range; nothing was done then.
    pub fn parse(line: &[u8]) -> Result<Self, RequestError> {
        let mut object: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| RequestError::NotAnObject(error.to_string()))?;
        if let Some(version) = object.remove("version")
            && version != WIRE_VERSION
        {
            return Err(RequestError::Version { found: version.to_string() });
        }
        let command = match object.get("command").and_then(Value::as_str) {
            Some(command) if COMMANDS.contains(&command) => command.to_owned(),
            Some(other) => {
                return Err(RequestError::Command { found: format!("'{other}'"), hint: did_you_mean(other, COMMANDS) });
            }
            None => {
                let found = object.get("command").map_or_else(|| "missing".to_owned(), Value::to_string);
                return Err(RequestError::Command { found, hint: String::new() });
            }
        };
        let wrong = |reason: String| RequestError::Fields { command: command.clone(), reason };
        let request: Self = serde_json::from_value(Value::Object(object)).map_err(|error| wrong(error.to_string()))?;
        match request {
            Self::Mute { for_s: Some(for_s) } if !(for_s > 0.0 && for_s <= LONGEST_MUTE_S) => {
                Err(wrong(format!("for_s is {for_s}; expected above 0 and at most {LONGEST_MUTE_S}")))
            }
            Self::Events { n_events: Some(n_events), .. } if n_events > RECENT_EVENTS => {
                Err(wrong(format!("n_events is {n_events}; the last {RECENT_EVENTS} are kept")))
            }
            request => Ok(request),
        }
    }

    /// As a line, without its end.
    pub fn to_line(&self) -> String {
        let Ok(Value::Object(mut object)) = serde_json::to_value(self) else {
            unreachable!("a request is an object");
        };
        object.insert("version".to_owned(), WIRE_VERSION.into());
        Value::Object(object).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(line: &str) -> String {
        Request::parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let word = || "view glass".to_owned();
        for request in [
            Request::Status {},
            Request::Events { n_events: Some(3), follow: true },
            Request::Level {},
            Request::Mute { for_s: Some(0.5) },
            Request::Mute { for_s: None },
            Request::Unmute {},
            Request::Threshold { word: word(), threshold: 0.7 },
            Request::Enable { word: word() },
            Request::Disable { word: word() },
            Request::Device { device: "alsa:default".into() },
            Request::Reload {},
        ] {
            assert_eq!(Request::parse(request.to_line().as_bytes()), Ok(request));
        }
        let all = Request::Events { n_events: None, follow: false };
        assert_eq!(Request::parse(b"{\"command\":\"events\"}"), Ok(all));
    }

    #[test]
    fn what_is_no_request_is_refused_with_what_would_be_one() {
        for (line, expected) in [
            ("GET / HTTP/1.1", "not a JSON object on one line"),
            ("[]", "not a JSON object on one line"),
            ("{}", "command is missing; expected one of status, events"),
            ("{\"command\":7}", "command is 7; expected one of"),
            (
                "{\"command\":\"stauts\"}",
                "command is 'stauts'; expected one of status, events, level, mute, unmute, threshold, enable, disable, device, reload; did you mean 'status'?",
            ),
            ("{\"command\":\"status\",\"version\":2}", "version is 2; this daemon speaks version 1"),
            ("{\"command\":\"status\",\"x\":2}", "status: unknown field `x`"),
            ("{\"command\":\"threshold\",\"word\":\"alexa\"}", "threshold: missing field `threshold`"),
            ("{\"command\":\"threshold\",\"word\":7,\"threshold\":0.5}", "threshold: invalid type"),
            ("{\"command\":\"mute\",\"for_s\":-1}", "mute: for_s is -1; expected above 0"),
            ("{\"command\":\"mute\",\"for_s\":1e99}", "at most 31622400"),
            ("{\"command\":\"events\",\"n_events\":99999999}", "events: n_events is 99999999; the last 200 are kept"),
            ("{\"command\":\"events\",\"n_events\":-1}", "events: invalid value"),
        ] {
            assert!(refused(line).contains(expected), "{line}: {}", refused(line));
        }
        let deep = format!("{{\"command\":{}", "[".repeat(60_000));
        assert!(refused(&deep).contains("recursion limit"), "{}", refused(&deep));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn any_fields_are_read_or_refused(
            command in prop::sample::select(COMMANDS.to_vec()), field in "[a-z_]{1,9}", value in "[0-9.e\\-\"a-z\\[\\]{}:]{0,12}",
        ) {
            let line = format!("{{\"command\":\"{command}\",\"{field}\":{value}}}");
            if let Ok(request) = Request::parse(line.as_bytes()) {
                prop_assert_eq!(Request::parse(request.to_line().as_bytes()), Ok(request));
            }
        }
    }
}
