//! Sound in: everything that yields samples, behind one trait.
//!
//! A source delivers **mono** `f32` samples, full scale 1.0, at the model's rate once it has passed [`resample::at_model_rate`].
//! A sample's place in the stream is its count since the stream began, so a file and a microphone tell the same time.
//! Outside world enters here by three doors: [`capture`] (hardware), [`mod@file`] (files: [`wav`], and [`decoded`] for all others), [`pcm`]
//! (standard input). [`supervised`] makes one stream of many captures.
//!
//! Samples are passed on as they are found: values that are not finite or far beyond full scale are the feature stage's to judge, or
//! the converter's where the rate is another. Both limit and count them.

mod alsa_messages;
pub mod capture;
mod capture_ring;
mod capture_state;
mod channels;
pub mod decoded;
pub mod devices;
mod error;
pub mod file;
pub mod history;
mod interleaved;
pub mod level;
pub mod packets;
pub mod pcm;
pub mod resample;
pub mod stoppable;
pub mod supervised;
pub mod wav;
pub mod write;
pub mod write_opus;

use crate::units::SampleRate;

pub use error::AudioError;

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The first `n` samples of the caller's buffer are new; `n` is at least 1.
    Samples(usize),
    /// At this point of the stream so many samples, at this source's rate, were lost; the clock goes on over them.
    Gap {
        /// How many samples are missing.
        lost_samples: u64,
    },
    /// The stream is over; every later read says so again.
    End,
}

/// A stream of mono samples that is pulled by its reader.
pub trait AudioSource: Send {
    /// The rate of the samples that [`read`](Self::read) delivers.
    fn sample_rate(&self) -> SampleRate;

    /// A short name for logs and events: a path, a device id, `-`. It changes when another device takes over.
    fn name(&self) -> &str;

    /// Blocks until there are samples, a gap or the end; a microphone, until the chunk is as full as it can be or there is a gap or the end.
    /// Never returns more than `chunk.len()` samples; `chunk` must not be empty.
    ///
    /// # Errors
    /// When the file is damaged or the device is lost; the stream is over then.
    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError>;

    /// Samples so far that were not finite or far beyond full scale, and were limited on the way here. Most sources pass them on as
    /// they are.
    fn n_unusable_samples(&self) -> u64 {
        0
    }
}

impl<S: AudioSource + ?Sized> AudioSource for Box<S> {
    fn sample_rate(&self) -> SampleRate {
        (**self).sample_rate()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        (**self).read(chunk)
    }

    fn n_unusable_samples(&self) -> u64 {
        (**self).n_unusable_samples()
    }
}

/// Which of a source's channels become the mono signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelChoice {
    /// The mean of all channels.
    #[default]
    Mix,
    /// One channel, counted from 0.
    One(u16),
}

impl std::str::FromStr for ChannelChoice {
    type Err = AudioError;

    /// `mix`, or a channel as people count them, from 1.
    fn from_str(text: &str) -> Result<Self, AudioError> {
        match text.trim() {
            "mix" => Ok(Self::Mix),
            number => match number.parse::<u16>() {
                Ok(channel @ 1..) => Ok(Self::One(channel - 1)),
                _ => Err(AudioError::BadChannelChoice { found: text.to_owned() }),
            },
        }
    }
}

/// Reads a source to its end, at the source's own rate. A gap becomes silence of its length, so that times stay right.
///
/// # Errors
/// The first error of the source; what was read before it is dropped.
pub fn read_to_end(source: &mut dyn AudioSource) -> Result<Vec<f32>, AudioError> {
    // A tenth of a second at 16 kHz: large enough that the calls cost nothing, small enough for the stack.
    const CHUNK_SAMPLES: usize = 1600;
    let mut chunk = [0.0; CHUNK_SAMPLES];
    let mut samples = Vec::new();
    loop {
        match source.read(&mut chunk)? {
            Read::Samples(n) => samples.extend_from_slice(&chunk[..n]),
            Read::Gap { lost_samples } => {
                let n = usize::try_from(lost_samples).unwrap_or(usize::MAX);
                samples.resize(samples.len().saturating_add(n), 0.0);
            }
            Read::End => return Ok(samples),
        }
    }
}
