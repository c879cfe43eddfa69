//! Audacity label tracks: `start⟶end⟶label`, tabs between, seconds with six decimals.

use crate::events::WakeEvent;

/// The line of one event, with its end.
pub fn audacity_label(event: &WakeEvent) -> String {
    // A tab or line break inside a word would read as another field.
    let word = event.word.replace(['\t', '\n', '\r'], " ");
    format!("{:.6}\t{:.6}\t{word} {:.2}\n", event.start_s, event.end_s, event.score)
}
