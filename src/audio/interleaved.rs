//! Bytes of interleaved samples to mono samples, in memory that does not grow: what files and standard input share.

use std::io;

use super::channels::{Encoding, MonoMap};
use super::{AudioError, Read};

/// Bytes asked of the reader at once: large enough that system calls cost nothing, two seconds of 16 kHz mono at 16 bits.
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads sample frames in bulk and hands them out as mono samples.
#[derive(Debug)]
pub(super) struct InterleavedReader<R> {
    reader: R,
    encoding: Encoding,
    map: MonoMap,
    /// Bytes that may still be taken from the reader; a file has other chunks after its samples.
    n_bytes_left: u64,
    buffer: Box<[u8]>,
    /// The bytes in `buffer[start..end]` are read but not handed out.
    start: usize,
    end: usize,
    n_delivered: u64,
}

impl<R: io::Read> InterleavedReader<R> {
    /// Reads at most `n_bytes` bytes, from where `reader` stands.
    pub(super) fn new(reader: R, encoding: Encoding, map: MonoMap, n_bytes: u64) -> Self {
        let frame_bytes = encoding.n_bytes() * map.n_channels();
        let buffer_bytes = BUFFER_BYTES.max(frame_bytes) / frame_bytes * frame_bytes;
        let buffer = vec![0; buffer_bytes].into_boxed_slice();
        Self { reader, encoding, map, n_bytes_left: n_bytes, buffer, start: 0, end: 0, n_delivered: 0 }
    }

    /// Mono samples handed out so far.
    pub(super) fn n_delivered(&self) -> u64 {
        self.n_delivered
    }

    /// One read of a source called `name`.
    pub(super) fn read_as_source(&mut self, name: &str, chunk: &mut [f32]) -> Result<Read, AudioError> {
        match self.read(chunk) {
            Ok(0) => Ok(Read::End),
            Ok(n) => Ok(Read::Samples(n)),
            Err(source) => Err(AudioError::ReadFailed { name: name.to_owned(), n_samples: self.n_delivered, source }),
        }
    }

    /// Fills the front of `chunk`, which must not be empty, with at least one sample; 0 means the end, now and later.
    /// A part of a sample frame at the very end is dropped.
    pub(super) fn read(&mut self, chunk: &mut [f32]) -> io::Result<usize> {
        assert!(!chunk.is_empty(), "a read needs room for at least one sample");
        let frame_bytes = self.encoding.n_bytes() * self.map.n_channels();
        loop {
            let n_frames = ((self.end - self.start) / frame_bytes).min(chunk.len());
            if n_frames > 0 {
                let bytes = &self.buffer[self.start..self.start + n_frames * frame_bytes];
                self.encoding.decode(bytes, self.map, &mut chunk[..n_frames]);
                self.start += bytes.len();
                self.n_delivered += n_frames as u64;
                return Ok(n_frames);
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let room = self.buffer.len() - self.end;
            let n_wanted = usize::try_from(self.n_bytes_left).unwrap_or(usize::MAX).min(room);
            if n_wanted == 0 {
                return Ok(0);
            }
            match self.reader.read(&mut self.buffer[self.end..self.end + n_wanted]) {
                Ok(0) => self.n_bytes_left = 0,
                Ok(n) => {
                    self.end += n;
                    self.n_bytes_left -= n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.n_bytes_left = 0;
                    return Err(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::ChannelChoice;

    /// Hands out one byte a call: the worst a pipe may do.
    struct Drip<'a>(&'a [u8]);

    impl io::Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(1);
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn part_of_a_sample_frame_waits_for_the_rest_and_is_dropped_at_the_end() {
        let bytes = [0, 0x40, 0, 0x40, 0, 0xC0, 0];
        let map = MonoMap::new(2, ChannelChoice::Mix).unwrap();
        let mut reader = InterleavedReader::new(Drip(&bytes), Encoding::S16, map, u64::MAX);
        let mut chunk = [0.0; 8];
        assert_eq!(reader.read(&mut chunk).unwrap(), 1);
        assert_eq!(chunk[0], 0.5);
        assert_eq!(reader.read(&mut chunk).unwrap(), 0);
        assert_eq!(reader.read(&mut chunk).unwrap(), 0);
        assert_eq!(reader.n_delivered(), 1);
    }

    #[test]
    fn bytes_beyond_the_limit_are_left_alone() {
        let bytes = [0u8; 100];
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let mut reader = InterleavedReader::new(&bytes[..], Encoding::S16, map, 10);
        assert_eq!(reader.read(&mut [0.0; 64]).unwrap(), 5);
        assert_eq!(reader.read(&mut [0.0; 64]).unwrap(), 0);
        assert_eq!(reader.reader.len(), 90);
    }
}
