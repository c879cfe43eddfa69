//! Hermes asks detectors to be silent while somebody speaks, and to listen again.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Called with whether we are to listen.
pub type OnToggle = Box<dyn Fn(bool) + Send>;

/// Reasons that are remembered; a broker cannot make us remember more.
const MAX_REASONS: usize = 16;
const MAX_REASON_BYTES: usize = 64;

/// Why we are to be silent: each reason is taken back by itself.
#[derive(Debug, Default)]
pub(super) struct Toggle {
    reasons: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default = "default_site")]
    site_id: String,
    #[serde(default)]
    reason: Option<String>,
}

fn default_site() -> String {
    "default".to_owned()
}

impl Toggle {
    /// Takes a message to be silent or to listen. Gives whether we are to listen now; none if it is not for us or makes no sense.
    pub(super) fn obey(&mut self, payload: &[u8], turns_on: bool, site_id: &str) -> Option<bool> {
        let message: Message = serde_json::from_slice(payload).ok()?;
        if message.site_id != site_id {
            return None;
        }
        let mut reason = message.reason.unwrap_or_default();
        if reason.len() > MAX_REASON_BYTES || self.reasons.len() >= MAX_REASONS {
            reason = String::new();
        }
        match (turns_on, reason.is_empty()) {
            // Without a reason it is for all of them.
            (true, true) => self.reasons.clear(),
            (true, false) => drop(self.reasons.remove(&reason)),
            (false, _) => drop(self.reasons.insert(reason)),
        }
        Some(self.reasons.is_empty())
    }

    /// Forgets all reasons; gives whether there was any.
    pub(super) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.reasons).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_to_be_taken_back() {
        let mut toggle = Toggle::default();
        let off = |toggle: &mut Toggle, text: &str| toggle.obey(text.as_bytes(), false, "kitchen");
        let on = |toggle: &mut Toggle, text: &str| toggle.obey(text.as_bytes(), true, "kitchen");
        assert_eq!(off(&mut toggle, r#"{"siteId": "kitchen", "reason": "ttsSay"}"#), Some(false));
        assert_eq!(off(&mut toggle, r#"{"siteId": "kitchen", "reason": "playAudio", "more": 1}"#), Some(false));
        assert_eq!(on(&mut toggle, r#"{"siteId": "kitchen", "reason": "ttsSay"}"#), Some(false));
        assert_eq!(on(&mut toggle, r#"{"siteId": "kitchen", "reason": "playAudio"}"#), Some(true));
        assert_eq!(off(&mut toggle, r#"{"siteId": "kitchen"}"#), Some(false));
        assert_eq!(on(&mut toggle, r#"{"siteId": "kitchen", "reason": null}"#), Some(true));
        // Not ours, or nothing at all.
        for text in [r#"{"siteId": "hall"}"#, "{}", "", "[]", "\u{0}", r#"{"siteId": 3}"#] {
            assert_eq!(off(&mut toggle, text), None, "{text}");
        }
        assert_eq!(toggle.obey(b"{}", false, "default"), Some(false));
        assert!(toggle.clear() && !toggle.clear());
    }

    #[test]
    fn reasons_are_bounded() {
        let mut toggle = Toggle::default();
        for i in 0..1000 {
            let long = "x".repeat(i);
            toggle.obey(format!(r#"{{"reason": "{i}{long}"}}"#).as_bytes(), false, "default");
        }
        assert!(toggle.reasons.len() <= MAX_REASONS + 1);
    }
}
