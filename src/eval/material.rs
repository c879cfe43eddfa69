//! All that a model is measured on, and how any part of it is heard again.

use std::ops::Range;

use super::recordings::{Role, noise_pool, others};
use super::{
    Condition, EvalStream, Piece, Recording, Room, Stage, StepTiming, StreamLayout, StreamSet, StreamShape, StreamSink,
    Trace, TracedStreams, draw_rooms, lay, lay_into,
};
use crate::dataset::{Inventory, RoomSet, SkippedFile};
use crate::features::FeatureConfig;
use crate::model::{ModelConfig, StreamingNetwork};
use crate::units::SampleRate;

/// The network that listens.
#[derive(Clone, Copy)]
pub struct Ear<'a> {
    /// Its weights, packed.
    pub network: &'a StreamingNetwork,
    /// What it was trained to see.
    pub features: &'a FeatureConfig,
    /// Its shape.
    pub model: &'a ModelConfig,
}

/// Recordings of every role, noise and rooms.
pub struct Material {
    positives: Vec<Recording>,
    negatives: Vec<Recording>,
    noises: Vec<Recording>,
    pieces: Vec<Recording>,
    noise: Vec<f32>,
    rooms: RoomSet,
    seed: u64,
}

impl Material {
    /// What there is in `inventory`, and the long recordings `labelled`. Files that cannot be used are named in `skipped`.
    pub fn new(inventory: &Inventory, labelled: Vec<Recording>, seed: u64, skipped: &mut Vec<SkippedFile>) -> Self {
        let pieces = |file| Piece::ALL.iter().map(move |&piece| Recording::piece(file, piece));
        Self {
            positives: inventory.positives.iter().map(Recording::word).chain(labelled).collect(),
            negatives: others(&inventory.negatives),
            noises: others(&inventory.noises),
            pieces: inventory.positives.iter().flat_map(pieces).collect(),
            noise: noise_pool(&inventory.noises, skipped),
            rooms: draw_rooms(&inventory.rooms, seed, skipped),
            seed,
        }
    }

    /// Clean, noisy, reverberant and both; those with noise only where there is any.
    pub fn conditions(&self, snr_db: f32) -> Vec<Condition> {
        [Room::Dry, Room::Reverberant]
            .into_iter()
            .flat_map(|room| [None, Some(snr_db)].map(|snr_db| Condition { room, snr_db }))
            .filter(|condition| condition.snr_db.is_none() || !self.noise.is_empty())
            .collect()
    }

    /// All that is heard, in this order: the words and then the other speech of each condition, noise alone where there is any, and
    /// pieces of the words.
    pub fn stream_sets(&self, conditions: &[Condition]) -> Vec<StreamSet> {
        let of = |role, condition| StreamSet { role, condition };
        let mut sets: Vec<StreamSet> = (conditions.iter())
            .flat_map(|&condition| [Role::Positive, Role::Negative].map(|role| of(role, condition)))
            .collect();
        if !self.noises.is_empty() {
            sets.push(of(Role::Noise, Condition::CLEAN));
        }
        sets.push(of(Role::Piece, Condition::CLEAN));
        sets
    }

    /// The recordings of a role; layouts count in this list.
    pub fn recordings(&self, role: Role) -> &[Recording] {
        match role {
            Role::Positive => &self.positives,
            Role::Negative => &self.negatives,
            Role::Noise => &self.noises,
            Role::Piece => &self.pieces,
        }
    }

    /// Lays the recordings of a role into streams and runs the network over them; no stream is kept longer than that. `progress` is
    /// called after each with the number done and the number of all.
    pub fn hear(
        &self,
        role: Role,
        condition: Condition,
        ear: Ear,
        progress: &dyn Fn(usize, usize),
    ) -> (TracedStreams, Vec<SkippedFile>) {
        let shape = StreamShape { features: ear.features, frames_per_step: ear.network.frames_per_step() };
        let trace = |stream: EvalStream| (stream.layout, Trace::new(ear.network, &stream.frames));
        let (streams, skipped) = lay(self.recordings(role), &self.stage(role, condition), shape, trace, progress);
        (TracedStreams { streams, timing: StepTiming::new(ear.features, ear.model) }, skipped)
    }

    /// The streams themselves, to be heard again and again; an hour of them takes about 60 MB.
    pub fn streams(
        &self,
        role: Role,
        condition: Condition,
        shape: StreamShape,
        progress: &dyn Fn(usize, usize),
    ) -> (Vec<EvalStream>, Vec<SkippedFile>) {
        lay(self.recordings(role), &self.stage(role, condition), shape, |stream| stream, progress)
    }

    /// Lays the recordings of a set into streams, as [`hear`](Self::hear) does, and hands their samples to sinks; see [`lay_into`].
    pub fn lay_into<S: StreamSink>(
        &self,
        set: StreamSet,
        new_sink: impl Fn(usize) -> S + Sync,
        progress: &dyn Fn(usize, usize),
    ) -> (Vec<S::Made>, Vec<SkippedFile>) {
        lay_into(self.recordings(set.role), &self.stage(set.role, set.condition), new_sink, progress)
    }

    /// The samples of a part of a stream, made anew.
    pub fn excerpt(&self, role: Role, condition: Condition, layout: &StreamLayout, part: Range<u64>) -> Vec<f32> {
        let stage = self.stage(role, condition);
        let mut reverberator = stage.reverberator();
        let part = part.start..part.end.min(layout.n_samples);
        let mut samples = vec![0.0; part.end.saturating_sub(part.start) as usize];
        for item in layout.items.iter().filter(|item| item.start_sample < part.end && item.end_sample > part.start) {
            // It was read before; should it be gone by now, there is silence in its place.
            let Ok(clip) = self.recordings(role)[item.recording_idx].load() else { continue };
            let staged = stage.hear(item.recording_idx, clip, reverberator.as_mut());
            let from = item.start_sample.max(part.start);
            let to = item.end_sample.min(part.end);
            let own = (from - item.start_sample) as usize..(to - item.start_sample) as usize;
            samples[(from - part.start) as usize..(to - part.start) as usize].copy_from_slice(&staged.samples[own]);
        }
        samples
    }

    fn stage(&self, role: Role, condition: Condition) -> Stage<'_> {
        Stage { condition, noise: &self.noise, rooms: Some(&self.rooms), seed: role.seed(self.seed) }
    }

    /// Where in its file `sample` of a stream comes from, in seconds; negative in the gap before it.
    pub fn file_time_s(layout: &StreamLayout, sample: u64) -> Option<(usize, f64)> {
        let item = layout.item_at(sample).or(layout.items.first())?;
        let rate = SampleRate::MODEL;
        Some((item.recording_idx, rate.seconds(sample) - rate.seconds(item.sound_sample)))
    }
}
