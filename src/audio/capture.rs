//! The microphone as a source (cpal).
//!
//! The sound system calls back on a thread of its own; the callback picks or mixes the channels, converts to `f32`, puts the
//! samples into a ring and wakes the reader ([`CaptureSource`]). [`CaptureStream`] owns that thread: dropping it stops the
//! capture and ends the source after what was captured. It may be dropped from any thread.
//!
//! A device that fails ends the source with [`AudioError::DeviceLost`]. One that goes quiet without an error, as happens when
//! a sound server moves or removes a source, ends it with [`AudioError::DeviceSilent`]. Reopening is the caller's decision.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, Data, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfigRange};

pub use super::capture_ring::CaptureSource;
pub use super::capture_state::{CaptureCounters, CaptureCounts, CaptureMonitor};

use super::capture_ring::{CaptureSink, capture_ring};
use super::capture_state::Shared;
use super::channels::MonoMap;
use super::devices::{NamedDevice, find_device, reason};
use super::{AudioError, ChannelChoice};
use crate::units::{Milliseconds, SampleRate};

/// What nearly all hardware can do when it cannot do the preferred rate.
const SECOND_RATE: u32 = 48_000;

/// No hardware goes so high: who offers it promises to convert, as ALSA's `plug` does, whose own converter may let through what
/// lies above half the rate. Ours does not, so such a device is asked for what the hardware below it is likely to do.
const CONVERTING_RATE: u32 = 1_000_000;

/// Errors without samples in between, from which on the callback sleeps whatever their kind.
const ERRORS_IN_A_ROW_MAX: u64 = 20;

/// A dead ALSA server makes cpal 0.18 call the error callback without pause, hundreds of thousands of times a second.
/// Sleeping within the call turns that into 20 times a second; dropping the stream waits at most this long.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// What to capture, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureConfig {
    /// An id, a name, or a part of either that only one device has; `None` is the system's default.
    pub device: Option<String>,
    /// The way into the sound system, as in `alsa` or `pulseaudio`; `None` is this platform's own. An id names its own.
    pub host: Option<String>,
    /// Which channels become the mono signal.
    pub channels: ChannelChoice,
    /// Taken if the device can; else 48 kHz, else what is nearest to that. `None`: the model's rate, but 48 kHz from a device that
    /// offers every rate there is.
    pub prefer_rate: Option<SampleRate>,
    /// The length of a block that is asked of the device; it may choose another.
    pub block: Milliseconds,
    /// How much sound the ring holds while the reader is busy.
    pub ring: Milliseconds,
    /// Wall time without any sample after which the device counts as gone.
    pub stall_timeout: Duration,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            device: None,
            host: None,
            channels: ChannelChoice::Mix,
            prefer_rate: None,
            block: Milliseconds(40),
            ring: Milliseconds(2000),
            stall_timeout: Duration::from_secs(2),
        }
    }
}

/// A running capture. Dropping it stops the device and ends the [`CaptureSource`] that came with it.
pub struct CaptureStream {
    /// Held for its drop, which joins the thread of the callback.
    _stream: cpal::Stream,
    device_id: String,
    rate: SampleRate,
    n_channels: u16,
    sample_format: SampleFormat,
    counters: Arc<CaptureCounters>,
}

impl std::fmt::Debug for CaptureStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureStream")
            .field("device_id", &self.device_id)
            .field("rate", &self.rate)
            .field("n_channels", &self.n_channels)
            .field("sample_format", &self.sample_format)
            .finish_non_exhaustive()
    }
}

impl CaptureStream {
    /// The id of the device that was opened.
    pub fn device_id(&self) -> &str {
        &self.device_id
    }

    /// The rate it runs at.
    pub fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    /// The channels it delivers, before the choice or mix.
    pub fn n_channels(&self) -> u16 {
        self.n_channels
    }

    /// The name of the format it delivers.
    pub fn sample_format(&self) -> String {
        self.sample_format.to_string()
    }

    /// The counters, the same as the source's.
    pub fn counters(&self) -> &Arc<CaptureCounters> {
        &self.counters
    }
}

