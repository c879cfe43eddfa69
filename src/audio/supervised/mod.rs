//! A microphone that comes back: sound server killed or restarted, source removed, plug pulled, nonsense delivered.
//!
//! ```text
//!  [tw-device thread]  opens, closes, retries ──▶ captures ──▶  SupervisedSource  (read by the feature thread)
//!     policy: when to open which device       ◀── losses ───    pace: are samples as many as they should be?
//! ```
//!
//! Whatever ends a capture - an error, silence of the callbacks for [`SupervisionConfig::stall_timeout`], sound far faster than time,
//! a rate that is beyond use - sound system, device and stream are built anew, after pauses that grow ([`RetryConfig`]). When the
//! preferred device stays away the system's default is heard, and the preferred one is taken again when it delivers: it is opened
//! while the other is still heard, so nothing is lost in between.
//!
//! **The clock goes on.** The time without sound, from the last block of one capture to the first of the next, is told as
//! [`Read::Gap`](super::Read::Gap), so that positions stay where the wall clock would see them; what two captures both heard is heard
//! once. A long gap is told in parts while it lasts: what was said right before it is decided, and whoever waits for a sign
//! of life gets one.
//!
//! **A stop waits for nobody.** Dropping [`DeviceStop`] ends the source after what was captured, also in the middle of a pause; the
//! supervisor is joined unless the sound system holds it for longer than [`CLOSE_DEADLINE`].

mod opener;
mod pace;
mod policy;
mod source;
mod status;
#[cfg(test)]
mod tests;
mod thread;

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

pub use opener::{Hardware, OpenDevice, Opened};
pub use policy::RetryConfig;
pub use source::SupervisedSource;
pub use status::{ChooseError, DeviceState, DeviceStatus, DeviceWatch};

use super::AudioError;
use status::SharedStatus;
use thread::Wiring;

/// How long a stop waits for a device to close: hardware takes a few milliseconds, a server that hangs takes for ever.
pub const CLOSE_DEADLINE: Duration = Duration::from_millis(150);

/// How long the start waits for the first attempt. A server that hangs would keep it for half a minute.
const FIRST_DEADLINE: Duration = Duration::from_secs(10);

/// Messages on their way to the supervisor: one loss at a time, and requests for other devices, which wait.
const MESSAGES_MAX: usize = 4;

/// How a microphone is looked after.
#[derive(Debug, Clone, PartialEq)]
pub struct SupervisionConfig {
    /// The preferred device; `None` is the system's default, which leaves nothing to fall back to.
    pub device: Option<String>,
    /// Whether a microphone that is not there yet is waited for. If not, it is an error at the start; a loss later on never is one.
    pub wait_for_device: bool,
    /// A device that delivers nothing for so long is lost; also one that was just opened.
    pub stall_timeout: Duration,
    /// Whether the pace of the samples is watched; not where sound is played in faster than time on purpose.
    pub watch_pace: bool,
    /// How patient it is.
    pub retry: RetryConfig,
}

impl Default for SupervisionConfig {
    fn default() -> Self {
        Self {
            device: None,
            wait_for_device: false,
            stall_timeout: Duration::from_secs(2),
            watch_pace: true,
            retry: RetryConfig::default(),
        }
    }
}

/// Opens the microphone and keeps it open.
///
/// # Errors
/// When the first attempt fails, unless the device may still come and is to be waited for.
pub fn supervise(
    opener: impl OpenDevice + 'static,
    config: SupervisionConfig,
) -> Result<(SupervisedSource, DeviceStop, DeviceWatch), AudioError> {
    let status = Arc::new(SharedStatus::new(config.device.clone()));
    let (requests, messages) = bounded(MESSAGES_MAX);
    // Nothing is ever sent through these two: their ends are the news.
    let (stop, stopped) = bounded(0);
    let (ended_sender, ended) = bounded::<()>(0);
    let (captures_sender, captures) = bounded(1);
    let (first_sender, first) = bounded(1);
    let wiring = Wiring {
        opener: Box::new(opener),
        config: config.clone(),
        messages,
        stop: stopped.clone(),
        captures: captures_sender,
        first: first_sender,
        status: status.clone(),
    };
    let thread = Builder::new()
        .name("tw-device".to_owned())
        .spawn(move || {
            thread::run(wiring);
            drop(ended_sender);
        })
        .map_err(|source| AudioError::NoThread { source })?;
    let stop = DeviceStop { stop: Some(stop), ended, thread: Some(thread), status: status.clone() };
    let first = match first.recv_timeout(FIRST_DEADLINE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(AudioError::NoAnswer { seconds: FIRST_DEADLINE.as_secs_f64() }),
        Err(RecvTimeoutError::Disconnected) => unreachable!("the supervisor tells its first result before it ends"),
    };
    if let Err(error) = first
        && !(config.wait_for_device && is_worth_waiting(&error))
    {
        return Err(error);
    }
    let name = config.device.unwrap_or_else(|| "default".to_owned());
    let watch = DeviceWatch { shared: status.clone(), requests: requests.clone() };
    Ok((SupervisedSource::new(name, captures, stopped, requests, status, config.watch_pace), stop, watch))
}

/// Whether time may help, and not only another configuration.
fn is_worth_waiting(error: &AudioError) -> bool {
    !matches!(
        error,
        AudioError::AmbiguousDevice { .. }
            | AudioError::NoSuchChannel { .. }
            | AudioError::RateOutOfRange { .. }
            | AudioError::UnknownHost { .. }
    )
}

/// Dropping it closes the microphone: the source ends after what was captured so far.
#[derive(Debug)]
pub struct DeviceStop {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    status: Arc<SharedStatus>,
}

impl Drop for DeviceStop {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The reader need not wait until the device is closed.
        self.status.lock().finish();
        let is_stuck = self.ended.recv_timeout(CLOSE_DEADLINE) == Err(RecvTimeoutError::Timeout);
        let Some(thread) = self.thread.take() else { return };
        if is_stuck {
            tracing::warn!("the sound system does not close the microphone: stopping without it");
        } else if let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
