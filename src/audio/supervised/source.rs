//! The reader's end: one stream out of many captures, with the gaps between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, after, select};

use super::pace::{PaceFault, PaceWatch};
use super::policy::Loss;
use super::status::SharedStatus;
use super::thread::{Capture, Message};
use crate::audio::{AudioError, AudioSource, Read};
use crate::units::SampleRate;

/// A gap that lasts longer is told so far: what was said right before it waits for the silence after it.
const TELL_GAP_AFTER: Duration = Duration::from_secs(1);
/// And again in this rhythm for as long as it lasts.
const TELL_GAP_EVERY: Duration = Duration::from_secs(5);

/// One sample at the model's rate: 62.5 µs, a whole number of nanoseconds, so that counts of samples and times convert without a rest.
const SAMPLE: Duration = Duration::from_nanos(1_000_000_000 / SampleRate::MODEL.hz() as u64);

/// A microphone at the model's rate that never ends by itself: what is lost is told as gaps. See [`supervise`](super::supervise).
pub struct SupervisedSource {
    /// Of the device that is heard, or was last.
    name: String,
    captures: Receiver<Capture>,
    stop: Receiver<()>,
    reports: Sender<Message>,
    status: Arc<SharedStatus>,
    watch_pace: bool,
    current: Option<Current>,
    /// Without a capture: until when the stream has been told. None before its first sample.
    told_until: Option<Instant>,
    /// When the next part of a gap is told.
    tell_at: Instant,
    /// Samples of the current capture that the one before has delivered, too.
    n_to_skip: u64,
    n_unusable_before: u64,
    is_over: bool,
}

struct Current {
    capture: Capture,
    /// When the first sample was taken.
    start: Instant,
    /// Samples and gaps that came out of it, at the model's rate.
    n_told: u64,
    pace: PaceWatch,
}

impl Current {
    /// Samples that the device has delivered, at its own rate.
    fn n_captured(&self) -> u64 {
        let counts = self.capture.monitor.counts();
        counts.samples_delivered + counts.samples_lost
    }

    /// When the last of what came out of it was heard. What came in later, as at the end of a full ring, belongs to the gap that follows.
    fn told_until(&self) -> Instant {
        let captured_s = self.capture.rate.seconds(self.n_captured());
        let untold_s = (captured_s - SampleRate::MODEL.seconds(self.n_told)).max(0.0);
        let last = self.capture.monitor.last_block().unwrap_or(self.start);
        last.checked_sub(Duration::from_secs_f64(untold_s)).unwrap_or(last).max(self.start)
    }
}

impl SupervisedSource {
    pub(super) fn new(
        name: String,
        captures: Receiver<Capture>,
        stop: Receiver<()>,
        reports: Sender<Message>,
        status: Arc<SharedStatus>,
        watch_pace: bool,
    ) -> Self {
        let mut source = Self {
            name,
            captures,
            stop,
            reports,
            status,
            watch_pace,
            current: None,
            told_until: None,
            tell_at: Instant::now() + TELL_GAP_AFTER,
            n_to_skip: 0,
            n_unusable_before: 0,
            is_over: false,
        };
        match source.captures.try_recv() {
            // A stream begins with its first sample, or, if that has to be waited for, now.
            Ok(capture) => drop(source.take_over(capture)),
            Err(_) => source.told_until = Some(Instant::now()),
        }
        source
    }

