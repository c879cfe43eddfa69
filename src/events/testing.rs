//! What the tests of this module share.

use std::time::{Duration, Instant};

use super::WakeEvent;

/// Some event of `word`, which ended at sample 8000.
pub(super) fn event(word: &str) -> WakeEvent {
    serde_json::from_value(serde_json::json!({
        "version": 1, "file": "microphone", "word": word, "score": 0.9, "start_s": 0.1, "end_s": 0.5, "time_s": 0.6,
        "start_sample": 1600, "end_sample": 8000, "time_sample": 9600, "detection_latency_ms": 100, "level_dbfs": -20.0,
        "snr_db": 30.0, "model": "m", "wall_time": "2026-03-01T12:00:00.123456789Z",
    }))
    .expect("it is an event")
}

/// Waits until `is_there`, and fails after 20 s.
pub(super) fn wait_until(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
