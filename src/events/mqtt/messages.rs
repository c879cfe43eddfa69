//! What is said to the broker: topics and payloads.

use serde_json::{Value, json};

use super::{MqttConfig, WakeEvent};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) is_retained: bool,
}

impl Message {
    fn json(topic: String, payload: &Value, is_retained: bool) -> Self {
        Self { topic, payload: payload.to_string().into_bytes(), is_retained }
    }
}

pub(super) const TOGGLE_ON: &str = "hermes/hotword/toggleOn";
pub(super) const TOGGLE_OFF: &str = "hermes/hotword/toggleOff";

pub(super) fn event_topic(config: &MqttConfig) -> String {
    format!("{}/{}/event", config.topic_prefix, config.site_id)
}

pub(super) fn availability_topic(config: &MqttConfig) -> String {
    format!("{}/{}/availability", config.topic_prefix, config.site_id)
}

/// Payloads of the availability: what Home Assistant expects where nothing else is agreed.
pub(super) const fn availability_payload(is_online: bool) -> &'static str {
    if is_online { "online" } else { "offline" }
}

pub(super) fn availability(config: &MqttConfig, is_online: bool) -> Message {
    let payload = availability_payload(is_online).into();
    Message { topic: availability_topic(config), payload, is_retained: true }
}

/// All that an event is told as.
pub(super) fn of_event(config: &MqttConfig, event: &WakeEvent) -> Vec<Message> {
    let own = Message { topic: event_topic(config), payload: event.to_json().into_bytes(), is_retained: false };
    let mut messages = vec![own];
    if config.hermes {
        messages.push(hermes_detected(config, event));
    }
    if config.discovery_prefix.is_some() {
        let mut fields = serde_json::to_value(event).unwrap_or_default();
        fields["event_type"] = json!(EVENT_TYPE);
        messages.push(Message::json(word_topic(config, &event.word), &fields, false));
    }
    messages
}

fn hermes_detected(config: &MqttConfig, event: &WakeEvent) -> Message {
    let sensitivity = (config.words)().iter().find(|(word, _)| *word == event.word).map_or(1.0, |(_, value)| *value);
    let payload = json!({
        "siteId": config.site_id,
        "modelId": event.model,
        "modelVersion": "",
        "modelType": "universal",
        "currentSensitivity": sensitivity,
        "sessionId": null,
        "sendAudioCaptured": null,
        "lang": null,
    });
    // Slashes and wildcards would make it another topic.
    let wakeword_id = event.word.replace(['/', '+', '#'], "_");
    Message::json(format!("hermes/hotword/{wakeword_id}/detected"), &payload, false)
}

/// The one type of event that a word's entity has.
const EVENT_TYPE: &str = "heard";

fn word_topic(config: &MqttConfig, word: &str) -> String {
    format!("{}/{}/word/{}", config.topic_prefix, config.site_id, identifier(word))
}

/// The topics that all words of this detector are announced at; none without discovery.
pub(super) fn discovery_filter(config: &MqttConfig) -> Option<String> {
    let prefix = config.discovery_prefix.as_ref()?;
    Some(format!("{prefix}/event/{}/+/config", node_id(config)))
}

/// An event entity for each word, of one device.
pub(super) fn discovery(config: &MqttConfig) -> Vec<Message> {
    let entity = |word: &String| {
        let payload = json!({
            "name": word,
            "unique_id": format!("{}_{}", node_id(config), identifier(word)),
            "state_topic": word_topic(config, word),
            "event_types": [EVENT_TYPE],
            "icon": "mdi:ear-hearing",
            "availability_topic": availability_topic(config),
            "qos": 1,
            "device": {
                "identifiers": [node_id(config)],
                "name": format!("tripword {}", config.site_id),
                "manufacturer": "tripword",
                "model": "wake word detector",
                "sw_version": env!("CARGO_PKG_VERSION"),
            },
            "origin": { "name": "tripword", "sw_version": env!("CARGO_PKG_VERSION") },
        });
        Some(Message::json(discovery_topic(config, &identifier(word))?, &payload, true))
    };
    (config.words)().iter().filter_map(|(word, _)| entity(word)).collect()
}

