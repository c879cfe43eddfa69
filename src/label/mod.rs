//! Labelling files: the signal path over a file, in one thread and constant memory, and what is written of it.

mod audacity;
mod labeller;
mod scores;

pub use audacity::audacity_label;
pub use labeller::{LabelError, LabelOutputs, Labelled, Labeller};