/// Opens a device and starts it.
///
/// # Errors
/// When no device matches, or more than one, and when the device is absent, busy, forbidden, or offers nothing usable.
pub fn open_capture(config: &CaptureConfig) -> Result<(CaptureStream, CaptureSource), AudioError> {
    let named = find_device(config.device.as_deref(), config.host.as_deref())?;
    open_named(&named, config).map_err(|error| match error {
        // The default is an alias that always exists; that it leads nowhere means that there is no microphone.
        AudioError::DeviceUnavailable { reason, .. } if config.device.is_none() => AudioError::NoMicrophone { reason },
        error => error,
    })
}

fn open_named(named: &NamedDevice, config: &CaptureConfig) -> Result<(CaptureStream, CaptureSource), AudioError> {
    let offers: Vec<_> = match named.device.supported_input_configs() {
        Ok(offers) => offers.collect(),
        Err(error) => return Err(open_error(&named.id, &error)),
    };
    // Which channels are the device's own can only be guessed from its default; a server would mix them for fewer.
    let own_channels = match config.channels {
        ChannelChoice::One(_) => named.device.default_input_config().ok().map(|own| own.channels()),
        ChannelChoice::Mix => None,
    };
    let candidates = candidates(&offers, config, own_channels);
    if candidates.is_empty() {
        return Err(nothing_fits(&named.id, &offers, config.channels));
    }
    let mut last_error = None;
    for candidate in candidates {
        let n_block = config.block.samples(SampleRate::new(candidate.rate)) as u32;
        for buffer_size in [BufferSize::Fixed(n_block), BufferSize::Default] {
            match start(named, candidate, buffer_size, config) {
                Ok(opened) => return Ok(opened),
                // Another format or block length may do.
                Err(error) if is_about_the_format(error.kind()) => last_error = Some(error),
                Err(error) => return Err(open_error(&named.id, &error)),
            }
        }
    }
    let reason = last_error.map_or_else(String::new, |error| reason(&error));
    Err(AudioError::NoUsableFormat { device: named.id.clone(), reason })
}

/// One way to open a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    rate: u32,
    n_channels: u16,
    sample_format: SampleFormat,
}

/// Attempts at opening a device; a device that refuses so many ways of what it offers will refuse all.
const CANDIDATES_MAX: usize = 8;

/// Ways to open a device, the best first.
fn candidates(
    offers: &[SupportedStreamConfigRange],
    config: &CaptureConfig,
    own_channels: Option<u16>,
) -> Vec<Candidate> {
    let mut ranked: Vec<_> = offers
        .iter()
        .filter(|offer| MonoMap::new(offer.channels(), config.channels).is_some())
        .filter_map(|offer| {
            let format_rank = format_rank(offer.sample_format())?;
            let rates = offer.min_sample_rate()..=offer.max_sample_rate();
            let converts = offer.max_sample_rate() > CONVERTING_RATE;
            let preferred = match config.prefer_rate {
                Some(rate) => rate.hz(),
                None if converts => SECOND_RATE,
                None => SampleRate::MODEL.hz(),
            };
            let rate =
                if rates.contains(&preferred) { preferred } else { SECOND_RATE.clamp(*rates.start(), *rates.end()) };
            let rate_rank = if rate == preferred { 0 } else { 1 + rate.abs_diff(SECOND_RATE) };
            let channel_rank = (Some(offer.channels()) != own_channels, offer.channels());
            let candidate = Candidate { rate, n_channels: offer.channels(), sample_format: offer.sample_format() };
            Some(((rate_rank, channel_rank, format_rank), candidate))
        })
        .collect();
    ranked.sort_by_key(|&(rank, _)| rank);
    ranked.truncate(CANDIDATES_MAX);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The lower the better; `None` cannot be converted. Floats first: that is what sound servers work in.
fn format_rank(format: SampleFormat) -> Option<u8> {
    let order = [
        SampleFormat::F32,
        SampleFormat::I32,
        SampleFormat::I24,
        SampleFormat::I16,
        SampleFormat::F64,
        SampleFormat::I64,
        SampleFormat::U32,
        SampleFormat::U24,
        SampleFormat::U16,
        SampleFormat::U64,
        SampleFormat::I8,
        SampleFormat::U8,
    ];
    // What is missing are the one-bit streams (DSD).
    order.iter().position(|&known| known == format).map(|rank| rank as u8)
}

fn nothing_fits(device: &str, offers: &[SupportedStreamConfigRange], channels: ChannelChoice) -> AudioError {
    let n_channels = offers.iter().map(SupportedStreamConfigRange::channels).max().unwrap_or(0);
    match channels {
        ChannelChoice::One(wanted) if n_channels > 0 && wanted >= n_channels => {
            AudioError::NoSuchChannel { name: device.to_owned(), wanted, n_channels }
        }
        _ => {
            let reason = if offers.is_empty() { "it lists none" } else { "it lists only one-bit streams (DSD)" };
            AudioError::NoUsableFormat { device: device.to_owned(), reason: reason.to_owned() }
        }
    }
}

fn is_about_the_format(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnsupportedConfig | ErrorKind::InvalidInput | ErrorKind::BackendError)
}

