//! Whole portions of sound, however small those are in which a file has it: the network is fastest with many steps at a time.

use crate::audio::{AudioError, AudioSource, Read};

/// A source whose portions are as long as they may be.
pub(super) struct WholeChunks<S> {
    source: S,
    /// What ended the last portion early.
    next: Option<Read>,
}

impl<S: AudioSource> WholeChunks<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, next: None }
    }

    /// Fills `chunk`, but for the last portion before a gap or the end.
    pub(super) fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        if let Some(next) = self.next.take() {
            return Ok(next);
        }
        let mut n_samples = 0;
        while n_samples < chunk.len() {
            match self.source.read(&mut chunk[n_samples..])? {
                Read::Samples(n) => n_samples += n,
                other if n_samples == 0 => return Ok(other),
                other => {
                    self.next = Some(other);
                    break;
                }
            }
        }
        Ok(Read::Samples(n_samples))
    }

    /// Where the portions come from.
    pub(super) fn source(&self) -> &S {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SampleRate;

    /// Portions of three samples, a gap after the fourth of them.
    struct Small(u64);

    impl AudioSource for Small {
        fn sample_rate(&self) -> SampleRate {
            SampleRate::MODEL
        }

        fn name(&self) -> &str {
            "small"
        }

        fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
            self.0 += 1;
            let n = chunk.len().min(3);
            chunk[..n].fill(self.0 as f32);
            Ok(match self.0 {
                5 => Read::Gap { lost_samples: 7 },
                8.. => Read::End,
                _ => Read::Samples(n),
            })
        }
    }

    #[test]
    fn portions_are_filled_and_nothing_is_lost_or_moved() {
        let mut source = WholeChunks::new(Small(0));
        let mut chunk = [0.0; 8];
        let mut next = || {
            let read = source.read(&mut chunk).unwrap();
            (read, chunk)
        };
        assert_eq!(next(), (Read::Samples(8), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]));
        let (read, chunk) = next();
        assert_eq!((read, &chunk[..3]), (Read::Samples(3), &[4.0; 3][..]));
        assert_eq!(next().0, Read::Gap { lost_samples: 7 });
        let (read, chunk) = next();
        assert_eq!((read, &chunk[..6]), (Read::Samples(6), &[6.0, 6.0, 6.0, 7.0, 7.0, 7.0][..]));
        assert_eq!((next().0, next().0), (Read::End, Read::End));
    }
}
