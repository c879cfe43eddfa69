//! What can be seen of a training while it goes on, and at its end.

use anyhow::Result;

use super::gates::{Activations, activations};
use super::probe::Probe;
use super::{History, TrainRequest};
use crate::model::Weights;

/// How far a training has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainingStage {
    /// It goes on.
    Running,
    /// It is over, and the model holds the weights of this step.
    Finished {
        /// Steps done.
        best_step: u64,
    },
    /// It ended before its time, and this is why.
    Stopped(String),
}

/// A training as it is at one moment. Of an adaptation with several networks it is the first one's.
pub struct TrainingView<'a> {
    /// What was asked for.
    pub request: &'a TrainRequest,
    /// How it went so far.
    pub history: &'a History,
    /// How far it has come.
    pub stage: TrainingStage,
    pub(super) weights: &'a Weights,
    pub(super) probe: &'a Probe,
}

impl TrainingView<'_> {
    /// How many numbers the network has.
    pub fn n_parameters(&self) -> usize {
        self.weights.n_parameters()
    }

    /// What goes on inside the network, as it was last validated or, at the end, as it was best, while it hears a mix with a word.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn activations(&self) -> Result<Activations> {
        let (features, targets) = self.probe.example()?;
        activations(&self.request.config.network, self.weights, &features, targets)
    }
}
