//! The table of a comparison, for a terminal and as Markdown.

use std::fmt::Write;

use super::{ConfigurationReport, Report, Spread};

/// Cells by row; the first column is text, the others are figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub head: Vec<String>,
    /// One a configuration.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The table of `report`.
    pub fn new(report: &Report) -> Self {
        let mut head: Vec<String> = vec!["configuration".into(), "runs".into()];
        head.extend(report.conditions.iter().cloned());
        head.extend(
            ["mean missed", "range", "95 %", "parameters", "CPU ms/s", "with features", "steps", "ms a step"]
                .map(String::from),
        );
        let rows = report.configurations.iter().map(|found| row(report, found)).collect();
        Self { head, rows }
    }

    /// As lines of even columns.
    pub fn lines(&self) -> Vec<String> {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let cell = |(column, (text, &width)): (usize, (&String, &usize))| {
                if column == 0 { format!("{text:width$}") } else { format!("{text:>width$}") }
            };
            cells.map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all().map(line).collect()
    }

    /// As Markdown, with what must be known to read it.
    pub fn markdown(&self, report: &Report) -> String {
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&self.head);
        text += &format!("|---|{}\n", "---:|".repeat(self.head.len().saturating_sub(1)));
        text.extend(self.rows.iter().map(line));
        let _ = write!(text, "\n{}\n", explanation(report));
        if !report.notes.is_empty() {
            text.push('\n');
        }
        for note in &report.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}

/// What the figures are.
pub(super) fn explanation(report: &Report) -> String {
    let seeds: Vec<String> = report.seeds.iter().map(u64::to_string).collect();
    format!(
        "{} of {} runs are done: {} a run, seeds {}, learned from {}. Missed: share of the words of {} without an event, at the lowest \
         threshold of each word that keeps to {} false accepts an hour over all conditions together; the mean over the conditions, over \
         the seeds. 95 %: the interval of the mean over the seeds (Student's t); of a single seed, Wilson's interval. CPU: milliseconds of \
         one thread for a second of sound, heard step by step, the network alone and with its features. A step's time is the wall's, with \
         the wait for its mixes, as measured before the runs.",
        report.n_done,
        report.n_runs,
        report.budget,
        seeds.join(", "),
        report.data,
        report.validation,
        report.target_fa_per_hour,
    )
}

fn row(report: &Report, found: &ConfigurationReport) -> Vec<String> {
    let n_runs = format!("{} of {}", found.runs.len(), report.seeds.len());
    let diverged = if found.n_diverged > 0 { format!(", {} diverged", found.n_diverged) } else { String::new() };
    let rate = |spread: Option<&Spread>| spread.map_or("-".into(), |spread| percent(spread.mean));
    let range = |low: f64, high: f64| format!("{:.1}-{:.1}", low * 100.0, high * 100.0);
    let of_condition = |name: &String| {
        rate(found.conditions.iter().find(|found| found.condition == *name).map(|found| &found.miss_rate))
    };
    let mut row = vec![found.name.clone(), n_runs + &diverged];
    row.extend(report.conditions.iter().map(of_condition));
    row.extend([
        rate(found.miss_rate.as_ref()),
        found.miss_rate.map_or("-".into(), |spread| range(spread.lowest, spread.highest)),
        found.interval.map_or("-".into(), |[low, high]| range(low, high)),
        found.n_parameters.to_string(),
        format!("{:.3}", found.cpu.network_ms),
        format!("{:.3}", found.cpu.with_features_ms),
        found.n_steps.to_string(),
        found.step_ms.map_or("-".into(), |step_ms| format!("{step_ms:.1}")),
    ]);
    row
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
