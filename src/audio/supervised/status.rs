//! How it stands with the microphone: for the log, for a control socket, for metrics; and the way to ask for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use serde::Serialize;

use super::thread::Message;
use crate::audio::AudioError;
use crate::audio::capture::{CaptureCounts, CaptureMonitor};

/// How long somebody who asks for another device waits for the answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// Whether there is a microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// None has been heard yet.
    #[default]
    Waiting,
    /// The preferred device is heard.
    Listening,
    /// The system's default device is heard in the place of the preferred one.
    Fallback,
    /// What was heard is lost; silence stands in for it.
    Away,
}

/// One look at the microphone. Counts are sums over all streams since the start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceStatus {
    /// Whether there is a microphone.
    pub state: DeviceState,
    /// The id of the device that is heard, or was last.
    pub device: Option<String>,
    /// The device that is wanted, as it was asked for; `None` is the system's default.
    pub preferred: Option<String>,
    /// For how long the state has been what it is, in seconds.
    pub since_s: f64,
    /// Samples a second of the device that is heard, or was last.
    pub rate_hz: u32,
    /// Its channels.
    pub n_channels: u16,
    /// The name of its sample format.
    pub sample_format: String,
    /// Its rate as last measured, over the rate agreed on.
    pub rate_ratio: Option<f64>,
    /// How often what was heard was lost.
    pub n_losses: u64,
    /// How often a device was opened after the first one.
    pub n_reopenings: u64,
    /// Attempts to open a device that failed.
    pub n_failed_openings: u64,
    /// How often the rate was found wrong by more than a few percent.
    pub n_rate_warnings: u64,
    /// Why a device was last lost or could not be opened.
    pub last_reason: Option<String>,
    /// Samples that the devices delivered, each counted at its own rate.
    pub samples_delivered: u64,
    /// Samples that found no room in the ring.
    pub samples_lost: u64,
    /// How often the ring became full.
    pub overruns: u64,
    /// Overruns within the sound system.
    pub xruns: u64,
    /// Calls of the error callback, all kinds but xruns.
    pub callback_errors: u64,
}

/// Why another device was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// It could not be opened; the one before is still preferred.
    #[error("still on the device before")]
    Refused(#[from] AudioError),
    /// Another request is being worked on, or the sound system takes too long.
    #[error("the sound system has not answered; ask again, or look at the state of the microphone")]
    Busy,
    /// The microphone was closed.
    #[error("nothing listens any more")]
    Stopped,
}

/// A handle on the microphone; clones share it.
#[derive(Debug, Clone)]
pub struct DeviceWatch {
    pub(super) shared: Arc<SharedStatus>,
    pub(super) requests: Sender<Message>,
}

impl DeviceWatch {
    /// How it stands.
    pub fn status(&self) -> DeviceStatus {
        self.shared.lock().status()
    }

    /// Prefers another device from now on, `None` for the system's default. It is opened while the one before is still heard, so
    /// nothing is lost; if it cannot be opened, nothing changes.
    ///
    /// # Errors
    /// When it cannot be opened, when the sound system takes longer than ten seconds, and when the microphone was closed.
    pub fn choose(&self, device: Option<&str>) -> Result<DeviceStatus, ChooseError> {
        let (reply, answer) = bounded(1);
        let request = Message::Choose { device: device.map(str::to_owned), reply };
        self.requests.send_timeout(request, ANSWER_DEADLINE).map_err(|error| match error {
            crossbeam_channel::SendTimeoutError::Timeout(_) => ChooseError::Busy,
            crossbeam_channel::SendTimeoutError::Disconnected(_) => ChooseError::Stopped,
        })?;
        answer.recv_timeout(ANSWER_DEADLINE).map_err(|error| match error {
            crossbeam_channel::RecvTimeoutError::Timeout => ChooseError::Busy,
            crossbeam_channel::RecvTimeoutError::Disconnected => ChooseError::Stopped,
        })??;
        Ok(self.status())
    }
}

