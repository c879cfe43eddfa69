//! What is to be done: written before the first run, held against what is asked when a comparison goes on.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Configuration, Fingerprint};
use crate::difference::first_difference;
use crate::files::write_whole;
use crate::train::{Sides, TrainConfig};

/// The file of the plan in the folder of a comparison.
pub const PLAN_FILE: &str = "plan.json";
/// Raised when an older build would misread a plan.
const VERSION: u32 = 1;

/// How long each run lasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// As many optimiser steps as fit into so many minutes.
    Minutes(f64),
    /// So many optimiser steps.
    Steps(u64),
}

impl Budget {
    /// The optimiser steps of a configuration of which one takes `step_s` seconds; at least one.
    pub fn n_steps(self, step_s: Option<f64>) -> u64 {
        match (self, step_s) {
            (Self::Steps(n_steps), _) => n_steps,
            (Self::Minutes(minutes), Some(step_s)) => ((minutes * 60.0 / step_s) as u64).max(1),
            (Self::Minutes(_), None) => 1,
        }
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Minutes(minutes) => write!(f, "{minutes} minutes of training"),
            Self::Steps(n_steps) => write!(f, "{n_steps} optimiser steps"),
        }
    }
}

/// Tells the seconds that a step of each configuration takes; nothing if it was told to stop.
type StepTimer<'a> = dyn FnMut(&[&TrainConfig]) -> Result<Option<Vec<f64>>> + 'a;

/// A configuration with its share of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedConfiguration {
    /// As it is called in tables.
    pub name: String,
    /// The folder of its runs, below `runs`.
    pub folder: String,
    /// What a step takes, in seconds, with the wait for its mixes; none where the number of steps is given.
    pub step_s: Option<f64>,
    /// Optimiser steps of each run.
    pub n_steps: u64,
    /// How it is trained; what the comparison decides is neutral.
    pub config: TrainConfig,
}

impl PlannedConfiguration {
    /// The configuration of the run with `seed`. It validates once, at its end.
    pub fn of_seed(&self, seed: u64, target_fa_per_hour: f64) -> TrainConfig {
        TrainConfig {
            seed,
            n_steps: self.n_steps,
            validate_every: self.n_steps,
            target_false_accepts_per_hour: target_fa_per_hour,
            ..self.config.clone()
        }
    }
}

/// Everything that decides what a comparison does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    version: u32,
    /// What all runs have in common.
    pub common: Common,
    /// In this order.
    pub seeds: Vec<u64>,
    /// In the order they were given.
    pub configurations: Vec<PlannedConfiguration>,
    /// What is unusual.
    pub notes: Vec<String>,
}

/// What all runs have in common, and what therefore cannot change between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// In the order of the outputs.
    pub words: Vec<String>,
    /// What is learned from.
    pub training: Fingerprint,
    /// What is tested on.
    pub validation: Fingerprint,
    /// How long a run lasts.
    pub budget: Budget,
    /// False accepts per hour that thresholds are chosen for.
    pub target_fa_per_hour: f64,
}

impl Common {
    pub(super) fn new(sides: &Sides, budget: Budget, target_fa_per_hour: f64) -> Self {
        Self {
            words: sides.training.words.clone(),
            training: Fingerprint::of(&sides.training),
            validation: Fingerprint::of(&sides.validation),
            budget,
            target_fa_per_hour,
        }
    }
}

