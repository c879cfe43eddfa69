//! Which loss a training follows.

use serde::{Deserialize, Serialize};

/// What the network learns from the labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Which loss.
    pub kind: LossKind,
    /// Targets y become y (1 − e) + e / 2 (Szegedy et al. 2016), where there are targets: not with [`LossKind::Ctc`].
    pub label_smoothing: f64,
}

/// The losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Cross entropy at every step: 1 from a word's end on, else 0.
    #[default]
    CrossEntropy,
    /// Cross entropy with one positive step a word, the most probable of its window (Sun et al. 2016, "Max-pooling loss training of
    /// long short-term memory networks for small-footprint keyword spotting").
    MaxPooling,
    /// The words' order alone, wherever they are (Graves et al. 2006, "Connectionist temporal classification").
    Ctc,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { kind: LossKind::CrossEntropy, label_smoothing: 0.0 }
    }
}
