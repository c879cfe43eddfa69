//! Plays a chime at each event, on the machine's default loudspeaker.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Device, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig};
use crossbeam_channel::{RecvTimeoutError, bounded};

use super::chime::{CHIME_RATE, synthesize_chime};
use super::outbox::{Delivery, Destination, Failure};
use super::patience::Patience;
use super::{About, WakeEvent};
use crate::audio::resample::resample;
use crate::audio::wav::WavSource;
use crate::audio::{AudioError, AudioSource, ChannelChoice, read_to_end};
use crate::units::SampleRate;

/// The longest sound that is played, in seconds; the rest of a longer file is not.
const LONGEST_S: f64 = 10.0;
/// Between the last sample that is handed over and the last that is heard.
const DEVICE_LATENCY: Duration = Duration::from_millis(300);
/// How long opening the loudspeaker may take.
const OPENING_LIMIT: Duration = Duration::from_secs(3);

/// Plays a sound at each event.
pub struct ChimePlayer {
    /// Mono, full scale 1.0.
    samples: Arc<[f32]>,
    rate: SampleRate,
    name: String,
    patience: Patience,
}

impl ChimePlayer {
    /// Plays the WAV file at `path`; without one, the chime that we make.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(path: Option<&Path>) -> Result<Self, AudioError> {
        let (mut samples, rate, name) = match path {
            None => {
                let samples = synthesize_chime().iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
                (samples, SampleRate::new(CHIME_RATE), "the default loudspeaker: chime".to_owned())
            }
            Some(path) => {
                let mut source = WavSource::open(path, ChannelChoice::Mix)?;
                let rate = source.sample_rate();
                (read_to_end(&mut source)?, rate, format!("the default loudspeaker: {}", path.display()))
            }
        };
        samples.truncate(rate.samples(LONGEST_S) as usize);
        Ok(Self { samples: samples.into(), rate, name, patience: Patience::default() })
    }

    /// What it is.
    pub fn about(&self) -> About {
        About::new("chime", self.name.clone(), "a sound at each event")
    }
}

impl Destination for ChimePlayer {
    fn deliver(&mut self, _event: &WakeEvent) -> Result<Delivery, Failure> {
        let (samples, rate) = (self.samples.clone(), self.rate);
        let length = Duration::from_secs_f64(rate.seconds(samples.len() as u64));
        self.patience.call(OPENING_LIMIT + length + DEVICE_LATENCY, move || {
            play(&samples, rate, length)
                .map_err(|error| Failure::Lasting(format!("the chime cannot be played: {error}")))
        })?;
        Ok(Delivery::Done)
    }
}

/// Plays to the end.
fn play(samples: &[f32], rate: SampleRate, length: Duration) -> Result<(), cpal::Error> {
    let device = cpal::default_host()
        .default_output_device()
        .ok_or_else(|| cpal::Error::with_message(ErrorKind::DeviceNotAvailable, "there is no loudspeaker"))?;
    let supported = device.default_output_config()?;
    let config: StreamConfig = supported.config();
    let device_rate = SampleRate::new(config.sample_rate);
    let samples = resample(samples, rate, device_rate)
        .map_err(|error| cpal::Error::with_message(ErrorKind::UnsupportedConfig, error.to_string()))?;
    match supported.sample_format() {
        SampleFormat::I8 => play_as::<i8>(&device, config, samples, length),
        SampleFormat::I16 => play_as::<i16>(&device, config, samples, length),
        SampleFormat::I24 => play_as::<cpal::I24>(&device, config, samples, length),
        SampleFormat::I32 => play_as::<i32>(&device, config, samples, length),
        SampleFormat::U8 => play_as::<u8>(&device, config, samples, length),
        SampleFormat::U16 => play_as::<u16>(&device, config, samples, length),
        SampleFormat::U32 => play_as::<u32>(&device, config, samples, length),
        SampleFormat::F64 => play_as::<f64>(&device, config, samples, length),
        SampleFormat::F32 => play_as::<f32>(&device, config, samples, length),
        other => Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("samples of format {other}"))),
    }
}

fn play_as<T: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    samples: Vec<f32>,
    length: Duration,
) -> Result<(), cpal::Error> {
    let n_channels = usize::from(config.channels.max(1));
    let (failed, failure) = bounded(1);
    let mut position = 0;
    let stream = device.build_output_stream(
        config,
        move |out: &mut [T], _| {
            for frame in out.chunks_mut(n_channels) {
                // Silence after the end.
                let sample = samples.get(position).copied().unwrap_or(0.0);
                position += 1;
                frame.fill(T::from_sample(sample));
            }
        },
        move |error| {
            // The first tells it all.
            if !matches!(error.kind(), ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged) {
                let _ = failed.try_send(error);
            }
        },
        None,
    )?;
    stream.play()?;
    match failure.recv_timeout(length + DEVICE_LATENCY) {
        Ok(error) => Err(error),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
    }
}
