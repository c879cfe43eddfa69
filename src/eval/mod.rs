//! How good a model is, told by events on continuous streams.
//!
//! `recordings → streams (features and true words) → traces (probabilities) → events → misses and false accepts → report`
//!
//! A **hit** is an event of the word, decided between the word's start and one second after its end. Further events of the
//! word within two seconds of a hit are ignored. An event where another wake word is said is a **confusion**, counted apart. Every
//! other event is a **false accept**. **Miss rate** is missed / spoken; **false accepts per hour** always come with their hours,
//! those of recordings without a wake word. Rates come with 95 % intervals: Wilson's for misses, Garwood's for false accepts.
//!
//! Recordings are laid into streams in several **conditions**: as they are, in noise, in a room, in both; and noise is heard alone.
//! A word has one threshold, as a user has one: it is chosen on all conditions together.

mod condition;
mod lay;
mod level;
mod matching;
mod material;
mod measure;
mod operating_point;
pub mod page;
mod piece;
mod recording;
pub mod recordings;
pub mod report;
mod stage;
mod statistics;
mod stream;
mod stream_set;
mod trace;
mod traced_streams;
mod word_scores;

pub use condition::{Condition, Room};
pub use lay::{StreamShape, StreamSink, lay, lay_into};
pub use matching::{Matched, Outcome, match_events};
pub use material::{Ear, Material};
pub use measure::{ConditionSet, Measurement, PointRequest, WordUnderTest};
pub use operating_point::{
    LOWEST_THRESHOLD, OperatingPoint, Target, TargetRule, candidates, choose_threshold, evaluate_threshold,
    hours_for_bound, rate_interval,
};
pub use piece::Piece;
pub use recording::{Content, EvalClip, Recording, SpokenWord};
pub use stage::{Stage, draw_rooms};
pub use statistics::{poisson_interval, wilson_interval};
pub use stream::{EvalStream, LaidItem, StreamLayout, Truth};
pub use stream_set::StreamSet;
pub use trace::Trace;
pub use traced_streams::{StepTiming, TracedStreams};
pub use word_scores::{ScoredEvent, WordScores};
