//! How much audio is heard, and how fast: the bar of a run over files, and its last line.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState};

use super::progress;
use crate::label::{Channels, Labeller};
use crate::units::SampleRate;

/// A run that takes longer ends with a line on what was done, even where no terminal shows a bar.
const LONG_RUN: Duration = Duration::from_secs(2);

/// The progress of a run over files, in samples at the model's rate. Threads share it.
pub(super) struct AudioProgress {
    bar: ProgressBar,
    /// Samples of each file as its header tells; empty where no bar needs them.
    expected: Vec<u64>,
    started: Instant,
}

impl AudioProgress {
    /// Shows a bar, if there is a terminal.
    pub(super) fn shown<'a>(files: impl Iterator<Item = &'a Path>, channels: Channels) -> Self {
        let started = Instant::now();
        let durations: Vec<Option<f64>> = files.map(|file| Labeller::duration_s(file, channels)).collect();
        let expected: Vec<u64> =
            durations.iter().map(|seconds| SampleRate::MODEL.samples(seconds.unwrap_or(0.0))).collect();
        // Of a pipe nobody knows the length, so there is no share that is done and no time that is left.
        let (n_total, template) = if durations.contains(&None) {
            (None, "{spinner} {audio}")
        } else {
            (Some(expected.iter().sum()), "{bar:24} {percent:>3}% {audio}")
        };
        let write_audio = |state: &ProgressState, out: &mut dyn Write| {
            let seconds = |n_samples: u64| SampleRate::MODEL.seconds(n_samples);
            let rate = state.per_sec() / f64::from(SampleRate::MODEL.hz());
            // Nothing can be done about a line that cannot be formatted.
            let _ = out.write_str(&progress_text(seconds(state.pos()), state.len().map(seconds), rate));
        };
        let style = progress::style(template).with_key("audio", write_audio);
        Self { bar: progress::bar_in_style(n_total, style), expected, started }
    }

    /// Only counts.
    pub(super) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), expected: Vec::new(), started: Instant::now() }
    }

    /// The part of the file with this index.
    pub(super) fn file(&self, file_idx: usize) -> FileProgress<'_> {
        let n_expected = self.expected.get(file_idx).copied().unwrap_or(0);
        FileProgress { bar: &self.bar, n_expected, n_heard: AtomicU64::new(0) }
    }

    /// Does what writes to the terminal.
    pub(super) fn suspend<R>(&self, work: impl FnOnce() -> R) -> R {
        self.bar.suspend(work)
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Tells what was done, where somebody waited for it.
    pub(super) fn log_summary(&self, n_labelled: usize, n_resumed: usize, n_files: usize) {
        let elapsed = self.started.elapsed();
        if elapsed > LONG_RUN || std::io::stderr().is_terminal() {
            let heard_s = SampleRate::MODEL.seconds(self.bar.position());
            let before = if n_resumed > 0 { format!("; {n_resumed} of them before") } else { String::new() };
            tracing::info!("{}{before}", summary_text(n_labelled, n_files, heard_s, elapsed.as_secs_f64()));
        }
    }
}

/// The progress of one file. When it goes, the whole is corrected by what the file had more or less than its header told.
pub(super) struct FileProgress<'a> {
    bar: &'a ProgressBar,
    n_expected: u64,
    n_heard: AtomicU64,
}

impl FileProgress<'_> {
    /// An earlier run heard it: it is taken out of the whole.
    pub(super) fn was_heard(self) {}

    /// So many further samples are heard.
    pub(super) fn heard(&self, n_samples: u64) {
        self.n_heard.fetch_add(n_samples, Ordering::Relaxed);
        self.bar.inc(n_samples);
    }
}

impl Drop for FileProgress<'_> {
    fn drop(&mut self) {
        let n_heard = self.n_heard.load(Ordering::Relaxed);
        match n_heard.cmp(&self.n_expected) {
            std::cmp::Ordering::Less => self.bar.dec_length(self.n_expected - n_heard),
            std::cmp::Ordering::Greater => self.bar.inc_length(n_heard - self.n_expected),
            std::cmp::Ordering::Equal => {}
        }
    }
}

/// The unit in which a span of `seconds` reads well: its length in seconds, its symbol and its name.
fn unit(seconds: f64) -> (f64, &'static str, &'static str) {
    match seconds {
        3600.0.. => (3600.0, "h", "hours"),
        60.0.. => (60.0, "min", "minutes"),
        _ => (1.0, "s", "seconds"),
    }
}

