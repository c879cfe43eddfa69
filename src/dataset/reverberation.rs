//! Rooms to hear recordings in: responses transformed once, applied by each thread on its own.

use super::clip::load_response;
use super::convolve::{Convolver, Response};
use super::endpoint::SILENCE_DBFS;
use super::rooms::{random_room, recorded_room};
use super::seed::generator;
use super::{RoomConfig, RoomFile, SkipReason, SkippedFile};
use crate::parallel;

/// Room responses, computed or recorded, each with its direct sound at sample 0 and of unit energy.
#[derive(Debug)]
pub struct RoomSet {
    config: RoomConfig,
    responses: Vec<Response>,
}

impl RoomSet {
    /// Computes `config.n_rooms` random rooms on `n_threads` threads; `seed` decides them, whatever the number of threads.
    pub fn draw(config: &RoomConfig, seed: &[u64], n_threads: usize) -> Self {
        let room_idxs: Vec<u64> = (0..config.n_rooms as u64).collect();
        let make = |_: &mut (), idx: &u64| random_room(config, &mut generator(&[seed, &[*idx]].concat()));
        let rooms = parallel::map("tw-rooms", &room_idxs, n_threads, || (), make, &|_, _| {});
        let mut convolver = Convolver::new(config.n_taps());
        let responses = rooms.iter().map(|taps| convolver.prepare(taps)).collect();
        Self { config: config.clone(), responses }
    }

    /// Adds recorded responses, cut to the length of the computed ones; those that cannot be used are named in `skipped`.
    pub fn add_recorded(&mut self, files: &[RoomFile], skipped: &mut Vec<SkippedFile>) {
        let mut convolver = Convolver::new(self.config.n_taps());
        for RoomFile { path, .. } in files {
            let silent = SkipReason::Silent { threshold_dbfs: SILENCE_DBFS };
            match load_response(path).and_then(|samples| recorded_room(&samples, &self.config).ok_or(silent)) {
                Ok(taps) => self.responses.push(convolver.prepare(&taps)),
                Err(reason) => skipped.push(SkippedFile::new(path, reason)),
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.responses.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.responses.is_empty()
    }
}

/// Puts recordings into the rooms of a set; the work space of one thread.
pub struct Reverberator {
    convolver: Convolver,
}

impl Reverberator {
    /// For the rooms of this set.
    pub fn new(rooms: &RoomSet) -> Self {
        Self { convolver: Convolver::new(rooms.config.n_taps()) }
    }

    /// The first `n_out` samples of what is heard of `samples` in room `room_idx` of the set; the direct sound stays in place.
    ///
    /// # Panics
    /// When there is no such room.
    pub fn apply(&mut self, samples: &[f32], rooms: &RoomSet, room_idx: usize, n_out: usize) -> Vec<f32> {
        self.convolver.apply(samples, &rooms.responses[room_idx], n_out)
    }
}
