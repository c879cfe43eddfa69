//! Training: recordings to a model folder.
//!
//! `dataset → mixes (worker threads) → network, forward and backward (shards) → AdamW → validation on held-out speakers`
//!
//! An adaptation begins with a trained network, learns from every recording of its words, and is tested by its learning curve.
//!
//! A [`History`] goes with it and comes back with a checkpoint; at each validation an observer is given a [`TrainingView`], of which
//! [`page`] makes an HTML page.
//!
//! Never imported by what runs a model. The features, the network's kernels and the trigger are the ones that run.

mod adapt;
mod card;
mod carried;
mod checkpoint;
mod config;
mod curve;
mod dropout;
pub mod environment;
mod expectation;
mod finish;
mod gates;
mod history;
mod initial;
mod learner;
mod loss;
mod mining;
mod optimizer;
pub mod page;
mod probe;
mod request;
mod run;
mod schedule;
mod shard;
mod sides;
mod teacher;
mod truncation;
mod validation;
mod view;

pub use adapt::{AdaptConfig, Base, fit};
pub use checkpoint::path as checkpoint_path;
pub use config::TrainConfig;
pub use curve::{CurvePoint, LearningCurve, Tally};
pub use expectation::{Expectation, TestedOn, WordExpectation};
pub use gates::{Activations, LayerActivations, UnitValues, ValueRange};
pub use history::{History, LayerReach, ReachRecord, Spread, Stretch, ValidationRecord, layer_of};
pub use learner::{Diverged, Learner, LearnerStep};
pub use loss::{LossConfig, LossKind};
pub use request::{Adaptation, TrainRequest};
pub use run::{StepReport, TrainObserver, Trained, ValidationReport, train};
pub use sides::{Folders, LabelledFolders, Sides};
pub use teacher::Teacher;
pub use truncation::TruncationConfig;
pub use validation::{TestRecording, ValidationSet};
pub use view::{TrainingStage, TrainingView};
