//! What a comparison found so far: the table, the JSON and the page are all made of this.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

pub use super::speed::Cpu;

use super::configuration::what_differs;
use super::result::{RunOutcome, RunResult, mean_miss_rate};
use super::run::CompareRequest;
use super::table::Table;
use super::{Budget, Plan, PlannedConfiguration, Spread, page};
use crate::eval::wilson_interval;
use crate::files::write_whole;
use crate::model::Weights;

/// Of the JSON; fields may be added within a version.
const VERSION: u32 = 1;

/// The order of the configurations in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The fewest misses first.
    Misses,
    /// As they were given.
    Given,
}

/// All that is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of this format.
    pub version: u32,
    /// Version of tripword.
    pub tripword_version: String,
    /// The folder that was learned from.
    pub data: String,
    /// The folder that was tested on.
    pub validation: String,
    /// The words.
    pub words: Vec<String>,
    /// The conditions that they were heard in; empty before the first run is done.
    pub conditions: Vec<String>,
    /// How long a run lasts.
    pub budget: Budget,
    /// False accepts per hour, in all conditions together, that thresholds were chosen for.
    pub target_fa_per_hour: f64,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// All runs.
    pub n_runs: usize,
    /// Runs that are done.
    pub n_done: usize,
    /// Configuration by configuration, in the order asked for.
    pub configurations: Vec<ConfigurationReport>,
    /// What is unusual.
    pub notes: Vec<String>,
}

/// One configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigurationReport {
    /// Its name.
    pub name: String,
    /// The folder of its runs.
    pub folder: String,
    /// The settings in which the configurations differ.
    pub settings: BTreeMap<String, Value>,
    /// Optimiser steps of each run.
    pub n_steps: u64,
    /// Milliseconds that a step was found to take when the runs were planned.
    pub step_ms: Option<f64>,
    /// Numbers in the network.
    pub n_parameters: usize,
    /// What listening costs.
    pub cpu: Cpu,
    /// Runs that ran away.
    pub n_diverged: usize,
    /// Mean miss rate over the conditions, over the seeds.
    pub miss_rate: Option<Spread>,
    /// 95 % of it: over several seeds the interval of their mean, of one seed Wilson's, each recording counted once.
    pub interval: Option<[f64; 2]>,
    /// Miss rates condition by condition.
    pub conditions: Vec<ConditionReport>,
    /// Mean miss rate over the conditions, word by word.
    pub words: BTreeMap<String, Spread>,
    /// Seed by seed, as far as they are done.
    pub runs: Vec<RunReport>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionReport {
    /// Its name.
    pub condition: String,
    /// Over the seeds.
    pub miss_rate: Spread,
}

/// One run, with the intervals of its own counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The seed.
    pub seed: u64,
    /// Milliseconds that a step took.
    pub step_ms: Option<f64>,
    /// Mean over the conditions; none of a run that ran away.
    pub miss_rate: Option<f64>,
    /// Wilson's 95 % interval, each recording counted once.
    pub interval: Option<[f64; 2]>,
    /// Missed, spoken and Wilson's 95 % interval, condition by condition.
    pub conditions: Vec<RunCondition>,
    /// False accepts of all words, and the hours they were counted in, all conditions together.
    pub n_false_accepts: usize,
    /// See `n_false_accepts`.
    pub hours: f64,
    /// What happened to a run that ran away.
    pub diverged: Option<String>,
}

/// One condition of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunCondition {
    /// Its name.
    pub condition: String,
    /// Words without an event.
    pub n_missed: usize,
    /// Words.
    pub n_spoken: usize,
    /// Missed / spoken.
    pub miss_rate: f64,
    /// Wilson's 95 % interval.
    pub interval: [f64; 2],
}

impl Report {
    /// From the runs that are done; `cpu` as the configurations of the plan.
    ///
    /// # Errors
    /// When a setting cannot be told.
    pub(super) fn new(request: &CompareRequest, plan: &Plan, results: &[RunResult], cpu: &[Cpu]) -> Result<Self> {
        let configs: Vec<_> =
            plan.configurations.iter().map(|planned| (planned.name.as_str(), &planned.config)).collect();
        let settings = what_differs(&configs)?;
        let mut configurations: Vec<ConfigurationReport> = (plan.configurations.iter().zip(settings).zip(cpu))
            .map(|((planned, settings), cpu)| {
                let of_seed = |seed: &u64| {
                    results.iter().find(|result| result.configuration == planned.name && result.seed == *seed)
                };
                let runs: Vec<&RunResult> = plan.seeds.iter().filter_map(of_seed).collect();
                ConfigurationReport::new(planned, settings, *cpu, plan.common.words.len(), &runs)
            })
            .collect();
        if request.sort == Sort::Misses {
            let rate = |found: &ConfigurationReport| found.miss_rate.map_or(f64::INFINITY, |spread| spread.mean);
            configurations.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
        }
        let conditions = results.iter().find_map(RunResult::measured).map(|measured| measured.conditions.clone());
        let [data, validation] = request.folders.clone();
        Ok(Self {
            version: VERSION,
            tripword_version: env!("CARGO_PKG_VERSION").into(),
            data,
            validation,
            words: plan.common.words.clone(),
            conditions: conditions.unwrap_or_default(),
            budget: plan.common.budget,
            target_fa_per_hour: plan.common.target_fa_per_hour,
            seeds: plan.seeds.clone(),
            n_runs: plan.seeds.len() * plan.configurations.len(),
            n_done: results.len(),
            notes: request.sides.notes.iter().chain(&plan.notes).cloned().chain(divergences(&configurations)).collect(),
            configurations,
        })
    }

