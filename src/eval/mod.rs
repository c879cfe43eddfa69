//! How good a model is, told by events on continuous streams.
//!
//! `recordings → streams (features and true words) → traces (probabilities) → events → misses and false accepts`
//!
//! A **hit** is an event of the word, decided between the word's start and one second after its end. Further events of the
//! word within two seconds of a hit are ignored. Every other event in a negative stream is a **false accept**; in a positive
//! stream it is a **confusion**, counted apart. **Miss rate** is missed / spoken; **false accepts per hour** are counted
//! over the negative streams and always come with their hours.

mod assemble;
mod matching;
mod operating_point;
pub mod recordings;
mod stream;
mod trace;
mod traced_streams;

pub use assemble::{Condition, EvalClip, EvalSet, assemble};
pub use matching::{Outcome, match_events};
pub use operating_point::{OperatingPoint, WordTraces, choose_threshold, evaluate_threshold};
pub use stream::{EvalStream, Truth};
pub use trace::{Trace, run_streams};
pub use traced_streams::TracedStreams;
