//! The progress of a comparison: one bar over all runs.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar};

use crate::cli::progress;
use crate::compare::{CompareObserver, Plan, Progress, RunOutcome, RunResult};
use crate::dataset::SkippedFile;
use crate::train::StepReport;

/// Parts of the bar.
const BAR_LEN: u64 = 10_000;
const PREPARING: &str = "{msg} {bar:30} {pos}/{len} {elapsed} elapsed";
const RUNNING: &str = "{bar:30} {msg}";

/// Shows how a comparison goes.
pub(super) struct Observer {
    bar: ProgressBar,
    is_running: Cell<bool>,
    /// When the first step of this process was done, and how much was done then.
    begun: RefCell<Option<(Instant, f64)>>,
    cancelled: Arc<AtomicBool>,
}

impl Observer {
    pub(super) fn new(cancelled: Arc<AtomicBool>) -> Self {
        let bar = progress::bar(1, PREPARING);
        Self { bar, is_running: Cell::new(false), begun: RefCell::new(None), cancelled }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, is_running: bool) {
        if self.is_running.replace(is_running) != is_running {
            self.bar.set_style(progress::style(if is_running { RUNNING } else { PREPARING }));
        }
    }
}

/// Seconds left, when so much of `all` was done since `begun`.
fn left_s(begun: (Instant, f64), now: Instant, done: f64, all: f64) -> Option<f64> {
    let since = done - begun.1;
    (since > 0.0).then(|| (now - begun.0).as_secs_f64() / since * (all - done))
}

impl CompareObserver for Observer {
    fn on_preparing(&self, what: &str, n_done: usize, n_all: usize) {
        self.show(false);
        self.bar.set_message(what.to_owned());
        self.bar.set_length(n_all as u64);
        self.bar.set_position(n_done as u64);
    }

    fn on_plan(&self, plan: &Plan) {
        self.bar.suspend(|| {
            for planned in &plan.configurations {
                let step = planned.step_s.map(|step_s| format!("{:.1} ms", step_s * 1000.0));
                tracing::info!(n_steps = planned.n_steps, step = step.unwrap_or_default(), "{}", planned.name);
            }
        });
    }

    fn on_skipped(&self, file: &SkippedFile) {
        self.bar.suspend(|| tracing::warn!("skipped {}: {}", file.path.display(), file.reason));
    }

    fn on_run(&self, progress: Progress) {
        let Progress { n_done, n_runs, name, seed, n_steps, .. } = progress;
        self.bar.suspend(|| tracing::info!(run = n_done + 1, of = n_runs, seed, n_steps, "{name}"));
    }

    fn on_step(&self, progress: Progress, report: StepReport) {
        let Progress { n_done, n_runs, name, seed, n_steps, all, done, of_step } = progress;
        let done = done + report.n_steps as f64 * of_step;
        let now = Instant::now();
        let begun = *self.begun.borrow_mut().get_or_insert((now, done));
        let left = left_s(begun, now, done, all);
        let left = left.map_or(String::new(), |left_s| {
            format!(", {} left", HumanDuration(Duration::try_from_secs_f64(left_s).unwrap_or_default()))
        });
        self.show(true);
        self.bar.set_length(BAR_LEN);
        self.bar.set_position((BAR_LEN as f64 * done / all) as u64);
        let step = report.n_steps;
        self.bar.set_message(format!("{n_done} of {n_runs} runs, {name} seed {seed}: step {step}/{n_steps}{left}"));
        tracing::debug!(?report, "step");
    }

    fn on_result(&self, result: &RunResult) {
        let RunResult { configuration, seed, outcome, .. } = result;
        self.bar.suspend(|| match outcome {
            RunOutcome::Finished(measured) => {
                let missed = format!("{:.2} %", measured.miss_rate() * 100.0);
                tracing::info!(seed, missed, "{configuration}: done");
            }
            RunOutcome::Diverged { step, reason } => {
                tracing::warn!(seed, "{configuration}: diverged at step {step}: {reason}");
            }
        });
    }

    fn on_note(&self, note: &str) {
        self.bar.suspend(|| tracing::info!("{note}"));
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_by_what_was_done_since_the_beginning() {
        let begin = Instant::now();
        // Resumed at 40 of 100; 10 more took 5 s.
        let left = left_s((begin, 40.0), begin + Duration::from_secs(5), 50.0, 100.0);
        assert_eq!(left, Some(25.0));
        assert_eq!(left_s((begin, 40.0), begin, 40.0, 100.0), None);
    }
}
