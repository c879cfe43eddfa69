//! The kinds of recurrent cells, and the shapes of their tensors.

use serde::{Deserialize, Serialize};

/// The cell of a recurrent layer, in PyTorch's form. Weights are `(gates · hidden, inputs)` and `(gates · hidden, hidden)`,
/// gate by gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecurrentCell {
    /// Gated recurrent unit, gates r, z, n: `r, z = sigmoid(W x + W h + b)`, `n = tanh(W x + b_in + r * (W h + b_hn))`,
    /// `h' = n + z * (h - n)`. The bias is b_r, b_z, b_in, b_hn.
    #[default]
    Gru,
    /// Long short-term memory, gates i, f, g, o: `i, f, o = sigmoid(W x + W h + b)`, `g = tanh(W x + W h + b)`,
    /// `c' = f * c + i * g`, `h' = o * tanh(c')`.
    Lstm,
    /// Elman's network: `h' = tanh(W x + W h + b)`.
    Rnn,
}

impl RecurrentCell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gru, Self::Lstm, Self::Rnn];

    /// Its name, as in configurations and at the head of its tensors' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gru => "gru",
            Self::Lstm => "lstm",
            Self::Rnn => "rnn",
        }
    }

    /// Gates, the parts of either weight.
    pub const fn n_gates(self) -> usize {
        match self {
            Self::Gru => 3,
            Self::Lstm => 4,
            Self::Rnn => 1,
        }
    }

    /// Parts of the bias, each as long as the hidden state: one a gate, and the GRU's b_hn.
    pub const fn n_bias_parts(self) -> usize {
        match self {
            Self::Gru | Self::Lstm => 4,
            Self::Rnn => 1,
        }
    }

    /// Numbers that one stream carries in a layer of `n_hidden` units: h, and behind it the LSTM's c.
    pub const fn state_size(self, n_hidden: usize) -> usize {
        if self.has_memory() { 2 * n_hidden } else { n_hidden }
    }

    /// Whether there is a c besides h.
    pub(super) const fn has_memory(self) -> bool {
        matches!(self, Self::Lstm)
    }

    /// Numbers of each unit and step that the forward pass saves for the backward pass.
    pub(super) const fn saved_per_unit(self) -> usize {
        match self {
            Self::Gru => 4,
            Self::Lstm => 6,
            Self::Rnn => 1,
        }
    }
}
