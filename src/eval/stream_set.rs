//! What is heard together: recordings of one role in one condition.

use super::Condition;
use super::recordings::Role;

/// The streams of one role in one condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamSet {
    /// What the recordings are.
    pub role: Role,
    /// Room and noise.
    pub condition: Condition,
}

impl StreamSet {
    /// The words in noise without a room.
    pub fn words_at(snr_db: f32) -> Self {
        Self { role: Role::Positive, condition: Condition::noisy(snr_db) }
    }

    /// The condition as reports call it.
    pub fn condition_name(&self) -> String {
        if self.role == Role::Noise { "noise alone".into() } else { self.condition.to_string() }
    }
}

impl std::fmt::Display for StreamSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.role {
            Role::Positive | Role::Negative => write!(f, "{}, {}", self.role, self.condition),
            Role::Noise => f.write_str("noise alone"),
            Role::Piece => self.role.fmt(f),
        }
    }
}
