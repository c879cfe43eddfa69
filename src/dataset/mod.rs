//! Training material: what lies in a folder, who speaks in it, and endless mixtures of it.
//!
//! `folder → layout → inventory → split → bank → mixer → batches`
//!
//! The [`Bank`] is made once: every recording in several variants (speed, room), as linear mel power. Powers of unrelated
//! sounds add, so the [`Mixer`] places words, other speech and noise on top of each other without touching samples again;
//! evaluation uses true mixtures of samples. A [`BatchStream`] compresses the mixtures to features on its own threads.
//!
//! Long recordings with labels become such recordings of words and others by being cut: [`LabelledRecordings`].
//!
//! Everything random comes from a seed: the same folder, configuration and seed give the same batches, whatever the
//! number of threads.

mod bank;
mod bank_config;
mod batch;
mod clip;
mod convolve;
mod draw;
mod endpoint;
mod equalizer;
mod error;
mod frames;
mod hard_negative;
mod inventory;
mod labelled;
mod labels;
mod late_reverberation;
mod layout;
mod manifest;
mod mask;
mod material;
mod mix;
mod mix_config;
mod plan;
mod render;
mod reverberation;
mod rooms;
mod scan;
mod seed;
mod speaker;
mod speed;
mod split;
mod variants;

pub use bank::Bank;
pub use bank_config::BankConfig;
pub use batch::{Batch, BatchConfig, BatchStream};
pub use clip::{LoadedPositive, duration_s, load_clip, load_positive};
pub use endpoint::{Endpoints, find_endpoints};
pub use error::{DatasetError, SkipReason, SkippedFile};
pub use frames::Frames;
pub use hard_negative::HardNegative;
pub use inventory::{Elsewhere, Inventory, MIN_CLIPS_PER_WORD, NegativeFile, Part, PositiveFile, Provenance, RoomFile};
pub use labelled::{CutRecordings, Holding, LabelledError, LabelledRecording, LabelledRecordings, Vocabulary};
pub use labels::WordWindow;
pub use layout::Layout;
pub use mask::mask_bands;
pub use material::{NegativeClip, Source, WordClip, WordVariant};
pub use mix::{Example, Mixer};
pub use mix_config::{EqualizerConfig, LabelConfig, MixConfig};
pub use reverberation::{Reverberator, RoomSet};
pub use rooms::{RoomConfig, random_room};
pub use scan::sounds;
pub use seed::seed_of;
pub use split::Split;