    fn is_stopped(&self) -> bool {
        self.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Goes on with another capture; gives the gap before it.
    fn take_over(&mut self, capture: Capture) -> Option<Read> {
        let (first_at, n_first) = capture.monitor.first_block().expect("it is handed over when it delivers");
        let block = Duration::from_secs_f64(capture.rate.seconds(n_first));
        let start = first_at.checked_sub(block).unwrap_or(first_at);
        let pace = PaceWatch::new(capture.rate);
        capture.source.name().clone_into(&mut self.name);
        let told_until = self.told_until.take().unwrap_or(start);
        self.n_to_skip = whole_samples(told_until.saturating_duration_since(start));
        self.current = Some(Current { capture, start, n_told: 0, pace });
        match whole_samples(start.saturating_duration_since(told_until)) {
            0 => None,
            lost_samples => Some(Read::Gap { lost_samples }),
        }
    }

    /// Without a capture: waits for one, for a part of the gap to tell, or for the end.
    fn wait(&mut self) -> Option<Read> {
        let told_until = self.told_until.expect("without a capture it is known");
        let timeout = after(self.tell_at.saturating_duration_since(Instant::now()));
        let is_over = select! {
            recv(self.captures) -> capture => match capture {
                Ok(capture) => return self.take_over(capture),
                Err(_) => true,
            },
            recv(self.stop) -> _ => true,
            recv(timeout) -> _ => false,
        };
        self.is_over = is_over;
        let now = Instant::now();
        self.tell_at = now + TELL_GAP_EVERY;
        let lost_samples = whole_samples(now.saturating_duration_since(told_until));
        self.told_until = Some(told_until + duration(lost_samples));
        (lost_samples > 0).then_some(Read::Gap { lost_samples })
    }

    /// The current capture is over: because another one follows, because all is over, or because something is wrong.
    fn end(&mut self, error: Option<AudioError>) {
        let Some(current) = self.current.take() else { return };
        self.told_until = Some(current.told_until());
        self.tell_at = current.told_until() + TELL_GAP_AFTER;
        self.n_unusable_before += current.capture.source.n_unusable_samples();
        if self.is_stopped() {
            self.is_over = true;
            return;
        }
        // The next capture is on its way before this one is ended for it.
        if error.is_none() && !self.captures.is_empty() {
            return;
        }
        let reason = error.unwrap_or_else(|| AudioError::DeviceEnded { device: self.name.clone() });
        let loss = match reason {
            AudioError::DeviceTooFast { .. } | AudioError::DeviceWrongRate { .. } => Loss::Misbehaved,
            _ => Loss::Gone,
        };
        let report = Message::Lost { generation: current.capture.generation, loss, reason };
        select! {
            send(self.reports, report) -> _ => {}
            recv(self.stop) -> _ => self.is_over = true,
        }
    }

    /// Whether samples are as many as they should be; gives what is wrong beyond use.
    fn look_at_pace(&mut self) -> Option<AudioError> {
        let current = self.current.as_mut().filter(|_| self.watch_pace)?;
        let (n_captured, rate) = (current.n_captured(), current.capture.rate);
        let ratio_before = current.pace.ratio();
        let fault = current.pace.look(current.start.elapsed(), n_captured);
        let ratio = current.pace.ratio();
        if ratio != ratio_before {
            self.status.lock().rate_ratio = ratio;
        }
        let fault = fault?;
        let device = self.name.clone();
        match fault {
            PaceFault::TooFast { times } => Some(AudioError::DeviceTooFast { device, times }),
            PaceFault::WrongRate { ratio } => {
                Some(AudioError::DeviceWrongRate { device, found_hz: ratio * f64::from(rate.hz()), agreed: rate })
            }
            PaceFault::RateOff { ratio } => {
                self.status.lock().n_rate_warnings += 1;
                let found_hz = (ratio * f64::from(rate.hz())).round();
                tracing::warn!(
                    device,
                    found_hz,
                    agreed_hz = rate.hz(),
                    "the microphone's rate is wrong: words may be missed; ask for another with input.rate_hz"
                );
                None
            }
        }
    }
}

impl AudioSource for SupervisedSource {
    fn sample_rate(&self) -> SampleRate {
        SampleRate::MODEL
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn n_unusable_samples(&self) -> u64 {
        let of_current = self.current.as_ref().map_or(0, |current| current.capture.source.n_unusable_samples());
        self.n_unusable_before + of_current
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        assert!(!chunk.is_empty(), "a read needs room for at least one sample");
        loop {
            if self.is_over {
                return Ok(Read::End);
            }
            let Some(current) = &mut self.current else {
                match self.wait() {
                    Some(gap) => return Ok(gap),
                    None => continue,
                }
            };
            match current.capture.source.read(chunk) {
                Ok(Read::Samples(n)) => {
                    current.n_told += n as u64;
                    let n_skipped = self.n_to_skip.min(n as u64);
                    self.n_to_skip -= n_skipped;
                    chunk.copy_within(n_skipped as usize..n, 0);
                    if let Some(error) = self.look_at_pace() {
                        self.end(Some(error));
                    }
                    if n as u64 > n_skipped {
                        return Ok(Read::Samples(n - n_skipped as usize));
                    }
                }
                Ok(Read::Gap { lost_samples }) => {
                    current.n_told += lost_samples;
                    let n_skipped = self.n_to_skip.min(lost_samples);
                    self.n_to_skip -= n_skipped;
                    if lost_samples > n_skipped {
                        return Ok(Read::Gap { lost_samples: lost_samples - n_skipped });
                    }
                }
                Ok(Read::End) => self.end(None),
                Err(error) => self.end(Some(error)),
            }
        }
    }
}

fn whole_samples(span: Duration) -> u64 {
    (span.as_nanos() / SAMPLE.as_nanos()) as u64
}

fn duration(n_samples: u64) -> Duration {
    Duration::from_nanos(n_samples.saturating_mul(SAMPLE.as_nanos() as u64))
}