impl Plan {
    /// Reads the plan in the folder `out`; none where there is none.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub fn load(out: &Path) -> Result<Option<Self>> {
        let path = out.join(PLAN_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // A file in the place of the folder is told when the folder is looked at.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{}: cannot be read", path.display())),
        };
        let unusable =
            || format!("{}: damaged, or of another version of tripword; name a new folder with --out", path.display());
        let plan: Self = serde_json::from_str(&text).with_context(unusable)?;
        if plan.version != VERSION {
            bail!("{}", unusable());
        }
        Ok(Some(plan))
    }

    /// Writes it into the folder `out`, which is made.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, out: &Path) -> Result<()> {
        std::fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
        let path = out.join(PLAN_FILE);
        write_whole(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// The plan of a new comparison, or `saved` with what is asked for beyond it. `time` gives the seconds that a step of each of some
    /// configurations takes; it is asked for those that are new, if the budget needs it. `None` if it was told to stop.
    ///
    /// # Errors
    /// When `saved` has something that is not asked for, or anything differs in a way that makes its runs another comparison.
    pub fn new(
        saved: Option<Self>,
        common: Common,
        seeds: &[u64],
        asked: &[Configuration],
        time: &mut StepTimer,
    ) -> Result<Option<Self>> {
        let mut notes = Vec::new();
        let mut known: Vec<PlannedConfiguration> = Vec::new();
        if let Some(saved) = saved {
            check_common(&saved.common, &common)?;
            check_seeds(&saved.seeds, seeds)?;
            for planned in &saved.configurations {
                check_configuration(planned, asked)?;
            }
            notes = saved.notes;
            known = saved.configurations;
        }
        let is_new = |configuration: &&Configuration| !known.iter().any(|planned| planned.name == configuration.name);
        let new: Vec<&Configuration> = asked.iter().filter(is_new).collect();
        let times = match common.budget {
            Budget::Minutes(_) if !new.is_empty() => {
                let configs: Vec<&TrainConfig> = new.iter().map(|configuration| &configuration.config).collect();
                let Some(times) = time(&configs)? else { return Ok(None) };
                if !known.is_empty() {
                    let names: Vec<&str> = new.iter().map(|configuration| configuration.name.as_str()).collect();
                    notes.push(format!(
                        "the steps of {} were timed on a later occasion than the others",
                        names.join(", ")
                    ));
                }
                times.into_iter().map(Some).collect()
            }
            _ => vec![None; new.len()],
        };
        known.extend(new.iter().zip(times).map(|(configuration, step_s)| PlannedConfiguration {
            name: configuration.name.clone(),
            folder: configuration.folder(),
            step_s,
            n_steps: common.budget.n_steps(step_s),
            config: configuration.config.clone(),
        }));
        // The order of what is asked.
        let place = |planned: &PlannedConfiguration| asked.iter().position(|asked| asked.name == planned.name);
        known.sort_by_key(place);
        Ok(Some(Self { version: VERSION, common, seeds: seeds.to_vec(), configurations: known, notes }))
    }
}

fn check_common(saved: &Common, asked: &Common) -> Result<()> {
    if let Some((key, saved, asked)) =
        first_difference("", &serde_json::to_value(saved)?, &serde_json::to_value(asked)?)
    {
        bail!(
            "the comparison in the folder was begun with {key} = {saved}, this one has {asked}; give the same arguments, or a new folder \
             with --out"
        );
    }
    Ok(())
}

fn check_seeds(saved: &[u64], asked: &[u64]) -> Result<()> {
    if let Some(seed) = saved.iter().find(|seed| !asked.contains(seed)) {
        bail!(
            "the comparison in the folder has the seed {seed}, which this one lacks; give the same --seeds and further ones, or a new folder \
             with --out"
        );
    }
    Ok(())
}

