//! What the service says of itself.

use serde_json::json;

use super::{Event, MICROPHONE_FORMAT, MICROPHONE_NAME};
use crate::bundle::Manifest;

const NAME: &str = "tripword";
const ADDRESS: &str = env!("CARGO_PKG_REPOSITORY");

/// The answer to `describe`: one program, whose models are the words, since clients look at the first program only; and the daemon's
/// microphone, if it gives its sound.
pub fn info(manifest: &Manifest, gives_sound: bool) -> Event {
    let attribution = json!({ "name": NAME, "url": ADDRESS });
    let models: Vec<_> = (manifest.words.iter())
        .map(|word| {
            let phrase = word.name.replace(['_', '-'], " ");
            json!({
                "name": word.name,
                "attribution": attribution,
                "installed": true,
                "description": format!("{phrase} ({})", manifest.name),
                "version": format!("{:.12}", manifest.weights.sha256),
                "languages": [],
                "phrase": phrase,
            })
        })
        .collect();
    let program = json!({
        "name": NAME,
        "attribution": attribution,
        "installed": true,
        "description": format!("Trigger words by tripword, model {}", manifest.name),
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
    });
    let microphone = json!({
        "name": MICROPHONE_NAME,
        "attribution": attribution,
        "installed": true,
        "description": "The microphone that tripword listens to",
        "version": env!("CARGO_PKG_VERSION"),
        "mic_format": MICROPHONE_FORMAT,
    });
    let microphones = if gives_sound { vec![microphone] } else { Vec::new() };
    Event::new(
        "info",
        json!({ "asr": [], "tts": [], "handle": [], "intent": [], "wake": [program], "mic": microphones, "snd": [] }),
    )
}
