//! Labelling recordings: the signal path over each, in one thread and constant memory, and what is written of it.
//!
//! `inputs → recordings → tracks → hear → observers → files`

mod clips;
mod error;
mod hear;
mod heard;
mod inputs;
mod journal;
mod label_file;
mod labeller;
mod observer;
mod outputs;
mod report_page;
mod scores;
mod shard;
mod track;
mod whole_chunks;

pub use clips::ClipOutput;
pub use error::LabelError;
pub use hear::hear;
pub use heard::{HeardRecording, HeardTrack};
pub use inputs::{InputsError, Recording, recordings};
pub use journal::Journal;
pub use labeller::Labeller;
pub use observer::Observer;
pub use outputs::LabelOutputs;
pub use scores::ScoresFormat;
pub use shard::{Shard, ShardError};
pub use track::{Channels, Track};