fn open_error(device: &str, error: &cpal::Error) -> AudioError {
    let device = device.to_owned();
    let reason = reason(error);
    match error.kind() {
        ErrorKind::PermissionDenied => AudioError::DevicePermission { device, reason },
        ErrorKind::DeviceBusy => AudioError::DeviceBusy { device, reason },
        ErrorKind::HostUnavailable => AudioError::NoSoundSystem { reason },
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation | ErrorKind::InvalidInput => {
            AudioError::NoUsableFormat { device, reason }
        }
        _ => AudioError::DeviceUnavailable { device, reason },
    }
}

fn start(
    named: &NamedDevice,
    candidate: Candidate,
    buffer_size: BufferSize,
    config: &CaptureConfig,
) -> Result<(CaptureStream, CaptureSource), cpal::Error> {
    let Candidate { rate, n_channels, sample_format } = candidate;
    let sample_rate = SampleRate::new(rate);
    let (mut callback, mut source) = capture_callback(named.id.clone(), sample_rate, n_channels, config)
        .expect("candidates have the chosen channel");
    let shared = Arc::clone(source.shared());

    let stream_config = StreamConfig { channels: n_channels, sample_rate: rate, buffer_size };
    let stream = named.device.build_input_stream_raw(
        stream_config,
        sample_format,
        move |data, _| callback(data),
        move |error| on_error(&shared, &error),
        None,
    )?;
    source.start_clock();
    stream.play()?;
    let counters = Arc::clone(source.counters());
    let stream = CaptureStream {
        _stream: stream,
        device_id: named.id.clone(),
        rate: sample_rate,
        n_channels,
        sample_format,
        counters,
    };
    Ok((stream, source))
}

/// The audio callback, and the source of what it is given: [`open_capture`] without the device, for a stream that is opened
/// elsewhere. Of `config` it heeds the channels, the ring and the timeout. Dropping the callback ends the source.
/// `None` when the chosen channel is not among the `n_channels`.
pub fn capture_callback(
    device: String,
    rate: SampleRate,
    n_channels: u16,
    config: &CaptureConfig,
) -> Option<(impl FnMut(&Data) + Send + use<>, CaptureSource)> {
    let map = MonoMap::new(n_channels, config.channels)?;
    let capacity = config.ring.samples(rate) as usize;
    let (mut sink, source) = capture_ring(device, rate, map, capacity, config.stall_timeout);
    Some((move |data: &Data| push_data(&mut sink, data), source))
}

/// What the audio callback does: no allocation, no lock, no log line, no wait.
fn push_data(sink: &mut CaptureSink, data: &Data) {
    macro_rules! push {
        ($sample:ty) => {
            if let Some(samples) = data.as_slice::<$sample>() {
                sink.push(samples, ToFullScale::to_full_scale);
            }
        };
    }
    match data.sample_format() {
        SampleFormat::F32 => push!(f32),
        SampleFormat::F64 => push!(f64),
        SampleFormat::I8 => push!(i8),
        SampleFormat::I16 => push!(i16),
        SampleFormat::I24 => push!(cpal::I24),
        SampleFormat::I32 => push!(i32),
        SampleFormat::I64 => push!(i64),
        SampleFormat::U8 => push!(u8),
        SampleFormat::U16 => push!(u16),
        SampleFormat::U24 => push!(cpal::U24),
        SampleFormat::U32 => push!(u32),
        SampleFormat::U64 => push!(u64),
        // Never chosen, see `format_rank`.
        _ => {}
    }
}

