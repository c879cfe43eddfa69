//! The environment a training runs in.
//!
//! Two things about it can only be set before a process starts without resorting to unsafe code: candle's number of threads
//! (shards are the parallelism here; threads inside a matrix product would only wait for each other) and glibc's
//! allocator, which by default returns each large tensor to the system and has it zeroed again, a third of the time of a
//! training step. So a program that trains starts itself once more with both set.

use std::process::Command;

/// Set on the second start, so that there is no third.
const MARK: &str = "TRIPWORD_TRAIN_ENVIRONMENT";

const VARIABLES: &[(&str, &str)] = &[
    ("RAYON_NUM_THREADS", "1"),
    // Never map single blocks, never give the heap's end back: tensors of a step reuse the last step's memory.
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Replaces the process by itself in the right environment; returns when it is already there, or where that is impossible
/// (training is then only slower).
pub fn ensure() {
    if std::env::var_os(MARK).is_some() {
        return;
    }
    let Ok(executable) = std::env::current_exe() else { return };
    let mut command = Command::new(executable);
    command.args(std::env::args_os().skip(1)).env(MARK, "1");
    for (name, value) in VARIABLES {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        tracing::warn!(%error, "cannot restart with the allocator settings for training; it will be slower");
    }
}
