//! Where the recurrent layers begin.

use serde::{Deserialize, Serialize};

/// The state of a recurrent layer that has heard nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitialState {
    /// All zeros.
    #[default]
    Zero,
    /// A vector of each layer's own, learned with the weights: `gru.initial_l0 (state)`.
    Learned,
}
