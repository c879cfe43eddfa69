//! Raw samples without a header: standard input, or anything that can be read.

use std::fmt;
use std::io;
use std::str::FromStr;

use super::channels::{Encoding, MonoMap};
use super::interleaved::InterleavedReader;
use super::{AudioError, AudioSource, ChannelChoice, Read};
use crate::units::SampleRate;

/// How raw samples are stored; the names are ffmpeg's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcmSampleFormat {
    /// `u8`: 8 bits, unsigned.
    U8,
    /// `s16le`: 16 bits, signed, least significant byte first.
    S16le,
    /// `s24le`: 24 bits in 3 bytes.
    S24le,
    /// `s32le`: 32 bits.
    S32le,
    /// `f32le`: 32-bit float.
    F32le,
}

impl PcmSampleFormat {
    /// Every format there is.
    pub const ALL: [Self; 5] = [Self::U8, Self::S16le, Self::S24le, Self::S32le, Self::F32le];

    /// The format's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::S16le => "s16le",
            Self::S24le => "s24le",
            Self::S32le => "s32le",
            Self::F32le => "f32le",
        }
    }

    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::U8 => Encoding::U8,
            Self::S16le => Encoding::S16,
            Self::S24le => Encoding::S24,
            Self::S32le => Encoding::S32,
            Self::F32le => Encoding::F32,
        }
    }
}

impl fmt::Display for PcmSampleFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PcmSampleFormat {
    type Err = AudioError;

    fn from_str(text: &str) -> Result<Self, AudioError> {
        let wanted = text.trim();
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(wanted)).ok_or_else(|| {
            AudioError::UnknownSampleFormat { found: text.to_owned(), choices: Self::ALL.map(Self::name).join(", ") }
        })
    }
}

/// All that a header would have told. As text: `FORMAT[,RATE[,CHANNELS]]`, as in `s16le,16000,1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmFormat {
    /// Samples a second.
    pub rate: SampleRate,
    /// Interleaved channels, at least 1.
    pub channels: u16,
    /// How one sample is stored.
    pub sample_format: PcmSampleFormat,
}

impl Default for PcmFormat {
    /// What arecord and most satellites send: 16-bit mono at the model's rate.
    fn default() -> Self {
        Self { rate: SampleRate::MODEL, channels: 1, sample_format: PcmSampleFormat::S16le }
    }
}

impl fmt::Display for PcmFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.sample_format, self.rate.hz(), self.channels)
    }
}

impl FromStr for PcmFormat {
    type Err = AudioError;

    fn from_str(text: &str) -> Result<Self, AudioError> {
        let bad = |detail: String| AudioError::BadPcmFormat { found: text.to_owned(), detail };
        let mut format = Self::default();
        let mut parts = text.split(',').map(str::trim);
        format.sample_format = parts.next().unwrap_or_default().parse()?;
        if let Some(rate) = parts.next() {
            format.rate = match rate.parse() {
                Ok(hz @ 1..) => SampleRate::new(hz),
                _ => {
                    return Err(bad(format!("the rate is '{rate}', expected a number of samples a second")));
                }
            };
        }
        if let Some(channels) = parts.next() {
            format.channels = match channels.parse() {
                Ok(n @ 1..) => n,
                _ => {
                    return Err(bad(format!("the channels are '{channels}', expected a number from 1")));
                }
            };
        }
        match parts.next() {
            None => Ok(format),
            Some(extra) => Err(bad(format!("'{extra}' is one part too many"))),
        }
    }
}

/// Raw samples from any reader, at the rate that the format says.
pub struct PcmSource {
    reader: InterleavedReader<Box<dyn io::Read + Send>>,
    name: String,
    rate: SampleRate,
}

