//! A sink that keeps every event.

use std::sync::{Arc, Mutex};

use tripword::events::{EventSink, WakeEvent};

/// Clones keep in one place.
#[derive(Clone, Default)]
pub(crate) struct Kept(pub(crate) Arc<Mutex<Vec<WakeEvent>>>);

impl EventSink for Kept {
    fn name(&self) -> &str {
        "kept"
    }

    fn deliver(&mut self, event: &WakeEvent) -> std::io::Result<()> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}
