//! Where `listen` hears: a microphone, raw samples on standard input, or a WAV file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::audio::capture::{CaptureConfig, CaptureCounters, open_capture};
use crate::audio::pcm::{PcmFormat, PcmSource};
use crate::audio::resample::at_model_rate;
use crate::audio::stoppable::{Pace, stoppable};
use crate::audio::wav::WavSource;
use crate::audio::{AudioSource, ChannelChoice};
use crate::cli::quiet::quietly;
use crate::config::Settings;
use crate::daemon::{Overflow, StopHandle};
use crate::units::SampleRate;

pub(super) struct OpenedInput {
    pub(super) source: Box<dyn AudioSource>,
    /// What the audio callback counts, where there is one.
    pub(super) capture: Option<Arc<CaptureCounters>>,
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
                capture: None,
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
                capture: None,
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::Wait,
            })
        }
        device => {
            let configured = Some(settings.input.device.as_str()).filter(|device| !device.is_empty());
            let config = CaptureConfig {
                device: device.or(configured).map(str::to_owned),
                channels,
                prefer_rate: Some(settings.input.rate_hz).filter(|&hz| hz > 0).map(SampleRate::new),
                block: settings.input.block_ms,
                ring: settings.input.ring_ms,
                stall_timeout: Duration::from_millis(settings.input.stall_timeout_ms.0.into()),
            };
            // No thread of ours runs yet.
            let (stop_handle, source) = quietly(|| open_capture(&config))?;
            tracing::info!(
                device = stop_handle.device_id(),
                rate_hz = stop_handle.sample_rate().hz(),
                channels = stop_handle.n_channels(),
                format = stop_handle.sample_format(),
                "microphone opened"
            );
            Ok(OpenedInput {
                source: at_model_rate(Box::new(source))?,
                capture: Some(stop_handle.counters().clone()),
                stop_handle: Box::new(stop_handle),
                overflow: Overflow::CountAndDrop,
            })
        }
    }
}

/// Whether `input` means a file, be it there or not, and not a device: nothing that is on the disk or ends in `.wav` is looked
/// for among the microphones.
fn is_path(input: &str) -> bool {
    let path = Path::new(input);
    path.exists()
        || input.starts_with(['/', '.'])
        || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"))
}
