//! A level meter of one line, or a line a value where there is no terminal.

use std::io::{IsTerminal, Write};

use anyhow::Result;

use crate::cli::print_line;
use crate::control::Level;

/// What the bar spans.
const QUIETEST_DBFS: f64 = -70.0;
const BAR_CELLS: usize = 35;
/// A microphone that clips is told for so many values after it.
const CLIPPED_FOR: u32 = 15;

/// Shows levels one after the other.
pub(super) struct MeterLine {
    is_terminal: bool,
    clipped_for: u32,
}

impl MeterLine {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal(), clipped_for: 0 }
    }

    pub(super) fn show(&mut self, level: &Level) -> Result<()> {
        if level.n_clipped_samples > 0 {
            self.clipped_for = CLIPPED_FOR;
        }
        let figures = figures(level);
        if !self.is_terminal {
            let clipped = if level.n_clipped_samples > 0 { ", clipped" } else { "" };
            return print_line(&format!("{:.1} s: {figures}{clipped}", level.time_s));
        }
        let clipped = if self.clipped_for > 0 { "  CLIPPED: turn it down" } else { "" };
        self.clipped_for = self.clipped_for.saturating_sub(1);
        overwrite(&format!("{} {figures}{clipped}", bar(level)))
    }

    pub(super) fn show_no_sound(&mut self, waited_s: f64) -> Result<()> {
        let text = format!("no sound for {waited_s:.0} s");
        if self.is_terminal { overwrite(&text) } else { print_line(&text) }
    }

    /// Leaves the last value standing.
    pub(super) fn finish(&self) -> Result<()> {
        if self.is_terminal { print_line("") } else { Ok(()) }
    }
}

/// Puts `text` in the place of the terminal's line.
fn overwrite(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "\r{text}\x1b[K")?;
    Ok(out.flush()?)
}

fn figures(level: &Level) -> String {
    format!(
        "{:6.1} dBFS, peak {:6.1}, {:5.1} dB above the background of {:.1}",
        level.rms_dbfs, level.peak_dbfs, level.snr_db, level.background_dbfs
    )
}

/// The level as a bar, with a mark at the peak.
fn bar(level: &Level) -> String {
    let place = |dbfs: f64| {
        let share = ((dbfs - QUIETEST_DBFS) / -QUIETEST_DBFS).clamp(0.0, 1.0);
        (share * BAR_CELLS as f64).round() as usize
    };
    let (n_full, peak) = (place(level.rms_dbfs), place(level.peak_dbfs));
    let cells = (1..=BAR_CELLS).map(|cell| match cell {
        cell if cell <= n_full => '█',
        cell if cell == peak => '▏',
        _ => ' ',
    });
    format!("[{}]", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(rms_dbfs: f64, peak_dbfs: f64) -> Level {
        Level { time_s: 1.0, rms_dbfs, peak_dbfs, n_clipped_samples: 0, background_dbfs: -60.0, snr_db: 3.0 }
    }

    #[test]
    fn the_bar_spans_seventy_decibels() {
        let cells = |bar: &str| bar.chars().filter(|c| *c == '█').count();
        assert_eq!(cells(&bar(&level(0.0, 0.0))), BAR_CELLS);
        assert_eq!(cells(&bar(&level(-100.0, -90.0))), 0);
        let half = bar(&level(-36.0, -20.0));
        assert_eq!((cells(&half), half.chars().position(|c| c == '▏')), (17, Some(25)), "{half}");
        assert_eq!(half.chars().count(), BAR_CELLS + 2);
    }
}
