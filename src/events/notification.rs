//! Events as notifications on the desktop.

use std::time::Duration;

use notify_rust::{Notification, Timeout};

use super::outbox::{Delivery, Destination, Failure};
use super::patience::Patience;
use super::{About, WakeEvent};

/// How long the desktop may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Shows a notification for each event.
pub struct DesktopNotification {
    shown_for: Duration,
    patience: Patience,
}

impl DesktopNotification {
    /// Each is shown for so long.
    pub fn new(shown_for: Duration) -> Self {
        Self { shown_for, patience: Patience::default() }
    }

    /// What it is.
    pub fn about(&self) -> About {
        About::new("notification", "the desktop", "the word and how sure it is")
    }
}

impl Destination for DesktopNotification {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        let mut notification = Notification::new();
        let timeout_ms = u32::try_from(self.shown_for.as_millis()).unwrap_or(u32::MAX);
        notification
            .appname("tripword")
            .summary(&event.word)
            .body(&format!("heard at {:.0} %", event.score * 100.0))
            .icon("audio-input-microphone")
            .timeout(Timeout::Milliseconds(timeout_ms));
        self.patience.call(ANSWER_LIMIT, move || match notification.show() {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Passing(format!("no notification service answers on this desktop: {error}"))),
        })?;
        Ok(Delivery::Done)
    }
}
