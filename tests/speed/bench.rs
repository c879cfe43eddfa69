//! What everything costs, in CPU time of this process: `cargo bench`, or `cargo bench -- training` for a part.
//!
//! Criterion runs and judges the measurements; the clock is the process's own ([`clock`]), so that all threads count and
//! neighbours on the machine do not.

mod clock;
#[path = "../common/mod.rs"]
mod common;
#[path = "../dataset_support/mod.rs"]
mod dataset_support;
mod fixtures;
mod front_end;
mod kernels;
mod pipeline;
mod training;

use std::path::Path;
use std::time::Duration;

use clock::Clock;
use criterion::Criterion;

fn main() {
    // As `tripword train` does.
    tripword::train::environment::ensure();
    if let Some(folder) = std::env::var_os("TRIPWORD_SPEED_FIXTURES") {
        return fixtures::write(Path::new(&folder));
    }
    let mut criterion = Criterion::default()
        .with_measurement(Clock::from_environment())
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    kernels::measure(&mut criterion);
    front_end::measure(&mut criterion);
    pipeline::measure(&mut criterion);
    training::measure(&mut criterion);
    criterion.final_summary();
}
