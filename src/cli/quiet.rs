//! Silence for a library that talks.
//!
//! ALSA's library prints to standard error whenever a device cannot be opened, a line for each of its layers; what matters
//! reaches the user as our own message.

/// Runs `work` with standard error closed to everyone. Only for moments in which no other thread has something to say.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    {
        // Whoever debugs wants to hear it.
        if tracing::enabled!(tracing::Level::DEBUG) {
            return work();
        }
        let saved = rustix::io::dup(rustix::stdio::stderr());
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null");
        if let (Ok(saved), Ok(null)) = (saved, null)
            && rustix::stdio::dup2_stderr(null).is_ok()
        {
            let _restored = Restore(saved);
            return work();
        }
        work()
    }
    #[cfg(not(unix))]
    work()
}

/// Gives standard error back, also when the work panics.
#[cfg(unix)]
struct Restore(std::os::fd::OwnedFd);

#[cfg(unix)]
impl Drop for Restore {
    fn drop(&mut self) {
        // Nothing could be said about a failure here.
        let _ = rustix::stdio::dup2_stderr(&self.0);
    }
}