/// A sample of the sound system as a float with full scale 1.0.
trait ToFullScale: Copy {
    fn to_full_scale(self) -> f32;
}

macro_rules! to_full_scale_by_cpal {
    ($($sample:ty)*) => {
        $(impl ToFullScale for $sample {
            fn to_full_scale(self) -> f32 {
                cpal::Sample::to_sample(self)
            }
        })*
    };
}

to_full_scale_by_cpal!(f32 f64 i8 i16 i32 i64 u8 u16 u32 u64);

// 24 bits lie in the low end of 32. What is in the highest byte is the driver's affair, so it is shifted out.
impl ToFullScale for cpal::I24 {
    fn to_full_scale(self) -> f32 {
        (self.inner() << 8).to_full_scale()
    }
}

impl ToFullScale for cpal::U24 {
    fn to_full_scale(self) -> f32 {
        ((self.inner() << 8) ^ i32::MIN).to_full_scale()
    }
}

/// The error callback: counts, keeps the first reason, and stops the sound system from spinning.
fn on_error(shared: &Shared, error: &cpal::Error) {
    let is_fatal = match error.kind() {
        ErrorKind::Xrun => {
            shared.counters.count_xrun();
            false
        }
        kind => {
            shared.counters.count_callback_error();
            !matches!(kind, ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged)
        }
    };
    if is_fatal {
        shared.fail(|| reason(error));
    }
    let n_in_a_row = shared.errors_in_a_row.fetch_add(1, Ordering::Relaxed);
    if is_fatal || n_in_a_row > ERRORS_IN_A_ROW_MAX {
        #[expect(clippy::disallowed_methods, reason = "nothing will come of waiting, the point is to spend time")]
        thread::sleep(ERROR_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{AudioSource, Read};
    use cpal::SupportedBufferSize;

    fn offer(n_channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(n_channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    fn best(offers: &[SupportedStreamConfigRange], channels: ChannelChoice, own: Option<u16>) -> Option<Candidate> {
        let config = CaptureConfig { channels, ..CaptureConfig::default() };
        candidates(offers, &config, own).first().copied()
    }

    #[test]
    fn the_models_rate_is_taken_else_48_khz_else_the_nearest() {
        let rate = |ranges: &[(u32, u32)]| {
            let offers: Vec<_> = ranges.iter().map(|&range| offer(1, range, SampleFormat::I16)).collect();
            best(&offers, ChannelChoice::Mix, None).unwrap().rate
        };
        assert_eq!(rate(&[(48_000, 48_000), (8000, 96_000)]), 16_000);
        assert_eq!(rate(&[(44_100, 44_100), (48_000, 48_000), (96_000, 96_000)]), 48_000);
        assert_eq!(rate(&[(8000, 8000), (44_100, 44_100), (192_000, 192_000)]), 44_100);
        assert_eq!(rate(&[(88_200, 192_000)]), 88_200);
    }

    #[test]
    fn a_device_that_converts_any_rate_is_asked_for_what_hardware_does() {
        let plug = [offer(1, (4000, u32::MAX), SampleFormat::F32)];
        assert_eq!(best(&plug, ChannelChoice::Mix, None).unwrap().rate, 48_000);
        let wish = CaptureConfig { prefer_rate: Some(SampleRate::MODEL), ..CaptureConfig::default() };
        assert_eq!(candidates(&plug, &wish, None)[0].rate, 16_000);
    }

    #[test]
    fn few_channels_and_fine_formats_come_first_and_dsd_never() {
        let offers = [
            offer(2, (8000, 48_000), SampleFormat::F32),
            offer(1, (8000, 48_000), SampleFormat::I16),
            offer(1, (8000, 48_000), SampleFormat::F32),
            offer(1, (8000, 48_000), SampleFormat::DsdU8),
        ];
        let expected = Candidate { rate: 16_000, n_channels: 1, sample_format: SampleFormat::F32 };
        assert_eq!(best(&offers, ChannelChoice::Mix, None), Some(expected));
        assert_eq!(best(&offers[3..], ChannelChoice::Mix, None), None);
    }

    #[test]
    fn a_chosen_channel_is_taken_from_the_devices_own_channels() {
        let offers: Vec<_> = (1..=8).map(|n| offer(n, (16_000, 16_000), SampleFormat::I16)).collect();
        let n_channels = |channel, own| best(&offers, ChannelChoice::One(channel), own).map(|found| found.n_channels);
        assert_eq!(n_channels(0, Some(4)), Some(4));
        assert_eq!(n_channels(0, None), Some(1));
        assert_eq!(n_channels(5, Some(4)), Some(6));
        assert_eq!(n_channels(8, Some(4)), None);
        let error = nothing_fits("mic", &offers, ChannelChoice::One(8));
        assert!(matches!(error, AudioError::NoSuchChannel { wanted: 8, n_channels: 8, .. }));
    }

    #[test]
    fn an_error_storm_is_counted_and_slowed_and_ends_the_source_once() {
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let (_sink, mut source) = capture_ring("mic".to_owned(), SampleRate::MODEL, map, 16, Duration::from_secs(5));
        let shared = Arc::clone(source.shared());
        let began = std::time::Instant::now();
        for n in 0..3 {
            on_error(&shared, &cpal::Error::with_message(ErrorKind::BackendError, format!("reason {n}")));
        }
        assert!(began.elapsed() >= 3 * ERROR_PAUSE);
        assert_eq!(source.counters().counts().callback_errors, 3);
        let error = source.read(&mut [0.0]).unwrap_err();
        assert!(matches!(error, AudioError::DeviceLost { reason, .. } if reason == "reason 0"));
        assert_eq!(source.read(&mut [0.0]).unwrap(), Read::End);
    }

    #[test]
    fn an_xrun_is_only_counted() {
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let (mut sink, mut source) = capture_ring("mic".to_owned(), SampleRate::MODEL, map, 16, Duration::from_secs(5));
        let shared = Arc::clone(source.shared());
        for kind in [ErrorKind::Xrun, ErrorKind::Xrun, ErrorKind::DeviceChanged, ErrorKind::RealtimeDenied] {
            on_error(&shared, &cpal::Error::new(kind));
        }
        sink.push(&[0.5], |s| s);
        assert_eq!(source.read(&mut [0.0]).unwrap(), Read::Samples(1));
        let counts = source.counters().counts();
        assert_eq!((counts.xruns, counts.callback_errors), (2, 2));
    }

    #[test]
    fn every_format_of_the_sound_system_is_converted() {
        fn converted<S: ToFullScale>(raw: impl IntoIterator<Item = S>) -> Vec<f32> {
            raw.into_iter().map(ToFullScale::to_full_scale).collect()
        }
        let expected = [-1.0, 0.0, 0.5];
        assert_eq!(converted([-1.0f32, 0.0, 0.5]), expected);
        assert_eq!(converted([-1.0f64, 0.0, 0.5]), expected);
        assert_eq!(converted([i8::MIN, 0, 1 << 6]), expected);
        assert_eq!(converted([i16::MIN, 0, 1 << 14]), expected);
        assert_eq!(converted([i32::MIN, 0, 1 << 30]), expected);
        assert_eq!(converted([i64::MIN, 0, 1 << 62]), expected);
        assert_eq!(converted([0u8, 1 << 7, 3 << 6]), expected);
        assert_eq!(converted([0u16, 1 << 15, 3 << 14]), expected);
        assert_eq!(converted([0u32, 1 << 31, 3 << 30]), expected);
        assert_eq!(converted([0u64, 1 << 63, 3 << 62]), expected);
        // A driver may leave the sign out of the fourth byte, or fill it with anything.
        for top in [0, -1] {
            let raw = [-(1 << 23), 0, 1 << 22].map(|s| cpal::I24::new_unchecked((s & 0xFF_FFFF) | (top << 24)));
            assert_eq!(converted(raw), expected);
            let raw = [0, 1 << 23, 3 << 22].map(|s| cpal::U24::new_unchecked(s | (top << 24)));
            assert_eq!(converted(raw), expected);
        }
    }

    #[test]
    fn a_capture_stream_may_be_dropped_from_any_thread() {
        fn is_send<T: Send>() {}
        is_send::<CaptureStream>();
        is_send::<CaptureSource>();
    }
}
