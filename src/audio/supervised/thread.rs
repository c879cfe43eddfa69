//! The supervisor: opens devices and closes them. A thread of its own because the sound system may take its time over either, and
//! neither the reader nor a stop shall wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use super::opener::{OpenDevice, Opened};
use super::policy::{Loss, Policy, Step, Which};
use super::status::{DeviceState, OpenedAs, SharedStatus};
use super::{SupervisionConfig, is_worth_waiting};
use crate::audio::capture::CaptureMonitor;
use crate::audio::resample::at_model_rate;
use crate::audio::{AudioError, AudioSource};
use crate::units::SampleRate;

/// How often a device that was just opened is looked at, until its first samples are there.
const LOOK_FOR_SOUND_EVERY: Duration = Duration::from_millis(10);

/// What the supervisor is told.
#[derive(Debug)]
pub(super) enum Message {
    /// By the reader: this capture is over.
    Lost { generation: u64, loss: Loss, reason: AudioError },
    /// By anybody: prefer this device.
    Choose { device: Option<String>, reply: Sender<Result<(), AudioError>> },
}

/// A capture that delivers, for the reader.
pub(super) struct Capture {
    /// Counts captures.
    pub(super) generation: u64,
    /// At the model's rate.
    pub(super) source: Box<dyn AudioSource>,
    pub(super) monitor: CaptureMonitor,
    /// The device's own rate.
    pub(super) rate: SampleRate,
}

/// The supervisor's end of a capture.
struct Running {
    generation: u64,
    stream: Box<dyn Send>,
    monitor: CaptureMonitor,
}

/// What the thread works with.
pub(super) struct Wiring {
    pub(super) opener: Box<dyn OpenDevice>,
    pub(super) config: SupervisionConfig,
    pub(super) messages: Receiver<Message>,
    /// Disconnects when all is over.
    pub(super) stop: Receiver<()>,
    pub(super) captures: Sender<Capture>,
    /// Told how the first attempt ended.
    pub(super) first: Sender<Result<(), AudioError>>,
    pub(super) status: Arc<SharedStatus>,
}

/// What the thread does.
pub(super) fn run(wiring: Wiring) {
    let mut first = Some(wiring.first.clone());
    let preferred = wiring.config.device.clone();
    let began = Instant::now();
    let policy = Policy::new(wiring.config.retry.clone(), preferred.is_some(), Duration::ZERO);
    let mut supervisor =
        Supervisor { wiring, preferred, policy, began, running: None, n_captures: 0, last_told: None, lost_at: None };
    loop {
        let step = supervisor.policy.step(supervisor.now());
        let go_on = match step {
            Step::Open(which) => supervisor.attempt(which, &mut first),
            Step::WaitUntil(at) => supervisor.wait(Some(at)),
            Step::Wait => supervisor.wait(None),
        };
        if go_on.is_none() {
            break;
        }
    }
    supervisor.close();
}

struct Supervisor {
    wiring: Wiring,
    preferred: Option<String>,
    policy: Policy,
    began: Instant,
    running: Option<Running>,
    n_captures: u64,
    /// The failure that was last told, so that the log has each once.
    last_told: Option<String>,
    lost_at: Option<Instant>,
}

/// Nothing when all is over.
type GoOn = Option<()>;

impl Supervisor {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn is_stopped(&self) -> bool {
        self.wiring.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits for something to happen, until `deadline`, and sees to it.
    fn wait(&mut self, deadline: Option<Duration>) -> GoOn {
        let timeout = deadline.map_or(never(), |at| crossbeam_channel::after(at.saturating_sub(self.now())));
        select! {
            recv(self.wiring.stop) -> _ => None,
            recv(self.wiring.messages) -> message => match message.ok()? {
                Message::Lost { generation, loss, reason } => {
                    self.lost(generation, loss, &reason);
                    Some(())
                }
                Message::Choose { device, reply } => self.choose(device, &reply),
            },
            recv(timeout) -> _ => Some(()),
        }
    }

    /// Opens one of the devices and hands it over.
    fn attempt(&mut self, which: Which, first: &mut Option<Sender<Result<(), AudioError>>>) -> GoOn {
        let device = match which {
            Which::Preferred => self.preferred.clone(),
            Which::Default => None,
        };
        let opened = self.open(device.as_deref());
        if self.is_stopped() {
            return None;
        }
        match opened {
            Ok(opened) => {
                self.policy.opened(which, self.began.elapsed());
                self.hand_over(opened, which)?;
                if let Some(first) = first.take() {
                    // Whoever started this has gone if nobody takes it.
                    let _ = first.send(Ok(()));
                }
            }
            Err(error) => {
                self.tell_failure(which, &error);
                self.policy.failed(which, self.began.elapsed());
                if let Some(told) = first.take() {
                    let is_final = !(self.wiring.config.wait_for_device && is_worth_waiting(&error));
                    let _ = told.send(Err(error));
                    if is_final {
                        return None;
                    }
                }
            }
        }
        Some(())
    }

