//! Opening a device: the supervisor's one door to the hardware.

use crate::audio::AudioError;
use crate::audio::alsa_messages::with_messages_logged;
use crate::audio::capture::{CaptureConfig, CaptureSource, open_capture};

/// A capture that has just been opened.
pub struct Opened {
    /// Holds the device open; its drop closes it and may take a while.
    pub stream: Box<dyn Send>,
    /// What the device delivers.
    pub source: CaptureSource,
    /// The channels it delivers, before the choice or mix.
    pub n_channels: u16,
    /// The name of the format it delivers.
    pub sample_format: String,
}

/// Opens capture devices, always from one and the same thread.
pub trait OpenDevice: Send {
    /// Opens and starts the device that `device` means, or the system's default.
    ///
    /// # Errors
    /// When no device matches, or more than one, or it cannot be opened now.
    fn open(&mut self, device: Option<&str>) -> Result<Opened, AudioError>;
}

/// The devices of this machine. The sound system is asked anew each time: servers come and go, and so do cards.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// What to ask of a device; which one is said at each opening.
    pub capture: CaptureConfig,
}

impl OpenDevice for Hardware {
    fn open(&mut self, device: Option<&str>) -> Result<Opened, AudioError> {
        let config = CaptureConfig { device: device.map(str::to_owned), ..self.capture.clone() };
        let (stream, source) = with_messages_logged(|| open_capture(&config))?;
        let (n_channels, sample_format) = (stream.n_channels(), stream.sample_format());
        Ok(Opened { stream: Box::new(stream), source, n_channels, sample_format })
    }
}