/// A number with three significant digits, down to thousandths.
fn three_digits(x: f64) -> String {
    let n_decimals = match x {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{x:.n_decimals$}")
}

/// Audio heard of all there is, if that is known; `rate` is in seconds of audio a second.
fn progress_text(heard_s: f64, total_s: Option<f64>, rate: f64) -> String {
    let (length, symbol, _) = unit(total_s.unwrap_or(heard_s));
    let mut text = format!("{:.1}", heard_s / length);
    if let Some(total_s) = total_s {
        text += &format!(" of {:.1}", total_s / length);
    }
    text += &format!(" {symbol}");
    // Before the first second is heard there is no rate.
    if rate > 0.0 {
        text += &format!(", {} h of audio/s", three_digits(rate / 3600.0));
        if let Some(total_s) = total_s {
            let left_s = (total_s - heard_s).max(0.0) / rate;
            let (length, symbol, _) = unit(left_s);
            let n_decimals = usize::from(length > 1.0);
            text += &format!(", {:.n_decimals$} {symbol} left", left_s / length);
        }
    }
    text
}

/// What a run has done.
fn summary_text(n_labelled: usize, n_files: usize, heard_s: f64, elapsed_s: f64) -> String {
    let of_all = if n_labelled < n_files { format!(" of {n_files}") } else { String::new() };
    let files = if n_files == 1 { "file" } else { "files" };
    let (heard_length, _, heard_unit) = unit(heard_s);
    let (elapsed_length, elapsed_symbol, _) = unit(elapsed_s);
    format!(
        "labelled {n_labelled}{of_all} {files}, {:.1} {heard_unit} of audio in {:.1} {elapsed_symbol}, {} hours a second",
        heard_s / heard_length,
        elapsed_s / elapsed_length,
        three_digits(heard_s / 3600.0 / elapsed_s.max(f64::MIN_POSITIVE)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3600.0;

    #[test]
    fn progress_is_told_in_hours_of_audio_a_second() {
        assert_eq!(
            progress_text(4.5 * HOUR, Some(10.8 * HOUR), 1.31 * HOUR),
            "4.5 of 10.8 h, 1.31 h of audio/s, 5 s left"
        );
        assert_eq!(
            progress_text(120.0 * HOUR, Some(2000.0 * HOUR), 12.3 * HOUR),
            "120.0 of 2000.0 h, 12.3 h of audio/s, 2.5 min left"
        );
        assert_eq!(progress_text(90.0, Some(150.0), 36.0), "1.5 of 2.5 min, 0.010 h of audio/s, 2 s left");
        assert_eq!(progress_text(2.0, Some(20.0), 3600.0), "2.0 of 20.0 s, 1.00 h of audio/s, 0 s left");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(progress_text(0.0, Some(2.0 * HOUR), 0.0), "0.0 of 2.0 h");
        assert_eq!(progress_text(2.0 * HOUR, None, HOUR), "2.0 h, 1.00 h of audio/s");
        assert_eq!(progress_text(0.0, None, 0.0), "0.0 s");
    }

    #[test]
    fn a_run_is_summed_up() {
        assert_eq!(
            summary_text(12, 12, 10.8 * HOUR, 8.3),
            "labelled 12 files, 10.8 hours of audio in 8.3 s, 1.30 hours a second"
        );
        assert_eq!(
            summary_text(11, 12, 600.0, 90.0),
            "labelled 11 of 12 files, 10.0 minutes of audio in 1.5 min, 0.002 hours a second"
        );
        assert_eq!(
            summary_text(1, 1, 36.0, 0.1),
            "labelled 1 file, 36.0 seconds of audio in 0.1 s, 0.100 hours a second"
        );
    }

    #[test]
    fn files_that_differ_from_their_headers_correct_the_whole() {
        let progress =
            AudioProgress { bar: ProgressBar::hidden(), expected: vec![1000, 500, 0], started: Instant::now() };
        progress.bar.set_length(1500);
        for (file_idx, n_heard) in [(0, 400), (1, 700), (2, 100)] {
            progress.file(file_idx).heard(n_heard);
        }
        assert_eq!((progress.bar.position(), progress.bar.length()), (1200, Some(1200)));
    }
}