    /// Opens a device and waits until it delivers: one that is open and silent would only be lost again.
    fn open(&mut self, device: Option<&str>) -> Result<(Running, Capture, OpenedAs), AudioError> {
        let Opened { stream, source, n_channels, sample_format } = self.wiring.opener.open(device)?;
        let monitor = source.monitor();
        let (id, rate) = (source.name().to_owned(), source.sample_rate());
        let source = at_model_rate(Box::new(source))?;
        let opened_at = Instant::now();
        while monitor.first_block().is_none() {
            if let Some(reason) = monitor.fault() {
                return Err(AudioError::DeviceLost { device: id, reason: reason.to_owned() });
            }
            let waited = opened_at.elapsed();
            if waited >= self.wiring.config.stall_timeout {
                return Err(AudioError::DeviceSilent { device: id, seconds: waited.as_secs_f64() });
            }
            // Nothing is ever sent: an answer means that all is over.
            if self.wiring.stop.recv_timeout(LOOK_FOR_SOUND_EVERY)
                == Err(crossbeam_channel::RecvTimeoutError::Disconnected)
            {
                return Err(AudioError::DeviceEnded { device: id });
            }
        }
        self.n_captures += 1;
        let generation = self.n_captures;
        let capture = Capture { generation, source, monitor: monitor.clone(), rate };
        let opened_as = OpenedAs { id, rate_hz: rate.hz(), n_channels, sample_format };
        Ok((Running { generation, stream, monitor }, capture, opened_as))
    }

    /// Gives a capture to the reader, in the place of the one before, which ends.
    fn hand_over(&mut self, (running, capture, device): (Running, Capture, OpenedAs), which: Which) -> GoOn {
        let away_s = self.lost_at.take().map(|lost_at| lost_at.elapsed().as_secs_f64());
        tracing::info!(
            device = device.id,
            rate_hz = device.rate_hz,
            channels = device.n_channels,
            format = device.sample_format,
            away_s,
            "{}",
            match which {
                Which::Preferred => "microphone opened",
                Which::Default => "the preferred microphone is away: the default one is heard in its place",
            }
        );
        self.last_told = None;
        let state = match which {
            Which::Preferred => DeviceState::Listening,
            Which::Default => DeviceState::Fallback,
        };
        let before = self.running.replace(running);
        self.wiring.status.lock().opened(device, state, capture.monitor.clone());
        select! {
            send(self.wiring.captures, capture) -> sent => sent.ok()?,
            recv(self.wiring.stop) -> _ => return None,
        }
        if let Some(before) = before {
            self.retire(before);
        }
        Some(())
    }

    fn retire(&self, running: Running) {
        running.monitor.finish();
        drop(running.stream);
        self.wiring.status.lock().ended(&running.monitor);
    }

    fn close(&mut self) {
        if let Some(running) = self.running.take() {
            self.retire(running);
        }
    }

    fn lost(&mut self, generation: u64, loss: Loss, reason: &AudioError) {
        // Another may have taken its place while the message was under way.
        let Some(running) = self.running.take_if(|running| running.generation == generation) else { return };
        tracing::warn!(%reason, "the microphone is lost; silence stands in for it until it is back");
        self.lost_at = Some(Instant::now());
        self.last_told = None;
        self.wiring.status.lock().lost(reason.to_string());
        self.policy.lost(loss, self.began.elapsed());
        self.retire(running);
    }

    /// Each reason once, until a device is heard again or the reason is another.
    fn tell_failure(&mut self, which: Which, error: &AudioError) {
        let mut status = self.wiring.status.lock();
        status.n_failed_openings += 1;
        let reason = error.to_string();
        let is_probe = self.policy.heard().is_some();
        if !is_probe {
            status.last_reason = Some(reason.clone());
        }
        drop(status);
        if is_probe || which == Which::Default || self.last_told.as_ref() == Some(&reason) {
            tracing::debug!(%reason, ?which, "no microphone yet");
        } else {
            // At the very beginning it is the caller's to tell.
            if self.n_captures > 0 || self.wiring.config.wait_for_device {
                tracing::warn!(%reason, "no microphone; trying again and again");
            }
            self.last_told = Some(reason);
        }
    }

    fn choose(&mut self, device: Option<String>, reply: &Sender<Result<(), AudioError>>) -> GoOn {
        let opened = self.open(device.as_deref());
        if self.is_stopped() {
            return None;
        }
        let (go_on, answer) = match opened {
            Ok(opened) => {
                self.preferred = device.clone();
                self.wiring.status.lock().preferred = device;
                self.policy.preferred_opened(self.preferred.is_some(), self.began.elapsed());
                (self.hand_over(opened, Which::Preferred), Ok(()))
            }
            Err(error) => {
                tracing::warn!(%error, "the microphone that was asked for cannot be opened");
                (Some(()), Err(error))
            }
        };
        // Who asked may have given up.
        let _ = reply.try_send(answer);
        go_on
    }
}
