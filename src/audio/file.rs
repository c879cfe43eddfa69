//! A file of any kind as a source: plain WAV by our own reader, which is several times as fast, everything else decoded.

use std::path::Path;

use super::decoded::DecodedSource;
use super::wav::WavSource;
use super::{AudioError, AudioSource, ChannelChoice, Read};
use crate::units::SampleRate;

/// Endings of the names of sound files, as they are looked for in folders.
pub const ENDINGS: [&str; 20] = [
    "wav", "wave", "rf64", "bwf", "flac", "mp3", "ogg", "oga", "opus", "webm", "mka", "mkv", "m4a", "m4b", "mp4",
    "mov", "aac", "aif", "aiff", "caf",
];

/// Whether the name of `path` ends like that of a sound file.
pub fn has_sound_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// A file, delivered at its own rate.
pub enum FileSource {
    /// Plain samples.
    Wav(Box<WavSource>),
    /// Anything else.
    Decoded(Box<DecodedSource>),
}

impl FileSource {
    /// Opens a file; its content tells what it is, not its name. A pipe has to bring plain WAV.
    ///
    /// # Errors
    /// As of [`WavSource::open`] and [`DecodedSource::open`].
    pub fn open(path: impl AsRef<Path>, channels: ChannelChoice) -> Result<Self, AudioError> {
        let path = path.as_ref();
        match WavSource::open(path, channels) {
            Ok(source) => Ok(Self::Wav(Box::new(source))),
            Err(AudioError::NotWav { .. } | AudioError::UnsupportedEncoding { .. }) if path.is_file() => {
                Ok(Self::Decoded(Box::new(DecodedSource::open(path, channels)?)))
            }
            Err(error) => Err(error),
        }
    }

    /// Its length in seconds, as far as it says.
    pub fn duration_s(&self) -> Option<f64> {
        match self {
            Self::Wav(source) => source.duration_s(),
            Self::Decoded(source) => source.duration_s(),
        }
    }

    /// Channels in the file.
    pub fn n_channels(&self) -> u16 {
        match self {
            Self::Wav(source) => source.n_channels(),
            Self::Decoded(source) => source.n_channels(),
        }
    }

    /// After the end: what was not as it should be, in a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        match self {
            Self::Wav(source) => warnings.extend(source.truncation().map(|truncation| {
                format!(
                    "the header promises {} samples, the file holds {}; what is there was heard",
                    truncation.promised, truncation.found
                )
            })),
            Self::Decoded(source) => {
                let damage = source.damage();
                if damage.n_bad_packets > 0 {
                    warnings.push(format!(
                        "{} packets could not be decoded; {} samples of silence stand in for them",
                        damage.n_bad_packets, damage.n_silent_samples
                    ));
                }
                if let Some(reason) = &damage.ended_early {
                    warnings.push(format!("the file ends before its end: {reason}; what comes before was heard"));
                }
            }
        }
        warnings
    }
}

impl AudioSource for FileSource {
    fn sample_rate(&self) -> SampleRate {
        match self {
            Self::Wav(source) => source.sample_rate(),
            Self::Decoded(source) => source.sample_rate(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Wav(source) => source.name(),
            Self::Decoded(source) => source.name(),
        }
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        match self {
            Self::Wav(source) => source.read(chunk),
            Self::Decoded(source) => source.read(chunk),
        }
    }
}