    /// Writes it into the folder `out`, as JSON, Markdown and a page.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn write(&self, out: &Path) -> Result<()> {
        let files = [
            ("compare.json", serde_json::to_string_pretty(self)? + "\n"),
            ("table.md", Table::new(self).markdown(self)),
            ("index.html", page::html(self)),
        ];
        for (name, text) in files {
            let path = out.join(name);
            write_whole(&path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        Ok(())
    }
}

fn divergences(configurations: &[ConfigurationReport]) -> Vec<String> {
    let of_run = |name: &str, run: &RunReport| Some(format!("{name}, seed {}, {}", run.seed, run.diverged.as_ref()?));
    configurations.iter().flat_map(|found| found.runs.iter().filter_map(move |run| of_run(&found.name, run))).collect()
}

impl ConfigurationReport {
    fn new(
        planned: &PlannedConfiguration,
        settings: Vec<(String, Value)>,
        cpu: Cpu,
        n_words: usize,
        results: &[&RunResult],
    ) -> Self {
        let runs: Vec<RunReport> = results.iter().map(|result| RunReport::new(result)).collect();
        let rates: Vec<f64> = runs.iter().filter_map(|run| run.miss_rate).collect();
        let miss_rate = Spread::of(&rates);
        let measured: Vec<_> = results.iter().filter_map(|result| result.measured()).collect();
        let condition_names = measured.first().map(|measured| measured.conditions.clone()).unwrap_or_default();
        let of_condition = |(idx, condition): (usize, String)| {
            let rates: Vec<f64> =
                measured.iter().map(|measured| mean_miss_rate(&measured.missed()[idx..=idx])).collect();
            Some(ConditionReport { condition, miss_rate: Spread::of(&rates)? })
        };
        let mut words: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for word in measured.iter().flat_map(|measured| &measured.words) {
            words.entry(word.word.clone()).or_default().push(mean_miss_rate(&word.missed));
        }
        let shapes = Weights::expected(&planned.config.network, planned.config.features.n_mels, n_words);
        Self {
            name: planned.name.clone(),
            folder: planned.folder.clone(),
            settings: settings.into_iter().collect(),
            n_steps: planned.n_steps,
            step_ms: planned.step_s.map(|step_s| step_s * 1000.0),
            n_parameters: shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum(),
            cpu,
            n_diverged: runs.iter().filter(|run| run.diverged.is_some()).count(),
            interval: miss_rate.and_then(|spread| spread.interval).or_else(|| runs.iter().find_map(|run| run.interval)),
            miss_rate,
            conditions: condition_names.into_iter().enumerate().filter_map(of_condition).collect(),
            words: words.into_iter().filter_map(|(word, rates)| Some((word, Spread::of(&rates)?))).collect(),
            runs,
        }
    }
}

impl RunReport {
    fn new(result: &RunResult) -> Self {
        let mut report = Self {
            seed: result.seed,
            step_ms: result.step_s.map(|step_s| step_s * 1000.0),
            miss_rate: None,
            interval: None,
            conditions: Vec::new(),
            n_false_accepts: 0,
            hours: 0.0,
            diverged: None,
        };
        match &result.outcome {
            RunOutcome::Diverged { step, reason } => {
                report.diverged = Some(format!("diverged at step {step}: {reason}"))
            }
            RunOutcome::Finished(measured) => {
                let counts = measured.missed();
                // The same recording under other noise is no further evidence.
                let n = counts.len().max(1);
                let [missed, spoken] = [0, 1].map(|part| counts.iter().map(|count| count[part]).sum::<usize>());
                report.miss_rate = Some(measured.miss_rate());
                report.interval = Some(wilson_interval((missed as f64 / n as f64).round() as usize, spoken / n));
                let of_condition = |(condition, &[n_missed, n_spoken]): (&String, &[usize; 2])| RunCondition {
                    condition: condition.clone(),
                    n_missed,
                    n_spoken,
                    miss_rate: mean_miss_rate(&[[n_missed, n_spoken]]),
                    interval: wilson_interval(n_missed, n_spoken),
                };
                report.conditions = measured.conditions.iter().zip(&counts).map(of_condition).collect();
                report.n_false_accepts = measured.words.iter().map(|word| word.n_false_accepts).sum();
                report.hours = measured.hours;
            }
        }
        report
    }
}
