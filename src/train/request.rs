//! What a training is asked to do.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Base, Teacher, TestedOn, TrainConfig, ValidationSet};
use crate::bundle::Manifest;
use crate::dataset::Bank;

/// A trained network to begin with, and what is found out about learning from few recordings.
pub struct Adaptation {
    /// The network.
    pub base: Base,
    /// Whether the learning curve is measured. Without it nobody knows how many words will be missed, unless other recordings
    /// than those that are learned from are given.
    pub with_curve: bool,
}

/// What is to be trained, on what, and where to.
pub struct TrainRequest {
    /// How.
    pub config: TrainConfig,
    /// The words, in the order of the outputs.
    pub words: Vec<String>,
    /// The material of the mixes.
    pub bank: Arc<Bank>,
    /// Trained networks to learn from, besides the labels; none is the rule.
    pub teachers: Arc<[Teacher]>,
    /// The held-out recordings.
    pub validation: Arc<ValidationSet>,
    /// Whose voices they are of.
    pub tested_on: TestedOn,
    /// Speakers that each word is learned from; none: nothing tells.
    pub n_speakers: Vec<Option<usize>>,
    /// What the training begins with; none: random weights.
    pub adaptation: Option<Adaptation>,
    /// The model folder to make.
    pub destination: PathBuf,
    /// Whether to go on from the checkpoint beside `destination`.
    pub resume: bool,
    /// What the manifest says of the model, except what training finds out.
    pub manifest: Manifest,
}

impl TrainRequest {
    /// What tells the teachers from others.
    pub(super) fn teacher_hashes(&self) -> Vec<String> {
        self.teachers.iter().map(|teacher| teacher.hash.clone()).collect()
    }
}
