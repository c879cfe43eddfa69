//! Training: recordings to a model folder.
//!
//! `dataset → mixes (worker threads) → network, forward and backward (shards) → AdamW → validation on held-out speakers`
//!
//! Never imported by what runs a model. The features, the network's kernels and the trigger are the ones that run.

mod card;
mod checkpoint;
mod config;
mod dropout;
pub mod environment;
mod finish;
mod initial;
mod learner;
mod loss;
mod mining;
mod optimizer;
mod request;
mod run;
mod schedule;
mod shard;
mod teacher;
mod validation;

pub use checkpoint::path as checkpoint_path;
pub use config::TrainConfig;
pub use learner::{Learner, LearnerStep};
pub use request::TrainRequest;
pub use run::{StepReport, TrainObserver, ValidationReport, train};
pub use teacher::Teacher;
pub use validation::ValidationSet;