fn check_configuration(saved: &PlannedConfiguration, asked: &[Configuration]) -> Result<()> {
    let Some(asked) = asked.iter().find(|asked| asked.name == saved.name) else {
        bail!(
            "the comparison in the folder has the configuration {}, which this one lacks; give the same configurations and further ones, \
             or a new folder with --out",
            saved.name
        );
    };
    if let Some((key, saved_value, asked_value)) =
        first_difference("train", &serde_json::to_value(&saved.config)?, &serde_json::to_value(&asked.config)?)
    {
        bail!(
            "the configuration {} of the comparison in the folder has {key} = {saved_value}, this one has {asked_value}; give the same \
             settings, or a new folder with --out",
            saved.name
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(budget: Budget) -> Common {
        let fingerprint = Fingerprint { n_words: 9, n_negatives: 8, n_noises: 7, n_rooms: 0, sha256: "abc".into() };
        Common {
            words: vec!["hey".into()],
            training: fingerprint.clone(),
            validation: fingerprint,
            budget,
            target_fa_per_hour: 0.5,
        }
    }

    fn configuration(name: &str, batch_size: usize) -> Configuration {
        Configuration { name: name.into(), config: TrainConfig { batch_size, ..TrainConfig::default() } }
    }

    /// A step takes a hundredth of a second for each row of the batch.
    fn plan(saved: Option<Plan>, common: Common, seeds: &[u64], asked: &[Configuration]) -> Result<Plan> {
        let mut time =
            |configs: &[&TrainConfig]| Ok(Some(configs.iter().map(|config| 0.01 * config.batch_size as f64).collect()));
        Ok(Plan::new(saved, common, seeds, asked, &mut time)?.unwrap())
    }

    #[test]
    fn as_many_steps_are_planned_as_fit() {
        let asked = [configuration("a", 10), configuration("b", 30)];
        let made = plan(None, common(Budget::Minutes(0.5)), &[1], &asked).unwrap();
        let n_steps: Vec<u64> = made.configurations.iter().map(|planned| planned.n_steps).collect();
        assert_eq!(n_steps, [300, 100]);
        let config = made.configurations[1].of_seed(7, 0.25);
        assert_eq!((config.seed, config.n_steps, config.validate_every), (7, 100, 100));
        assert_eq!(Budget::Minutes(0.001).n_steps(Some(9.0)), 1);
        let given = plan(None, common(Budget::Steps(40)), &[1], &asked).unwrap();
        assert!(given.configurations.iter().all(|planned| planned.n_steps == 40 && planned.step_s.is_none()));
    }

    #[test]
    fn a_plan_is_kept_on_disk_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Plan::load(folder.path()).unwrap(), None);
        let made = plan(None, common(Budget::Minutes(5.0)), &[1, 2], &[configuration("a", 10)]).unwrap();
        made.save(folder.path()).unwrap();
        assert_eq!(Plan::load(folder.path()).unwrap(), Some(made));
        std::fs::write(folder.path().join(PLAN_FILE), "{}").unwrap();
        assert!(Plan::load(folder.path()).unwrap_err().to_string().contains("name a new folder"));
    }

    #[test]
    fn further_seeds_and_configurations_join_and_what_was_timed_stays() {
        let minutes = common(Budget::Minutes(1.0));
        let saved = plan(None, minutes.clone(), &[1], &[configuration("b", 10)]).unwrap();
        let mut time = |configs: &[&TrainConfig]| {
            assert_eq!(configs.len(), 1, "only what is new");
            Ok(Some(vec![0.5]))
        };
        let asked = [configuration("a", 20), configuration("b", 10)];
        let made = Plan::new(Some(saved), minutes, &[1, 2], &asked, &mut time).unwrap().unwrap();
        let found: Vec<(&str, u64)> =
            made.configurations.iter().map(|planned| (planned.name.as_str(), planned.n_steps)).collect();
        assert_eq!(found, [("a", 120), ("b", 600)]);
        assert_eq!(made.seeds, [1, 2]);
        assert!(made.notes[0].contains("the steps of a were timed on a later occasion"), "{:?}", made.notes);
    }

    #[test]
    fn another_comparison_is_refused_with_what_differs() {
        let minutes = common(Budget::Minutes(1.0));
        let both = [configuration("a", 10), configuration("b", 10)];
        let saved = plan(None, minutes.clone(), &[1, 2], &both).unwrap();
        let refused = |common, seeds: &[u64], asked: &[Configuration], expected: &str| {
            let message = plan(Some(saved.clone()), common, seeds, asked).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("--out"), "{message}");
        };
        refused(common(Budget::Minutes(2.0)), &[1, 2], &both, "budget.minutes = 1.0, this one has 2.0");
        refused(minutes.clone(), &[1], &both, "the seed 2");
        refused(minutes.clone(), &[1, 2], &both[..1], "the configuration b");
        let other = [configuration("a", 11), configuration("b", 10)];
        refused(minutes.clone(), &[1, 2], &other, "train.batch_size = 10, this one has 11");
        let mut other_data = minutes;
        other_data.validation.n_words = 3;
        refused(other_data, &[1, 2], &both, "validation.n_words = 9, this one has 3");
    }
}
