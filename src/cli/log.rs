//! The log, on standard error: for a terminal, for a file, or for systemd's journal, which keeps time and level itself.

use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts the log.
pub(super) fn start(level: &str) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new(level))
        .with_target(false)
        // They would go to standard error, too, by a macro that panics when that is closed.
        .log_internal_errors(false);
    // Fails only when a log is already there, as in tests.
    let _ = if is_journal() {
        log.with_ansi(false).event_format(JournalLines::default()).try_init()
    } else {
        log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
}

/// What goes before a message of an error on standard error, so that the journal knows it for one.
pub fn error_prefix() -> &'static str {
    if is_journal() { priority(Level::ERROR) } else { "" }
}

/// Whether standard error is the journal: systemd names its device and inode, lest one that was redirected is taken for it.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let metadata = std::io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|descriptor| std::fs::File::from(descriptor).metadata());
    metadata.is_ok_and(|metadata| named == format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// As sd-daemon(3) and syslog(3) have it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Lines with a priority, without time, level and colour.
struct JournalLines {
    inner: Format<tracing_subscriber::fmt::format::Full, ()>,
}

impl Default for JournalLines {
    fn default() -> Self {
        let inner: Format<_, SystemTime> = Format::default();
        Self { inner: inner.with_ansi(false).with_target(false).with_level(false).without_time() }
    }
}

impl<S, N> FormatEvent<S, N> for JournalLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.inner.format_event(context, Writer::new(&mut text), event)?;
        // Each line is an entry of its own to the journal.
        let priority = priority(*event.metadata().level());
        text.lines().try_for_each(|line| writeln!(writer, "{priority}{line}"))
    }
}
