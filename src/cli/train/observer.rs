//! The progress of a training, for people and as JSON.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;

use super::report;
use crate::cli::{print_line, progress};
use crate::train::{StepReport, TrainObserver, TrainingView, ValidationReport};

/// Shows how the training goes.
pub(super) struct Observer {
    pub(super) bar: ProgressBar,
    /// Loss and norm of the gradient, so that they can be read; none before the first step.
    pub(super) smoothed: Option<[f64; 2]>,
    pub(super) waited_s: f64,
    pub(super) validated: String,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) json: bool,
    /// The page to write.
    pub(super) report: Option<PathBuf>,
    /// Whether validation hears what was learned from, so that its misses mean nothing.
    pub(super) is_adapting: bool,
}

impl TrainObserver for Observer {
    fn on_step(&mut self, report: StepReport) {
        let new = [report.loss, report.gradient_norm];
        let [loss, gradient] = *self
            .smoothed
            .insert(self.smoothed.map_or(new, |old| std::array::from_fn(|i| 0.98 * old[i] + 0.02 * new[i])));
        self.waited_s += report.waited_s;
        self.bar.set_position(report.n_steps);
        self.bar.set_message(format!("loss {loss:.3}, gradient {gradient:.2}{}", self.validated));
        tracing::debug!(?report, "step");
    }

    fn on_validation(&mut self, report: &ValidationReport) {
        if self.is_adapting {
            return;
        }
        let [loss, gradient] = self.smoothed.unwrap_or_default();
        self.validated = format!(", {:.1} % missed", report.miss_rate * 100.0);
        let words: Vec<String> = report
            .words
            .iter()
            .map(|(name, miss_rate, threshold)| format!("{name} {:.1} % at {threshold:.3}", miss_rate * 100.0))
            .collect();
        self.bar.suspend(|| {
            tracing::info!(
                step = report.n_steps,
                loss = format!("{loss:.4}"),
                gradient = format!("{gradient:.3}"),
                missed = format!("{:.2} %", report.miss_rate * 100.0),
                best = report.is_best,
                waited = format!("{:.1} s", self.waited_s),
                words = words.join(", "),
                "validated"
            );
        });
        if self.json {
            let line = serde_json::json!({
                "step": report.n_steps, "loss": loss, "gradient_norm": gradient, "miss_rate": report.miss_rate, "best": report.is_best,
                "words": report.words.iter().map(|(name, miss_rate, threshold)| {
                    serde_json::json!({ "word": name, "miss_rate": miss_rate, "threshold": threshold })
                }).collect::<Vec<_>>(),
            });
            if let Err(error) = print_line(&line.to_string()) {
                tracing::error!(%error, "standard output");
            }
        }
    }

    fn on_view(&mut self, view: &TrainingView) {
        // A page is no reason to lose a training.
        if let Some(Err(error)) = self.report.as_deref().map(|page| report::write(page, view)) {
            self.bar.suspend(|| tracing::error!("{error:#}"));
        }
    }

    fn on_note(&mut self, note: &str) {
        self.bar.suspend(|| tracing::info!("{note}"));
    }

    fn on_curve_step(&mut self, n_done: u64, n_steps: u64) {
        if n_done == 1 {
            self.bar.set_style(progress::style("{bar:30} learning curve, step {pos}/{len} {elapsed} elapsed"));
        }
        self.bar.set_length(n_steps);
        self.bar.set_position(n_done);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
