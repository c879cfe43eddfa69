//! All runs of a comparison, one after another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Error, Result, anyhow, bail};

use super::material::Materials;
use super::measure::measure;
use super::order::run_order;
use super::plan::Common;
use super::report::{Report, Sort};
use super::result::{RunOutcome, RunResult};
use super::speed::cpu_times;
use super::timing::step_times;
use super::{Budget, Configuration, PLAN_FILE, Plan, PlannedConfiguration};
use crate::bundle::{Bundle, Location};
use crate::dataset::SkippedFile;
use crate::model::WeightsError;
use crate::train::{
    Diverged, Sides, StepReport, TrainConfig, TrainObserver, TrainRequest, ValidationReport, checkpoint_path, train,
};

/// What the models say of their licence: they are made to be measured.
const LICENSE: &str = "LicenseRef-private";

/// What is to be compared, on what, and where to.
pub struct CompareRequest {
    /// What is learned from and tested on.
    pub sides: Sides,
    /// The folders of both, as the user named them.
    pub folders: [String; 2],
    /// In the order they were given.
    pub configurations: Vec<Configuration>,
    /// In this order.
    pub seeds: Vec<u64>,
    /// How long a run lasts.
    pub budget: Budget,
    /// False accepts per hour that thresholds are chosen for.
    pub target_fa_per_hour: f64,
    /// In which order tables list the configurations.
    pub sort: Sort,
    /// The folder of the comparison.
    pub out: PathBuf,
}

/// How far a comparison has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Runs done.
    pub n_done: usize,
    /// All runs.
    pub n_runs: usize,
    /// The present configuration.
    pub name: &'a str,
    /// The present seed.
    pub seed: u64,
    /// Optimiser steps of this run.
    pub n_steps: u64,
    /// Seconds of training that are planned for all runs together; where steps are given, steps.
    pub all: f64,
    /// The same for the runs that are done.
    pub done: f64,
    /// The same for a step of this run.
    pub of_step: f64,
}

/// Is told how a comparison goes.
pub trait CompareObserver {
    /// While recordings are read and laid out, and steps timed.
    fn on_preparing(&self, what: &str, n_done: usize, n_all: usize);
    /// Once the plan is made.
    fn on_plan(&self, plan: &Plan);
    /// A recording takes no part.
    fn on_skipped(&self, file: &SkippedFile);
    /// Before a run.
    fn on_run(&self, progress: Progress);
    /// After each optimiser step of it.
    fn on_step(&self, progress: Progress, report: StepReport);
    /// After it.
    fn on_result(&self, result: &RunResult);
    /// What else is worth a line.
    fn on_note(&self, note: &str);
    /// Whether the user wants to stop.
    fn is_cancelled(&self) -> bool;
}

