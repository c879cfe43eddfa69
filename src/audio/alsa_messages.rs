//! What ALSA's library says about a device that cannot be opened: a line for each of its layers, on standard error unless somebody takes
//! them. Here they are taken and go to the log, at its level `debug`; what matters reaches the user as an error of ours.

/// Runs `work`, which opens devices on this thread. Other threads are not disturbed, unlike by closing standard error.
#[cfg(target_os = "linux")]
pub(super) fn with_messages_logged<T>(work: impl FnOnce() -> T) -> T {
    // The library writes into it while it is this thread's; the next call puts another in its place, so it does not grow.
    let messages = alsa::Output::local_error_handler();
    let result = work();
    if let Ok(messages) = messages {
        messages.borrow().buffer_string(|text| {
            for line in String::from_utf8_lossy(text).lines() {
                tracing::debug!(message = line, "ALSA says");
            }
        });
    }
    result
}

/// Runs `work`: other systems are silent.
#[cfg(not(target_os = "linux"))]
pub(super) fn with_messages_logged<T>(work: impl FnOnce() -> T) -> T {
    work()
}
