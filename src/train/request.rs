//! What a training is asked to do.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Teacher, TrainConfig, ValidationSet};
use crate::bundle::Manifest;
use crate::dataset::Bank;

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
    pub validation: ValidationSet,
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