impl fmt::Debug for PcmSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcmSource").field("name", &self.name).field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl PcmSource {
    /// Samples from `reader`, called `name` in messages.
    ///
    /// # Errors
    /// When the chosen channel is not among the format's channels.
    pub fn new(
        reader: impl io::Read + Send + 'static,
        name: impl Into<String>,
        format: PcmFormat,
        channels: ChannelChoice,
    ) -> Result<Self, AudioError> {
        let name = name.into();
        let Some(map) = MonoMap::new(format.channels, channels) else {
            let wanted = if let ChannelChoice::One(channel) = channels { channel } else { 0 };
            return Err(AudioError::NoSuchChannel { name, wanted, n_channels: format.channels });
        };
        let reader: Box<dyn io::Read + Send> = Box::new(RefuseWav { reader, is_started: false });
        let reader = InterleavedReader::new(reader, format.sample_format.encoding(), map, u64::MAX);
        Ok(Self { reader, name, rate: format.rate })
    }

    /// Samples from standard input, under the name `-`. Dropping the handle ends the stream, also in the middle of a wait.
    ///
    /// # Errors
    /// When the chosen channel is not among the format's channels, or the system grants no pipe to stop by.
    #[cfg(unix)]
    pub fn stdin(format: PcmFormat, channels: ChannelChoice) -> Result<(Self, StopHandle), AudioError> {
        Self::stoppable(rustix::stdio::stdin(), "-", format, channels)
    }

    /// Samples from standard input, under the name `-`. Dropping the handle ends the stream at its next read; a wait for
    /// bytes that has begun is not cut short on this system.
    ///
    /// # Errors
    /// When the chosen channel is not among the format's channels.
    #[cfg(not(unix))]
    pub fn stdin(format: PcmFormat, channels: ChannelChoice) -> Result<(Self, StopHandle), AudioError> {
        let (stop, reader) = stop_flag::stoppable(io::stdin());
        Ok((Self::new(reader, "-", format, channels)?, stop))
    }

    /// Samples from a file descriptor, with a handle whose drop ends the stream, also in the middle of a wait.
    ///
    /// # Errors
    /// When the chosen channel is not among the format's channels, or the system grants no pipe to stop by.
    #[cfg(unix)]
    pub fn stoppable(
        fd: impl std::os::fd::AsFd + Send + 'static,
        name: impl Into<String>,
        format: PcmFormat,
        channels: ChannelChoice,
    ) -> Result<(Self, StopHandle), AudioError> {
        let name = name.into();
        let (stop, reader) = stop_pipe::stoppable(fd)
            .map_err(|error| AudioError::WaitFailed { name: name.clone(), source: error.into() })?;
        Ok((Self::new(reader, name, format, channels)?, stop))
    }
}

/// Stops at a WAV header: heard as samples it would be a click and, at another rate, nonsense.
struct RefuseWav<R> {
    reader: R,
    is_started: bool,
}

impl<R: io::Read> io::Read for RefuseWav<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        if !std::mem::replace(&mut self.is_started, true) && buffer[..n].starts_with(b"RIFF") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is a WAV file, not raw samples; give the file's path, or cut its header off",
            ));
        }
        Ok(n)
    }
}

impl AudioSource for PcmSource {
    fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        self.reader.read_as_source(&self.name, chunk)
    }
}

#[cfg(unix)]
pub use stop_pipe::StopHandle;

#[cfg(not(unix))]
pub use stop_flag::StopHandle;

/// A read that also waits on a pipe: its far end closes when the handle is dropped, and that wakes the wait.
#[cfg(unix)]
mod stop_pipe {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::event::{PollFd, PollFlags, poll};

    /// Dropping it ends the stream it came with.
    #[derive(Debug)]
    pub struct StopHandle {
        /// Nothing is ever written; closing it is the message.
        _far_end: OwnedFd,
    }

    pub(super) struct StoppableReader<F> {
        fd: F,
        stop: OwnedFd,
    }

    pub(super) fn stoppable<F: AsFd>(fd: F) -> rustix::io::Result<(StopHandle, StoppableReader<F>)> {
        // Not inherited: a command started on a detection must not keep the pipe open.
        let (stop, far_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok((StopHandle { _far_end: far_end }, StoppableReader { fd, stop }))
    }

    impl<F: AsFd> io::Read for StoppableReader<F> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                let mut fds = [PollFd::new(&self.stop, PollFlags::IN), PollFd::new(&self.fd, PollFlags::IN)];
                match poll(&mut fds, None) {
                    Ok(_) => {}
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
                if !fds[0].revents().is_empty() {
                    return Ok(0);
                }
                match rustix::io::read(&self.fd, &mut *buffer) {
                    // Another reader of the same pipe was faster, or standard input does not block.
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                    result => return Ok(result?),
                }
            }
        }
    }
}