/// Does all runs that are not done yet, and writes the tables after each.
///
/// # Errors
/// When the folder belongs to another comparison, recordings cannot be used, the disk refuses, or the user cancels; the same request
/// goes on from there.
pub fn compare(request: &CompareRequest, observer: &dyn CompareObserver) -> Result<Report> {
    let out = &request.out;
    let saved = Plan::load(out)?;
    if saved.is_none() {
        check_empty(out)?;
    }
    let common = Common::new(&request.sides, request.budget, request.target_fa_per_hour);
    let mut time = |configs: &[&TrainConfig]| step_times(configs, &request.sides.training, observer);
    let plan = Plan::new(saved, common, &request.seeds, &request.configurations, &mut time)?
        .ok_or_else(|| anyhow!("stopped before the plan was made; the same command begins again"))?;
    plan.save(out)?;
    observer.on_plan(&plan);

    let configs: Vec<&TrainConfig> = plan.configurations.iter().map(|planned| &planned.config).collect();
    let order = run_order(&configs, &plan.seeds);
    let mut results: Vec<RunResult> = Vec::new();
    for (idx, seed) in &order {
        results.extend(RunResult::load(&run_folder(out, &plan.configurations[*idx], *seed))?);
    }
    let cpu = cpu_times(&configs, plan.common.words.len())?;
    let report = |results: &[RunResult]| -> Result<Report> {
        let report = Report::new(request, &plan, results, &cpu)?;
        report.write(out)?;
        Ok(report)
    };
    let cost = |idx: usize| {
        let planned = &plan.configurations[idx];
        planned.n_steps as f64 * planned.step_s.unwrap_or(1.0)
    };
    let is_done = |results: &[RunResult], idx: usize, seed: u64| {
        let name = &plan.configurations[idx].name;
        results.iter().any(|result| result.seed == seed && result.configuration == *name)
    };
    let mut materials = Materials::new(&request.sides);
    for &(idx, seed) in &order {
        if is_done(&results, idx, seed) {
            continue;
        }
        let planned = &plan.configurations[idx];
        let done = order.iter().filter(|(idx, seed)| is_done(&results, *idx, *seed));
        let progress = Progress {
            n_done: results.len(),
            n_runs: order.len(),
            name: &planned.name,
            seed,
            n_steps: planned.n_steps,
            all: order.iter().map(|(idx, _)| cost(*idx)).sum(),
            done: done.map(|(idx, _)| cost(*idx)).sum(),
            of_step: planned.step_s.unwrap_or(1.0),
        };
        let run = Run { request, plan: &plan, planned, seed, progress, observer };
        let result = match run.result(&mut materials) {
            Err(_) if observer.is_cancelled() => bail!(stopped(&results, order.len())),
            result => result.with_context(|| format!("{}, seed {seed}", planned.name))?,
        };
        observer.on_result(&result);
        results.push(result);
        report(&results)?;
        if observer.is_cancelled() && results.len() < order.len() {
            bail!(stopped(&results, order.len()));
        }
    }
    report(&results)
}

fn stopped(results: &[RunResult], n_runs: usize) -> String {
    format!("stopped after {} of {n_runs} runs; the same command goes on from here", results.len())
}

/// Sees that nothing is lost to a comparison.
fn check_empty(out: &Path) -> Result<()> {
    let mut entries = match std::fs::read_dir(out) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("{}: cannot be a folder of results", out.display()))?,
    };
    if entries.next().is_some() {
        bail!(
            "{}: something else is there; name a new folder, or one with the {PLAN_FILE} of a comparison",
            out.display()
        );
    }
    Ok(())
}

fn run_folder(out: &Path, planned: &PlannedConfiguration, seed: u64) -> PathBuf {
    out.join("runs").join(&planned.folder).join(format!("seed-{seed}"))
}

/// One of them.
struct Run<'a> {
    request: &'a CompareRequest,
    plan: &'a Plan,
    planned: &'a PlannedConfiguration,
    seed: u64,
    progress: Progress<'a>,
    observer: &'a dyn CompareObserver,
}

