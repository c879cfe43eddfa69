//! What becomes of the recordings before they are heard.

/// Where the recordings are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// As they were recorded.
    Dry,
    /// In a random room.
    Reverberant,
}

/// A room, and what is laid over the recordings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Where.
    pub room: Room,
    /// Recorded noise at this signal-to-noise ratio in decibels; none: room tone only. The signal is the word as it is heard in
    /// the room or, for negatives, the whole recording; the noise is its mean over the recording and the gap before it.
    pub snr_db: Option<f32>,
}

impl Condition {
    /// Neither room nor noise.
    pub const CLEAN: Self = Self { room: Room::Dry, snr_db: None };

    /// Noise without a room.
    pub fn noisy(snr_db: f32) -> Self {
        Self { room: Room::Dry, snr_db: Some(snr_db) }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.room, self.snr_db) {
            (Room::Dry, None) => write!(f, "clean"),
            (Room::Dry, Some(snr_db)) => write!(f, "noisy, {snr_db} dB"),
            (Room::Reverberant, None) => write!(f, "reverberant"),
            (Room::Reverberant, Some(snr_db)) => write!(f, "reverberant, {snr_db} dB"),
        }
    }
}
