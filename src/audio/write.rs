//! Samples to a WAV file, whole or not at all, or growing.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::AudioError;
use crate::files::WholeFile;
use crate::units::SampleRate;

/// Writes mono samples as 16-bit integers. The file appears under its name only when it is complete; a file that was there
/// before is replaced. Samples beyond full scale are clipped; what is not a number becomes silence.
///
/// # Errors
/// When the folder is missing, may not be written or is full; nothing is left behind then.
pub fn write_wav(path: impl AsRef<Path>, samples: &[f32], rate: SampleRate) -> Result<(), AudioError> {
    let path = path.as_ref();
    let failed_io = |source: io::Error| AudioError::WriteFailed { path: path.to_owned(), source };
    let mut file = WholeFile::create(path).map_err(failed_io)?;
    write_samples(&mut file, samples, rate).map_err(|error| failed(path, error))?;
    file.finish().map_err(failed_io)
}

/// A WAV file of mono 16-bit integers that grows. It is whole only after [`finish`](Self::finish): write it where nobody looks for it
/// before.
pub struct GrowingWav {
    writer: hound::WavWriter<BufWriter<File>>,
    path: PathBuf,
}

impl GrowingWav {
    /// Begins the file.
    ///
    /// # Errors
    /// When the folder is missing or may not be written.
    pub fn create(path: &Path, rate: SampleRate) -> Result<Self, AudioError> {
        let writer = hound::WavWriter::create(path, spec(rate)).map_err(|error| failed(path, error))?;
        Ok(Self { writer, path: path.into() })
    }

    /// Adds samples; what is beyond full scale is clipped, and what is not a number becomes silence.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        push(&mut self.writer, samples).map_err(|error| failed(&self.path, error))
    }

    /// Writes the header.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<(), AudioError> {
        self.writer.finalize().map_err(|error| failed(&self.path, error))
    }
}

fn spec(rate: SampleRate) -> hound::WavSpec {
    hound::WavSpec { channels: 1, sample_rate: rate.hz(), bits_per_sample: 16, sample_format: hound::SampleFormat::Int }
}

fn push(writer: &mut hound::WavWriter<impl io::Write + io::Seek>, samples: &[f32]) -> hound::Result<()> {
    // A float is clamped by the cast, and NaN becomes 0.
    samples.iter().try_for_each(|sample| writer.write_sample((sample * 32_768.0).round() as i16))
}

fn write_samples(file: impl io::Write + io::Seek, samples: &[f32], rate: SampleRate) -> hound::Result<()> {
    let mut writer = hound::WavWriter::new(file, spec(rate))?;
    push(&mut writer, samples)?;
    writer.finalize()
}

fn failed(path: &Path, error: hound::Error) -> AudioError {
    let source = match error {
        hound::Error::IoError(error) => error,
        error => io::Error::other(error),
    };
    AudioError::WriteFailed { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::WavSource;
    use crate::audio::{ChannelChoice, read_to_end};

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.wav");
        let samples = [0.0, 0.5, -1.0, 2.0, -3.0, f32::NAN, f32::INFINITY];
        write_wav(&path, &samples, SampleRate::new(22_050)).unwrap();
        let mut source = WavSource::open(&path, ChannelChoice::Mix).unwrap();
        let top = 32_767.0 / 32_768.0;
        assert_eq!(read_to_end(&mut source).unwrap(), [0.0, 0.5, -1.0, top, -1.0, 0.0, top]);
    }

    #[test]
    fn a_file_that_grew_is_the_one_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (once, grown) = (folder.path().join("once.wav"), folder.path().join("grown.wav"));
        let samples: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.1).sin()).collect();
        write_wav(&once, &samples, SampleRate::MODEL).unwrap();
        let mut wav = GrowingWav::create(&grown, SampleRate::MODEL).unwrap();
        samples.chunks(300).for_each(|part| wav.push(part).unwrap());
        wav.finish().unwrap();
        assert!(std::fs::read(once).unwrap() == std::fs::read(grown).unwrap());
    }

    #[test]
    fn failure_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing/clip.wav");
        assert!(matches!(write_wav(&missing, &[0.0], SampleRate::MODEL), Err(AudioError::WriteFailed { .. })));
        let occupied = folder.path().join("occupied");
        std::fs::create_dir_all(occupied.join("child")).unwrap();
        assert!(write_wav(&occupied, &[0.0], SampleRate::MODEL).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
