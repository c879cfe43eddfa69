//! Calls into the outside world that may never return.

use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};

use super::Failure;

/// Makes calls on a thread of their own and waits no longer than asked. A call that hangs is left behind, and no other is made until it
/// has returned: at most one thread hangs.
#[derive(Default)]
pub(super) struct Patience {
    hanging: Option<Receiver<Result<(), Failure>>>,
}

impl Patience {
    /// Calls `work`, for at most so long.
    ///
    /// # Errors
    /// What `work` gives, or in passing that it hangs.
    pub(super) fn call(
        &mut self,
        limit: Duration,
        work: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        if let Some(hanging) = &self.hanging
            && hanging.try_recv() == Err(TryRecvError::Empty)
        {
            return Err(Failure::Passing("the call before still hangs".into()));
        }
        self.hanging = None;
        let (sender, result) = bounded(1);
        let thread = Builder::new().name("tw-patience".into()).spawn(move || {
            // Nobody waits any more: the result has no taker.
            let _ = sender.send(work());
        })?;
        match result.recv_timeout(limit) {
            Ok(result) => {
                // It has sent its result and ends.
                let _ = thread.join();
                result
            }
            Err(RecvTimeoutError::Timeout) => {
                self.hanging = Some(result);
                Err(Failure::Passing(format!("no answer within {} ms", limit.as_millis())))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Lasting("the call panicked".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_left_behind_once() {
        let mut patience = Patience::default();
        let (release, held) = bounded::<()>(0);
        let limit = Duration::from_millis(20);
        let hang = patience.call(limit, move || {
            let _ = held.recv();
            Ok(())
        });
        assert!(matches!(hang, Err(Failure::Passing(reason)) if reason.contains("20 ms")));
        let next = patience.call(limit, || Ok(()));
        assert!(matches!(next, Err(Failure::Passing(reason)) if reason.contains("still hangs")));
        drop(release);
        super::super::testing::wait_until("it returns", || patience.call(Duration::from_secs(20), || Ok(())).is_ok());
        let failed = patience.call(Duration::from_secs(20), || Err(Failure::Lasting("no".into())));
        assert_eq!(failed, Err(Failure::Lasting("no".into())));
    }
}