/// Without poll: the flag is looked at before each read.
#[cfg(not(unix))]
mod stop_flag {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Dropping it ends the stream it came with.
    #[derive(Debug)]
    pub struct StopHandle {
        is_stopped: Arc<AtomicBool>,
    }

    impl Drop for StopHandle {
        fn drop(&mut self) {
            self.is_stopped.store(true, Ordering::Release);
        }
    }

    pub(super) struct StoppableReader<R> {
        reader: R,
        is_stopped: Arc<AtomicBool>,
    }

    pub(super) fn stoppable<R: io::Read>(reader: R) -> (StopHandle, StoppableReader<R>) {
        let is_stopped = Arc::new(AtomicBool::new(false));
        (StopHandle { is_stopped: Arc::clone(&is_stopped) }, StoppableReader { reader, is_stopped })
    }

    impl<R: io::Read> io::Read for StoppableReader<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.is_stopped.load(Ordering::Acquire) { Ok(0) } else { self.reader.read(buffer) }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests play the outside world, which keeps its own time
mod tests {
    use super::*;
    use crate::audio::read_to_end;

    #[test]
    fn formats_round_trip_as_text() {
        for sample_format in PcmSampleFormat::ALL {
            let format = PcmFormat { rate: SampleRate::new(44_100), channels: 3, sample_format };
            assert_eq!(format.to_string().parse::<PcmFormat>().unwrap(), format);
        }
        assert_eq!("s16le".parse::<PcmFormat>().unwrap(), PcmFormat::default());
        assert_eq!(" F32LE , 8000 ".parse::<PcmFormat>().unwrap().rate, SampleRate::new(8000));
    }

    #[test]
    fn bad_formats_say_what_would_do() {
        let message = |text: &str| text.parse::<PcmFormat>().unwrap_err().to_string();
        assert_eq!(message("s16be"), "unknown sample format 's16be'; expected one of u8, s16le, s24le, s32le, f32le");
        assert!(message("u8,fast").contains("the rate is 'fast'"));
        assert!(message("u8,0").contains("the rate is '0'"));
        assert!(message("u8,8000,0").contains("the channels are '0'"));
        assert!(message("u8,8000,1,x").contains("'x' is one part too many"));
    }

    #[test]
    fn every_format_is_decoded() {
        let cases: [(PcmSampleFormat, &[u8]); 5] = [
            (PcmSampleFormat::U8, &[192]),
            (PcmSampleFormat::S16le, &[0, 0x40]),
            (PcmSampleFormat::S24le, &[0, 0, 0x40]),
            (PcmSampleFormat::S32le, &[0, 0, 0, 0x40]),
            (PcmSampleFormat::F32le, &[0, 0, 0, 0x3F]),
        ];
        for (sample_format, bytes) in cases {
            let format = PcmFormat { sample_format, ..PcmFormat::default() };
            let mut source = PcmSource::new(bytes, "-", format, ChannelChoice::Mix).unwrap();
            assert_eq!(read_to_end(&mut source).unwrap(), [0.5], "{sample_format}");
        }
    }

    #[test]
    fn a_missing_channel_is_an_error() {
        let format = PcmFormat { channels: 2, ..PcmFormat::default() };
        let error = PcmSource::new(io::empty(), "-", format, ChannelChoice::One(2)).unwrap_err();
        assert!(matches!(error, AudioError::NoSuchChannel { wanted: 2, n_channels: 2, .. }));
    }

    #[cfg(unix)]
    #[test]
    fn dropping_the_handle_ends_a_read_that_waits() {
        use std::time::Duration;

        let (input, mut output) = io::pipe().unwrap();
        let (mut source, stop) = PcmSource::stoppable(input, "-", PcmFormat::default(), ChannelChoice::Mix).unwrap();
        let reader = std::thread::spawn(move || {
            let mut reads = Vec::new();
            while reads.last() != Some(&Read::End) {
                reads.push(source.read(&mut [0.0; 16]).unwrap());
            }
            assert_eq!(source.read(&mut [0.0; 16]).unwrap(), Read::End);
            reads
        });
        io::Write::write_all(&mut output, &[0, 1, 2, 3]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        drop(stop);
        assert_eq!(reader.join().unwrap(), [Read::Samples(2), Read::End]);
        // The writer is still there: it was the handle that ended the stream.
        drop(output);
    }
}
