//! Where `listen` hears: a microphone, raw samples on standard input, or a WAV file.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::audio::capture::CaptureConfig;
use crate::audio::pcm::{PcmFormat, PcmSource};
use crate::audio::resample::at_model_rate;
use crate::audio::stoppable::{Pace, stoppable};
use crate::audio::supervised::{DeviceWatch, Hardware, RetryConfig, SupervisionConfig, supervise};
use crate::audio::wav::WavSource;
use crate::audio::{AudioSource, ChannelChoice};
use crate::config::{InputSettings, Settings};
use crate::daemon::{Overflow, StopHandle};
use crate::units::SampleRate;

pub(super) struct OpenedInput {
    pub(super) source: Box<dyn AudioSource>,
    /// How it stands with the microphone, where it is one.
    pub(super) devices: Option<DeviceWatch>,
    pub(super) stop_handle: StopHandle,
    pub(super) overflow: Overflow,
}

pub(super) fn open_input(input: Option<&str>, real_time: bool, settings: &Settings) -> Result<OpenedInput> {
    let channels: ChannelChoice = settings.input.channel.parse()?;
    match input {
        Some("-") => {
            let format = PcmFormat {
                rate: SampleRate::new(settings.input.pcm_rate_hz),
                channels: settings.input.pcm_channels,
                sample_format: settings.input.pcm_format.parse()?,
            };
            let (source, stop_handle) = PcmSource::stdin(format, channels)?;
            Ok(OpenedInput {
                source: at_model_rate(Box::new(source))?,
                devices: None,
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::Wait,
            })
        }
        Some(path) if is_path(path) => {
            let pace = if real_time { Pace::RealTime } else { Pace::Unbounded };
            let source = at_model_rate(Box::new(WavSource::open(Path::new(path), channels)?))?;
            let (source, stop_handle) = stoppable(source, pace);
            Ok(OpenedInput {
                source: Box::new(source),
                devices: None,
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::Wait,
            })
        }
        device => {
            let (capture, supervision) = microphone_config(device, channels, &settings.input);
            let (source, stop_handle, devices) = supervise(Hardware { capture }, supervision)?;
            Ok(OpenedInput {
                source: Box::new(source),
                devices: Some(devices),
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::CountAndDrop,
            })
        }
    }
}

/// What is asked of the microphone, and how it is looked after; `device` wins over the settings.
fn microphone_config(
    device: Option<&str>,
    channels: ChannelChoice,
    input: &InputSettings,
) -> (CaptureConfig, SupervisionConfig) {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let duration = |ms: crate::units::Milliseconds| Duration::from_millis(ms.0.into());
    let stall_timeout = duration(input.stall_timeout_ms);
    let capture = CaptureConfig {
        device: None,
        host: some(&input.host),
        channels,
        prefer_rate: Some(input.rate_hz).filter(|&hz| hz > 0).map(SampleRate::new),
        block: input.block_ms,
        ring: input.ring_ms,
        stall_timeout,
    };
    let supervision = SupervisionConfig {
        device: device.or(Some(&input.device)).and_then(some),
        wait_for_device: input.wait_for_device,
        stall_timeout,
        watch_pace: true,
        retry: RetryConfig {
            fallback_after: Some(duration(input.fallback_after_ms)).filter(|after| !after.is_zero()),
            ..RetryConfig::default()
        },
    };
    (capture, supervision)
}

/// Whether `input` means a file, be it there or not, and not a device: nothing that is on the disk or ends in `.wav` is looked
/// for among the microphones.
fn is_path(input: &str) -> bool {
    let path = Path::new(input);
    path.exists()
        || input.starts_with(['/', '.'])
        || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"))
}
