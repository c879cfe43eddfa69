//! A source that is converted while it is read.

use std::collections::VecDeque;

use super::{Resampler, scaled};
use crate::audio::{AudioError, AudioSource, Read};
use crate::units::{Milliseconds, SampleRate};

/// A source at another rate than its own.
///
/// At a gap the converter gives out what it holds and starts anew, as before and after do not belong together.
/// The clock stays exact: the place of a sample in the output follows from the count of samples in the input, gaps included,
/// and not from a sum of rounded lengths.
#[derive(Debug)]
pub struct Resampled<S> {
    source: S,
    resampler: Resampler,
    chunk: Box<[f32]>,
    /// Converted and not yet handed out: `ready[n_handed_out..]`.
    ready: Vec<f32>,
    n_handed_out: usize,
    /// What follows after `ready`.
    next: VecDeque<Result<Read, AudioError>>,
    /// Places reached in the input and the output, gaps included; `ready` counts as reached.
    input_position: u64,
    output_position: u64,
}

impl<S: AudioSource> Resampled<S> {
    /// Converts what `source` delivers to the rate `to`.
    ///
    /// # Errors
    /// When one of the rates is not within [`RATE_MIN`](super::RATE_MIN) and [`RATE_MAX`](super::RATE_MAX).
    pub fn new(source: S, to: SampleRate) -> Result<Self, AudioError> {
        let resampler = Resampler::new(source.sample_rate(), to)?;
        // A tenth of a second: what the detector asks of a live source at a time, with the default model.
        let chunk = vec![0.0; (source.sample_rate().hz() / 10).max(1) as usize].into_boxed_slice();
        Ok(Self {
            source,
            resampler,
            chunk,
            ready: Vec::new(),
            n_handed_out: 0,
            next: VecDeque::with_capacity(2),
            input_position: 0,
            output_position: 0,
        })
    }

    /// The source within.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// How long a sample waits in the converter; see [`Resampler::delay`].
    pub fn delay(&self) -> Milliseconds {
        self.resampler.delay()
    }

    /// Gives out what the converter holds, up to the place in the output that the input has reached.
    fn flush(&mut self) {
        let n_before = self.ready.len();
        self.resampler.finish(&mut self.ready);
        self.output_position += (self.ready.len() - n_before) as u64;
        // The rounded-up length of a stretch may exceed the difference of the rounded-up places of its ends, by one.
        let reached = self.output_place();
        let n_beyond = self.output_position.saturating_sub(reached);
        self.ready.truncate(self.ready.len().saturating_sub(n_beyond as usize));
        self.output_position = reached;
    }

    fn output_place(&self) -> u64 {
        scaled(self.input_position, self.resampler.from, self.resampler.to)
    }

    /// Reads the source once, as much as makes `n_wanted` samples if it can be had.
    fn advance(&mut self, n_wanted: usize) {
        self.ready.clear();
        self.n_handed_out = 0;
        let n_most = self.resampler.n_in_for(n_wanted).clamp(1, self.chunk.len());
        match self.source.read(&mut self.chunk[..n_most]) {
            Ok(Read::Samples(n)) => {
                self.input_position += n as u64;
                self.resampler.push(&self.chunk[..n], &mut self.ready);
                self.output_position += self.ready.len() as u64;
            }
            Ok(Read::Gap { lost_samples }) => {
                self.flush();
                self.input_position += lost_samples;
                let lost_samples = self.output_place() - self.output_position;
                self.output_position += lost_samples;
                // A gap shorter than one sample of the output vanishes in the rounding.
                if lost_samples > 0 {
                    self.next.push_back(Ok(Read::Gap { lost_samples }));
                }
            }
            Ok(Read::End) => {
                self.flush();
                self.next.push_back(Ok(Read::End));
            }
            Err(error) => {
                self.flush();
                self.next.push_back(Err(error));
                self.next.push_back(Ok(Read::End));
            }
        }
    }
}

