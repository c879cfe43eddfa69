//! Recurrent layers: one frame for every kind of cell.
//!
//! A step sums over the inputs, sums on over the hidden state, and goes from the sums of each unit to its new state. The sums
//! are products of matrices that all cells share; only the last part, and its derivative, is a cell's own, and works on one
//! vector of units at a time (`equations`, then `gru`, `lstm`, `rnn`). Around it, from the inside out: one time step (`step`,
//! `step_gradient`), a sequence (`packed`, `backward`), a differentiable operation (`op`).

mod backward;
mod cell;
mod equations;
mod gru;
mod lstm;
mod op;
mod packed;
mod rnn;
mod step;
mod step_gradient;

pub use cell::RecurrentCell;
pub use op::recurrent_sequence;
pub use packed::{PackedRecurrent, RecurrentScratch};
