//! A part of an archive for one machine of several.

use std::path::Component;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::Recording;

/// One of equal parts. A recording is in the part that its place tells, whatever else is in the archive: recordings that are added
/// later change nothing for those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 1.
    number: u64,
    n_shards: u64,
}

impl Shard {
    /// Whether `recording` belongs to this part. Only its place decides, not where the archive is mounted.
    pub fn holds(self, recording: &Recording) -> bool {
        let mut hash = Sha256::new();
        // A folder's name and a file's are told apart from one name by what no name has.
        for part in recording.place.components() {
            if let Component::Normal(name) = part {
                hash.update(name.as_encoded_bytes());
                hash.update(b"/");
            }
        }
        let digest = hash.finalize();
        let first = digest.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
        first % self.n_shards == self.number - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "{}/{}", self.number, self.n_shards)
    }
}

/// A text that is no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{found}' is no shard; expected I/N with I from 1 to N, as in 2/8")]
pub struct ShardError {
    found: String,
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text.split_once('/').and_then(|(number, n)| Some((number.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((number, n_shards)) if (1..=n_shards).contains(&number) => Ok(Self { number, n_shards }),
            _ => Err(ShardError { found: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shards(n: u64) -> Vec<Shard> {
        (1..=n).map(|number| format!("{number}/{n}").parse().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn every_recording_is_in_one_shard_wherever_the_archive_lies(
            place in "[a-zA-Zé0-9 ._-]{1,12}(/[a-zA-Zé0-9 ._-]{1,12}){0,3}", n in 1u64..200,
        ) {
            let holding = |path: &str, place: &str| {
                let recording = Recording { path: path.into(), place: place.into() };
                (0..).zip(shards(n)).filter(|(_, shard)| shard.holds(&recording)).map(|(i, _)| i).collect::<Vec<u64>>()
            };
            let found = holding("/mnt/archive", &place);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(holding("elsewhere", &format!("./{place}")), found);
        }
    }

    #[test]
    fn shards_are_of_about_the_same_size() {
        let recordings: Vec<Recording> = (0..40_000).map(|i| Recording::named(format!("talk-{i}.wav"))).collect();
        for shard in shards(16) {
            let n = recordings.iter().filter(|recording| shard.holds(recording)).count();
            // Five standard deviations of a fair draw around 2500.
            assert!((2260..=2740).contains(&n), "{shard}: {n}");
        }
    }

    #[test]
    fn the_shard_of_a_place_never_changes() {
        // What one version has labelled, the next one must not label again in another shard.
        let held = |place: &str| {
            let recording = Recording { path: place.into(), place: place.into() };
            shards(8).into_iter().find(|shard| shard.holds(&recording)).unwrap().to_string()
        };
        assert_eq!(["2026/a.wav", "2026/b.flac", "talk.mp3"].map(held), ["5/8", "1/8", "8/8"]);
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["0/4", "5/4", "1/0", "1", "1/x", "-1/4", "1/4/2", ""] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}'")) && error.contains("2/8"), "{error}");
        }
    }
}
