//! Progress bars: on standard error, only in a terminal, only for what takes a while.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over `length` units that shows `template`; hidden when nobody looks.
#[cfg(feature = "train")]
pub(super) fn bar(length: u64, template: &str) -> ProgressBar {
    bar_in_style(Some(length), style(template))
}

/// The house's look of a bar that shows `template`.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}

/// A bar whose length may not be known; hidden when nobody looks.
pub(super) fn bar_in_style(length: Option<u64>, style: ProgressStyle) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