impl Run<'_> {
    /// Trains and measures, and keeps the result. What a former process had finished of it is not done again.
    fn result(&self, materials: &mut Materials) -> Result<RunResult> {
        self.observer.on_run(self.progress);
        let folder = run_folder(&self.request.out, self.planned, self.seed);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let model = folder.join("model");
        let mut timer = Timer { run: self, first: None, last: None };
        let trained = if model.exists() { Ok(()) } else { self.train(&model, materials, &mut timer) };
        let step_s = timer.step_s();
        let outcome = match trained {
            Ok(()) => {
                let set = materials.validation(&self.planned.config, self.observer)?;
                let bundle = Bundle::load(&Location::Folder(model))?;
                RunOutcome::Finished(measure(&bundle, &set, self.plan.common.target_fa_per_hour))
            }
            Err(error) => {
                let diverged = diverged(&error, self.planned.n_steps).ok_or(error)?;
                // There is nothing to go on from.
                let _ = std::fs::remove_file(checkpoint_path(&model));
                diverged
            }
        };
        let result = RunResult {
            configuration: self.planned.name.clone(),
            seed: self.seed,
            n_steps: self.planned.n_steps,
            step_s,
            outcome,
        };
        result.save(&folder)?;
        Ok(result)
    }

    fn train(&self, model: &Path, materials: &mut Materials, timer: &mut Timer) -> Result<()> {
        let sides = &self.request.sides;
        let config = self.planned.of_seed(self.seed, self.plan.common.target_fa_per_hour);
        let bank = materials.bank(&config, self.observer)?;
        let validation = materials.validation(&config, self.observer)?;
        if self.observer.is_cancelled() {
            bail!("stopped");
        }
        let name = format!("{} seed {}", self.planned.name, self.seed);
        let description = format!("Detector of {}, made for a comparison", sides.training.words.join(", "));
        let request = TrainRequest {
            words: sides.training.words.clone(),
            bank,
            teachers: [].into(),
            validation: Arc::clone(&validation),
            tested_on: sides.tested_on,
            n_speakers: sides.n_speakers(),
            adaptation: None,
            destination: model.into(),
            resume: checkpoint_path(model).exists(),
            manifest: sides.manifest(name, description, LICENSE.into(), &config, sides.notes.clone()),
            config,
        };
        train(&request, timer)?;
        Ok(())
    }
}

/// What a training that ran away came to; none: it failed otherwise.
fn diverged(error: &Error, n_steps: u64) -> Option<RunOutcome> {
    if let Some(Diverged { quantity, value, step }) = error.downcast_ref() {
        return Some(RunOutcome::Diverged { step: *step, reason: format!("the {quantity} is {value}") });
    }
    match error.downcast_ref() {
        Some(WeightsError::NotFinite { name }) => {
            let reason = format!("tensor '{name}' holds a weight that is not finite");
            Some(RunOutcome::Diverged { step: n_steps, reason })
        }
        _ => None,
    }
}

/// Passes on how a training goes, and times it.
struct Timer<'a> {
    run: &'a Run<'a>,
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
}

impl Timer<'_> {
    /// Seconds from one step to the next, on average.
    fn step_s(&self) -> Option<f64> {
        let ((first, first_step), (last, last_step)) = (self.first?, self.last?);
        (last_step > first_step).then(|| (last - first).as_secs_f64() / (last_step - first_step) as f64)
    }
}

impl TrainObserver for Timer<'_> {
    fn on_step(&mut self, report: StepReport) {
        let now = (Instant::now(), report.n_steps);
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.run.observer.on_step(self.run.progress, report);
    }

    fn on_validation(&mut self, _: &ValidationReport) {}

    fn on_note(&mut self, note: &str) {
        self.run.observer.on_note(&format!("{}, seed {}: {note}", self.run.planned.name, self.run.seed));
    }

    fn is_cancelled(&self) -> bool {
        self.run.observer.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_that_runs_away_is_a_result_and_any_other_failure_is_not() {
        let error = Error::from(Diverged { quantity: "loss", value: f64::NAN, step: 41 }).context("above");
        assert_eq!(diverged(&error, 100), Some(RunOutcome::Diverged { step: 41, reason: "the loss is NaN".into() }));
        let error = Error::from(WeightsError::NotFinite { name: "head.bias".into() });
        assert!(matches!(diverged(&error, 100), Some(RunOutcome::Diverged { step: 100, .. })));
        assert_eq!(diverged(&anyhow!("the disk is full"), 100), None);
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        check_empty(folder.path()).unwrap();
        check_empty(&folder.path().join("new")).unwrap();
        std::fs::write(folder.path().join("song.wav"), b"precious").unwrap();
        assert!(check_empty(folder.path()).unwrap_err().to_string().contains("something else"));
        assert!(check_empty(&folder.path().join("song.wav")).is_err());
    }
}
