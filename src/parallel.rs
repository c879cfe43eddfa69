//! The same work over many things, on some threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

/// Threads for work that keeps a core busy: as many as there are cores.
pub fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `work` over `jobs` on `n_threads` threads called `name`, each with a `state` of its own. Results come back in the order
/// of the jobs, whatever the number of threads. `progress(done, total)` is called on this thread after each job.
///
/// # Panics
/// When the system cannot start a thread, or a job panics.
pub fn map<J: Sync, S, R: Send>(
    name: &str,
    jobs: &[J],
    n_threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &J) -> R + Sync,
    progress: &dyn Fn(usize, usize),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        // At most one result a job is ever in it.
        let (sender, receiver) = crossbeam_channel::bounded(jobs.len());
        for _ in 0..n_threads.clamp(1, jobs.len().max(1)) {
            let (sender, next, state, work) = (sender.clone(), &next, &state, &work);
            let body = move || {
                let mut state = state();
                // Only the count is shared; results travel through the channel.
                while let Some(job_idx) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&idx| idx < jobs.len()) {
                    let result = work(&mut state, &jobs[job_idx]);
                    if sender.send((job_idx, result)).is_err() {
                        return;
                    }
                }
            };
            Builder::new().name(name.to_owned()).spawn_scoped(scope, body).expect("the system can start a thread");
        }
        drop(sender);
        for (n_done, (job_idx, result)) in receiver.iter().enumerate() {
            results[job_idx] = Some(result);
            progress(n_done + 1, jobs.len());
        }
    });
    // A job that panicked has panicked the scope above.
    results.into_iter().map(|result| result.expect("every job sends one result")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..100).collect();
        for n_threads in [1, 3, 200] {
            let squares = map("test", &jobs, n_threads, || (), |_, job| job * job, &|_, _| {});
            assert_eq!(squares, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
        assert!(map("test", &[0u8; 0], 2, || (), |_, _| 0, &|_, _| {}).is_empty());
    }
}
