//! "One breath": the sound from some sample on, as it comes, for what was said after the word and in the same breath.

use std::time::Duration;

use crate::audio::history::{AudioHistory, Followed, Follower};

/// What a look at the sound brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next samples; what was lost is silence.
    Samples(Vec<i16>),
    /// Nothing new yet.
    NothingYet,
    /// There will be no more: the time is over, or the stream is.
    End,
}

/// Sound of a limited length from one sample on. It never waits, and what the history has already forgotten is silence in the right
/// length.
#[derive(Debug)]
pub struct AudioTail {
    follower: Follower,
    n_left: u64,
    n_silent: u64,
}

impl AudioTail {
    /// The `n_samples` from `start_sample` on.
    pub fn new(history: &AudioHistory, start_sample: u64, n_samples: u64) -> Self {
        Self { follower: history.follow(start_sample), n_left: n_samples, n_silent: 0 }
    }

    /// The next samples, at most `n_most`.
    pub fn next(&mut self, n_most: usize) -> Piece {
        if self.n_left == 0 {
            return Piece::End;
        }
        let n_most = n_most.min(usize::try_from(self.n_left).unwrap_or(usize::MAX));
        if self.n_silent == 0 {
            match self.follower.next(n_most, Duration::ZERO) {
                Followed::Samples(samples) => {
                    self.n_left -= samples.len() as u64;
                    return Piece::Samples(samples);
                }
                Followed::Lost(n) => self.n_silent = n,
                Followed::TimedOut => return Piece::NothingYet,
                Followed::End => {
                    self.n_left = 0;
                    return Piece::End;
                }
            }
        }
        let n = self.n_silent.min(n_most as u64);
        self.n_silent -= n;
        self.n_left -= n;
        Piece::Samples(vec![0; n as usize])
    }
}

/// Samples as bytes, the least significant first.
pub(super) fn s16le(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Milliseconds;

    #[test]
    fn it_has_the_length_that_was_asked_for_whatever_was_lost() {
        let history = AudioHistory::new(Milliseconds(10));
        history.push(&[0.5; 300]);
        // Of 300 samples the first 140 are forgotten.
        let mut tail = AudioTail::new(&history, 100, 300);
        assert_eq!(tail.next(30), Piece::Samples(vec![0; 30]));
        assert_eq!(tail.next(1000), Piece::Samples(vec![0; 10]));
        assert_eq!(tail.next(1000), Piece::Samples(vec![16_384; 160]));
        assert_eq!(tail.next(1000), Piece::NothingYet);
        history.push(&[1.0; 150]);
        assert_eq!(tail.next(1000), Piece::Samples(vec![32_767; 100]));
        assert_eq!(tail.next(1000), Piece::End);
    }

    #[test]
    fn it_ends_with_the_stream() {
        let history = AudioHistory::new(Milliseconds(10));
        let mut tail = AudioTail::new(&history, 0, 1000);
        history.push(&[0.0; 5]);
        history.finish();
        assert_eq!((tail.next(9), tail.next(9)), (Piece::Samples(vec![0; 5]), Piece::End));
    }
}
