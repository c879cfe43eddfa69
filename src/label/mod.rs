//! Labelling files: the signal path over a file, in one thread and constant memory, and what is written of it.

mod inputs;
mod labeller;
mod scores;

pub use inputs::{InputsError, Recording, recordings};
pub use labeller::{LabelError, LabelOutputs, Labelled, Labeller};