/// What the supervisor and the reader write and everybody may look at.
#[derive(Debug)]
pub(super) struct SharedStatus(Mutex<Status>);

impl SharedStatus {
    pub(super) fn new(preferred: Option<String>) -> Self {
        Self(Mutex::new(Status {
            state: DeviceState::Waiting,
            since: Instant::now(),
            device: None,
            preferred,
            current: None,
            rate_ratio: None,
            n_losses: 0,
            n_openings: 0,
            n_failed_openings: 0,
            n_rate_warnings: 0,
            last_reason: None,
            ended: CaptureCounts::default(),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Status> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a device was opened as.
#[derive(Debug, Clone)]
pub(super) struct OpenedAs {
    pub(super) id: String,
    pub(super) rate_hz: u32,
    pub(super) n_channels: u16,
    pub(super) sample_format: String,
}

#[derive(Debug)]
pub(super) struct Status {
    state: DeviceState,
    since: Instant,
    device: Option<OpenedAs>,
    pub(super) preferred: Option<String>,
    /// The capture that is heard.
    current: Option<CaptureMonitor>,
    pub(super) rate_ratio: Option<f64>,
    n_losses: u64,
    n_openings: u64,
    pub(super) n_failed_openings: u64,
    pub(super) n_rate_warnings: u64,
    pub(super) last_reason: Option<String>,
    /// The counts of all captures before.
    ended: CaptureCounts,
}

impl Status {
    pub(super) fn set_state(&mut self, state: DeviceState) {
        if state != self.state {
            self.since = Instant::now();
        }
        self.state = state;
    }

    pub(super) fn opened(&mut self, device: OpenedAs, state: DeviceState, capture: CaptureMonitor) {
        self.set_state(state);
        self.device = Some(device);
        self.rate_ratio = None;
        self.n_openings += 1;
        self.current = Some(capture);
    }

    pub(super) fn lost(&mut self, reason: String) {
        self.set_state(DeviceState::Away);
        self.n_losses += 1;
        self.last_reason = Some(reason);
    }

    /// A capture that delivers no more: its counts go into the sums.
    pub(super) fn ended(&mut self, capture: &CaptureMonitor) {
        let counts = capture.counts();
        add(&mut self.ended, counts);
        if self.current.as_ref().is_some_and(|current| current.is_of_the_same(capture)) {
            self.current = None;
        }
    }

    /// Ends the capture that is heard.
    pub(super) fn finish(&self) {
        if let Some(current) = &self.current {
            current.finish();
        }
    }

    fn status(&self) -> DeviceStatus {
        let mut counts = self.ended;
        add(&mut counts, self.current.as_ref().map(CaptureMonitor::counts).unwrap_or_default());
        let device = self.device.as_ref();
        DeviceStatus {
            state: self.state,
            device: device.map(|device| device.id.clone()),
            preferred: self.preferred.clone(),
            since_s: self.since.elapsed().as_secs_f64(),
            rate_hz: device.map_or(0, |device| device.rate_hz),
            n_channels: device.map_or(0, |device| device.n_channels),
            sample_format: device.map(|device| device.sample_format.clone()).unwrap_or_default(),
            rate_ratio: self.rate_ratio,
            n_losses: self.n_losses,
            n_reopenings: self.n_openings.saturating_sub(1),
            n_failed_openings: self.n_failed_openings,
            n_rate_warnings: self.n_rate_warnings,
            last_reason: self.last_reason.clone(),
            samples_delivered: counts.samples_delivered,
            samples_lost: counts.samples_lost,
            overruns: counts.overruns,
            xruns: counts.xruns,
            callback_errors: counts.callback_errors,
        }
    }
}

fn add(sum: &mut CaptureCounts, counts: CaptureCounts) {
    sum.samples_delivered += counts.samples_delivered;
    sum.samples_lost += counts.samples_lost;
    sum.overruns += counts.overruns;
    sum.xruns += counts.xruns;
    sum.callback_errors += counts.callback_errors;
}
