//! Files as a source: WAV in every common form, read in bulk and in constant memory, whatever the file's length.

mod header;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use super::channels::MonoMap;
use super::interleaved::InterleavedReader;
use super::{AudioError, AudioSource, ChannelChoice, Read};
use crate::units::SampleRate;
use header::DataLength;

/// A file that holds less than its header promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// Samples a channel that the header promises.
    pub promised: u64,
    /// Samples a channel that are there.
    pub found: u64,
}

/// A WAV file, delivered at its own rate.
#[derive(Debug)]
pub struct WavSource {
    reader: InterleavedReader<BufReader<File>>,
    name: String,
    rate: SampleRate,
    n_channels: u16,
    n_promised: Option<u64>,
    n_in_file: Option<u64>,
    is_over: bool,
}

impl WavSource {
    /// Opens a file and reads its header: integers of 8 (unsigned), 16, 24 and 32 bits, floats of 32 and 64 bits, any number
    /// of channels, any rate, `WAVE_FORMAT_EXTENSIBLE`, RF64 and BW64, sizes left open by writers that stream, and pipes.
    ///
    /// # Errors
    /// One for each cause: not there, a folder, no permission, empty, not a WAV file, a damaged header, an encoding that is
    /// not read here, no channels, no rate, no such channel. A file with a header and no samples is no error.
    pub fn open(path: impl AsRef<Path>, channels: ChannelChoice) -> Result<Self, AudioError> {
        let path = path.as_ref();
        let owned = || path.to_owned();
        let open_error = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => AudioError::NotFound { path: owned() },
            io::ErrorKind::PermissionDenied => AudioError::NoPermission { path: owned() },
            io::ErrorKind::IsADirectory => AudioError::IsFolder { path: owned() },
            _ => AudioError::OpenFailed { path: owned(), source: error },
        };
        // Asked before opening: some systems refuse to open a folder with "no permission".
        let metadata = std::fs::metadata(path).map_err(open_error)?;
        if metadata.is_dir() {
            return Err(AudioError::IsFolder { path: owned() });
        }
        let mut reader = BufReader::new(File::open(path).map_err(open_error)?);
        let header = header::parse(&mut reader, path)?;
        let name = path.display().to_string();
        let Some(map) = MonoMap::new(header.n_channels, channels) else {
            let ChannelChoice::One(wanted) = channels else { unreachable!("a header has at least one channel") };
            return Err(AudioError::NoSuchChannel { name, wanted, n_channels: header.n_channels });
        };

        let frame_bytes = (header.encoding.n_bytes() * map.n_channels()) as u64;
        // A pipe has no length.
        let n_in_file = metadata.is_file().then(|| metadata.len().saturating_sub(header.data_offset) / frame_bytes);
        let (n_bytes, n_promised) = match header.data {
            DataLength::Bytes(n_bytes) => (n_bytes, Some(n_bytes / frame_bytes)),
            DataLength::ToEndOfFile => (u64::MAX, None),
        };
        Ok(Self {
            reader: InterleavedReader::new(reader, header.encoding, map, n_bytes),
            name,
            rate: header.rate,
            n_channels: header.n_channels,
            n_promised,
            n_in_file,
            is_over: false,
        })
    }

    /// Samples a channel, at the file's own rate: as the header promises, or as the file holds where the header leaves it open.
    /// `None` only for a pipe whose writer could not know.
    pub fn len_samples(&self) -> Option<u64> {
        self.n_promised.or(self.n_in_file)
    }

    /// The same in seconds.
    pub fn duration_s(&self) -> Option<f64> {
        Some(self.rate.seconds(self.len_samples()?))
    }

    /// Channels in the file.
    pub fn n_channels(&self) -> u16 {
        self.n_channels
    }

    /// After the end: whether the file held less than its header promised. What was there has been delivered.
    pub fn truncation(&self) -> Option<Truncation> {
        let promised = self.n_promised?;
        let found = self.reader.n_delivered();
        (self.is_over && found < promised).then_some(Truncation { promised, found })
    }
}

impl AudioSource for WavSource {
    fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        let read = self.reader.read_as_source(&self.name, chunk)?;
        self.is_over |= read == Read::End;
        Ok(read)
    }
}
