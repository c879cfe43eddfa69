//! Wake events as the outside world sees them, and where they go.

mod event;
mod json_lines;

pub use event::{EVENT_VERSION, WakeEvent};
pub use json_lines::JsonLines;

/// Takes events one at a time. A sink that returns has delivered.
pub trait EventSink: Send {
    /// A short name for logs.
    fn name(&self) -> &str;

    /// Delivers one event.
    ///
    /// # Errors
    /// When it could not be delivered.
    fn deliver(&mut self, event: &WakeEvent) -> std::io::Result<()>;
}