/// If `topic` announces a word that we do not hear any more: the message that takes it back.
pub(super) fn taken_back(config: &MqttConfig, topic: &str) -> Option<Message> {
    let filter = discovery_filter(config)?;
    let (before, after) = filter.split_once('+')?;
    let found = topic.strip_prefix(before)?.strip_suffix(after).filter(|found| !found.contains('/'))?;
    let is_ours = (config.words)().iter().any(|(word, _)| identifier(word) == found);
    (!is_ours).then(|| Message { topic: topic.to_owned(), payload: Vec::new(), is_retained: true })
}

fn discovery_topic(config: &MqttConfig, identifier: &str) -> Option<String> {
    Some(discovery_filter(config)?.replace('+', identifier))
}

fn node_id(config: &MqttConfig) -> String {
    format!("tripword_{}", identifier(&config.site_id))
}

/// Of the characters that Home Assistant allows in identifiers. What differs only in others is told apart by a number.
fn identifier(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let is_exact = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == ' ');
    if is_exact {
        return plain;
    }
    // FNV-1a, 32 bits: any number that stays the same from one start to the next will do.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{plain}_{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::event;
    use super::*;

    fn config() -> MqttConfig {
        MqttConfig {
            host: "broker".into(),
            port: 1883,
            tls: None,
            credentials: None,
            client_id: "me".into(),
            topic_prefix: "tripword".into(),
            site_id: "kitchen".into(),
            hermes: true,
            discovery_prefix: Some("homeassistant".into()),
            words: std::sync::Arc::new(|| vec![("view glass".into(), 0.25), ("schön".into(), 0.5)]),
            longest_pause: std::time::Duration::from_secs(1),
        }
    }

    fn parsed(message: &Message) -> Value {
        serde_json::from_slice(&message.payload).unwrap()
    }

    #[test]
    fn an_event_is_told_in_three_ways_if_all_are_wanted() {
        let event = event("view glass");
        let messages = of_event(&config(), &event);
        let topics: Vec<&str> = messages.iter().map(|message| message.topic.as_str()).collect();
        let word = "tripword/kitchen/word/view_glass";
        assert_eq!(topics, ["tripword/kitchen/event", "hermes/hotword/view glass/detected", word]);
        assert!(messages.iter().all(|message| !message.is_retained));
        assert_eq!(messages[0].payload, event.to_json().as_bytes());
        let hermes = parsed(&messages[1]);
        assert_eq!((&hermes["siteId"], &hermes["modelId"]), (&json!("kitchen"), &json!("m")));
        assert_eq!(hermes["currentSensitivity"], json!(0.25));
        assert_eq!(
            (&parsed(&messages[2])["event_type"], &parsed(&messages[2])["snr_db"]),
            (&json!("heard"), &json!(30.0))
        );
        let quiet = MqttConfig { hermes: false, discovery_prefix: None, ..config() };
        assert_eq!(of_event(&quiet, &event).len(), 1);
        assert!(discovery(&quiet).is_empty() && discovery_filter(&quiet).is_none());
    }

    #[test]
    fn each_word_is_announced_and_those_that_are_gone_are_taken_back() {
        let config = config();
        let messages = discovery(&config);
        assert_eq!(messages[0].topic, "homeassistant/event/tripword_kitchen/view_glass/config");
        assert!(messages[1].topic.is_ascii() && messages.iter().all(|message| message.is_retained));
        let entity = parsed(&messages[0]);
        assert_eq!(entity["state_topic"], of_event(&config, &event("view glass"))[2].topic.as_str());
        assert_eq!(entity["availability_topic"], "tripword/kitchen/availability");
        assert!(messages.iter().all(|message| taken_back(&config, &message.topic).is_none()));
        let old = "homeassistant/event/tripword_kitchen/computer/config";
        let message = taken_back(&config, old).unwrap();
        assert!(message.topic == old && message.payload.is_empty() && message.is_retained);
        for other in [
            "homeassistant/event/tripword_hall/computer/config",
            "x",
            "homeassistant/event/tripword_kitchen/a/b/config",
        ] {
            assert_eq!(taken_back(&config, other), None);
        }
    }

    #[test]
    fn a_word_cannot_choose_its_topic() {
        assert_eq!(of_event(&config(), &event("a/#"))[1].topic, "hermes/hotword/a__/detected");
        assert_ne!(identifier("schön"), identifier("schün"));
        assert_eq!(identifier("view glass"), "view_glass");
    }
}