impl<S: AudioSource> AudioSource for Resampled<S> {
    fn sample_rate(&self) -> SampleRate {
        self.resampler.to
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn n_unusable_samples(&self) -> u64 {
        self.source.n_unusable_samples() + self.resampler.n_unusable_samples()
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        assert!(!chunk.is_empty(), "a read needs room for at least one sample");
        if self.resampler.engine.is_none() {
            return self.source.read(chunk);
        }
        loop {
            let rest = &self.ready[self.n_handed_out..];
            if !rest.is_empty() {
                let n = rest.len().min(chunk.len());
                chunk[..n].copy_from_slice(&rest[..n]);
                self.n_handed_out += n;
                return Ok(Read::Samples(n));
            }
            match self.next.front() {
                Some(Ok(Read::End)) => return Ok(Read::End),
                Some(_) => return self.next.pop_front().expect("it was just seen"),
                None => self.advance(chunk.len()),
            }
        }
    }
}

/// A source at the model's rate: the same source if it already is.
///
/// # Errors
/// When the source's rate is not within [`RATE_MIN`](super::RATE_MIN) and [`RATE_MAX`](super::RATE_MAX).
pub fn at_model_rate(source: Box<dyn AudioSource>) -> Result<Box<dyn AudioSource>, AudioError> {
    if source.sample_rate() == SampleRate::MODEL {
        return Ok(source);
    }
    Ok(Box::new(Resampled::new(source, SampleRate::MODEL)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script of reads.
    struct Script {
        rate: SampleRate,
        reads: VecDeque<Result<Read, AudioError>>,
    }

    impl AudioSource for Script {
        fn sample_rate(&self) -> SampleRate {
            self.rate
        }

        fn name(&self) -> &str {
            "script"
        }

        fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
            match self.reads.pop_front() {
                None => Ok(Read::End),
                Some(Ok(Read::Samples(n))) => {
                    let now = n.min(chunk.len());
                    if n > now {
                        self.reads.push_front(Ok(Read::Samples(n - now)));
                    }
                    chunk[..now].fill(0.25);
                    Ok(Read::Samples(now))
                }
                Some(read) => read,
            }
        }
    }

    fn resampled(rate: u32, reads: impl IntoIterator<Item = Result<Read, AudioError>>) -> Resampled<Script> {
        let script = Script { rate: SampleRate::new(rate), reads: reads.into_iter().collect() };
        Resampled::new(script, SampleRate::MODEL).unwrap()
    }

    #[test]
    fn the_clock_is_exact_over_many_gaps() {
        for rate in [8000, 44_100, 48_000, 17_123, 16_000] {
            for (n_samples, lost_samples) in [(1, 1), (2, 1), (100, 7), (1001, 333), (44_101, 5)] {
                let n_rounds = 40u64;
                let round = [Read::Samples(n_samples), Read::Gap { lost_samples }];
                let mut source = resampled(rate, (0..n_rounds).flat_map(|_| round.map(Ok)));
                let mut chunk = [0.0; 500];
                let mut position = 0;
                loop {
                    match source.read(&mut chunk).unwrap() {
                        Read::Samples(n) => position += n as u64,
                        Read::Gap { lost_samples } => position += lost_samples,
                        Read::End => break,
                    }
                }
                let n_in = n_rounds * (n_samples as u64 + lost_samples);
                assert_eq!(
                    position,
                    (n_in * 16_000).div_ceil(u64::from(rate)),
                    "{rate} Hz, {n_samples}+{lost_samples}"
                );
            }
        }
    }

    #[test]
    fn an_error_comes_after_the_samples_before_it_and_ends_the_stream() {
        let lost = AudioError::DeviceLost { device: "x".to_owned(), reason: "y".to_owned() };
        let mut source = resampled(48_000, [Ok(Read::Samples(4800)), Err(lost)]);
        let mut n_samples = 0;
        let error = loop {
            match source.read(&mut [0.0; 128]) {
                Ok(Read::Samples(n)) => n_samples += n,
                Ok(other) => panic!("unexpected {other:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AudioError::DeviceLost { .. }));
        assert_eq!(n_samples, 1600);
        assert_eq!(source.read(&mut [0.0; 128]).unwrap(), Read::End);
        assert_eq!(source.read(&mut [0.0; 128]).unwrap(), Read::End);
    }
}
