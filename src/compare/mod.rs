//! Several configurations trained alike and put side by side: the same recordings, seeds and time, the same streams to be tested on.
//!
//! `configurations × seeds → plan (steps that fit into the time) → runs → what each misses → one table and one page`
//!
//! The plan is stored before anything is trained, each run as soon as it is finished, the present one at its checkpoints: a
//! comparison that was interrupted goes on to the same result. Runs go seed by seed over all configurations, so that a table of
//! part of them is balanced.

mod configuration;
mod fingerprint;
mod material;
mod measure;
mod order;
mod page;
mod plan;
mod report;
mod result;
mod run;
mod speed;
mod spread;
mod table;
mod timing;
mod vary;

pub use configuration::{Configuration, Configurations};
pub use fingerprint::Fingerprint;
pub use page::GENERATOR;
pub use plan::{Budget, PLAN_FILE, Plan, PlannedConfiguration};
pub use report::{ConditionReport, ConfigurationReport, Cpu, Report, RunReport, Sort};
pub use result::{Measured, RunOutcome, RunResult, WordMeasured};
pub use run::{CompareObserver, CompareRequest, Progress, compare};
pub use spread::Spread;
pub use table::Table;
pub use vary::{Variation, combinations};
