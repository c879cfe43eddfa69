//! The clock of the measurements: CPU time of this process, or with `TRIPWORD_SPEED_CLOCK=wall` the time that passes.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Which time counts, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// User and system time of all threads.
    Cpu,
    /// What passes meanwhile: it matters where threads share the work.
    Wall,
}

impl Clock {
    pub(crate) fn from_environment() -> Self {
        match std::env::var("TRIPWORD_SPEED_CLOCK").as_deref() {
            Ok("wall") => Self::Wall,
            Ok("cpu") | Err(_) => Self::Cpu,
            Ok(other) => panic!("TRIPWORD_SPEED_CLOCK is '{other}'; expected cpu or wall"),
        }
    }

    fn now_ns(self) -> u64 {
        let time = clock_gettime(match self {
            Self::Cpu => ClockId::ProcessCPUTime,
            Self::Wall => ClockId::Monotonic,
        });
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

impl Measurement for Clock {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        self.now_ns()
    }

    fn end(&self, start: u64) -> u64 {
        self.now_ns() - start
    }

    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Formatter
    }
}

/// Nanoseconds, written as criterion writes its own.
struct Formatter;

impl ValueFormatter for Formatter {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
