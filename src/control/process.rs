//! What the system says of this process.

/// Memory that lies in the machine's, in bytes; none where there is no `/proc`.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    // As in `VmRSS:     24680 kB`.
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Time of the processor over all threads, in seconds.
pub(super) fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_and_time_are_those_of_a_running_process() {
        let bytes = resident_bytes().unwrap();
        assert!((1_000_000..100_000_000_000).contains(&bytes), "{bytes}");
        let before = cpu_s();
        let mut sum = 0u64;
        while cpu_s() - before < 0.001 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }
}
