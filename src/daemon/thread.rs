//! A named thread that is joined when its handle goes.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Joins on drop, so that no thread outlives what it works on.
pub(super) struct JoinOnDrop<T>(Option<JoinHandle<T>>);

impl<T: Send + 'static> JoinOnDrop<T> {
    pub(super) fn start(name: &str, body: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        // Linux shows 15 bytes of the name.
        Ok(Self(Some(Builder::new().name(name.to_owned()).spawn(body)?)))
    }

    /// Leaves the thread to itself: it is stuck in the outside world, and the process will end without it.
    pub(super) fn detach(mut self) {
        drop(self.0.take());
    }

    /// Waits for the thread and gives what it returned; its panic goes on here.
    pub(super) fn join(mut self) -> T {
        let handle = self.0.take().expect("taken only here and in drop");
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl<T> Drop for JoinOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take()
            && let Err(panic) = handle.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
