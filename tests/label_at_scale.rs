//! Much audio: what a second core brings to `label`, and how much memory `label` and `listen` take.
//!
//! The tests measure, so they run one after the other, in a process that does nothing else.
#![cfg(target_os = "linux")] // where a process can be asked what it has used

#[path = "common/binary.rs"]
mod binary;
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use binary::{Ran, json_lines, long_wav, random_model, random_wav, run, tripword};

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

/// Processor time of all child processes that have ended.
fn cpu_of_children() -> Duration {
    // The fields after the name, which may contain spaces; cutime and cstime are the 16th and 17th of proc(5), in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// Keeps `n_threads` threads busy with an equal part each of the same work.
fn spin(n_threads: u32) -> Duration {
    const MULTIPLICATIONS: u32 = 80_000_000;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                // Several chains at once, as a network's sums: what shares a core with another gets no more done by it.
                let mut sums = [1.0f32; 64];
                for _ in 0..MULTIPLICATIONS / n_threads {
                    sums.iter_mut().for_each(|sum| *sum = *sum * 0.999 + 0.001);
                    std::hint::black_box(&mut sums);
                }
            });
        }
    });
    began.elapsed()
}

/// The least wall and processor time of several runs: what neighbours on the machine add does not count.
#[derive(Clone, Copy)]
struct Least {
    wall: Duration,
    cpu: Duration,
}

impl Least {
    const NONE: Self = Self { wall: Duration::MAX, cpu: Duration::MAX };

    fn of<R>(&mut self, work: impl FnOnce() -> R) {
        let (began, cpu_before) = (Instant::now(), cpu_of_children());
        work();
        self.wall = self.wall.min(began.elapsed());
        self.cpu = self.cpu.min(cpu_of_children() - cpu_before);
    }
}

#[test]
fn a_second_core_halves_the_time_and_changes_nothing() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let files: Vec<PathBuf> = (0..2000).map(|i| random_wav(folder.path(), &format!("{i}.wav"), i, 1.0)).collect();
    let label = |n_jobs: usize| -> Ran {
        let jobs = n_jobs.to_string();
        let ran = run(tripword().args(["label", "--json", "--jobs", &jobs, "--model"]).arg(&model).args(&files));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    };
    let expected = label(3).stdout;
    assert!(expected.lines().count() > 1000);
    for n_jobs in [1, 2] {
        assert!(label(n_jobs).stdout == expected, "the events of {n_jobs} jobs are not those of 3");
    }
    if tripword::parallel::n_cores() < 2 {
        eprintln!("SKIPPED in part: there is only one core");
        return;
    }
    let (mut alone, mut both) = (Least::NONE, Least::NONE);
    let (mut spin_alone, mut spins_of_both) = (Duration::MAX, Vec::new());
    for round in 1.. {
        // A neighbour may hold the other core, so it is seen in each round what is to be had of it.
        spin_alone = spin_alone.min(spin(1));
        spins_of_both.push(spin(2));
        alone.of(|| label(1));
        both.of(|| label(2));
        let offered =
            spin_alone.as_secs_f64() * f64::from(round) / spins_of_both.iter().sum::<Duration>().as_secs_f64();
        let gained = alone.wall.as_secs_f64() / both.wall.as_secs_f64();
        let cost = both.cpu.as_secs_f64() / alone.cpu.as_secs_f64();
        eprintln!(
            "round {round}: {:?} with one job, {:?} with two: {gained:.2} times as fast, where {offered:.2} is offered; \
             processor time {:?} and {:?}",
            alone.wall, both.wall, alone.cpu, both.cpu
        );
        // Two threads that share a core take longer each: then only what is gained counts.
        let is_well = gained >= 0.8 * offered && (cost < 1.15 || offered < 1.7);
        if round >= 3 && is_well && offered > 1.7 {
            break;
        }
        if round == 8 {
            assert!(
                is_well,
                "two jobs are {gained:.2} times as fast, where {offered:.2} is offered, at {cost:.2} times the cost"
            );
            eprintln!("SKIPPED in part: no second core was free");
            break;
        }
    }
}

/// Runs the command and gives the most memory it held, in MB. (wait4 counts what the parent held before the command began.)
fn peak_megabytes(command: &mut Command) -> (f64, String) {
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut child = command.stdout(output.reopen().unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        // Gone from the file when the process ends.
        let text = std::fs::read_to_string(&status_file).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak_kib = peak.unwrap_or(peak_kib);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    };
    assert!(status.success());
    (f64::from(peak_kib) * 1024.0 / 1e6, std::fs::read_to_string(output.path()).unwrap())
}

#[test]
fn two_hours_of_audio_fit_in_little_memory() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.wav");
    let file = folder.path().join("long.wav");
    long_wav(&file, 2.0, &demo);
    let words = |lines: &str| -> Vec<String> {
        json_lines(lines).iter().map(|event| event["word"].as_str().unwrap().to_owned()).collect()
    };
    let demo_words = words(&run(tripword().args(["label", "--json"]).arg(&demo)).stdout);
    let spoken = [&demo_words[..], &demo_words].concat();
    assert!(spoken.len() > 10);

    let (label_mb, events) = peak_megabytes(tripword().args(["label", "--json"]).arg(&file));
    assert_eq!(words(&events), spoken);
    let (listen_mb, events) = peak_megabytes(tripword().args(["listen", "--input"]).arg(&file));
    assert_eq!(words(&events), spoken);
    let (report_mb, reported) = peak_megabytes(tripword().args(["label", "--json", "--report"]).arg(&file));
    assert_eq!(words(&reported), spoken);
    eprintln!("label {label_mb:.1} MB, with a page {report_mb:.1} MB, listen {listen_mb:.1} MB");
    assert!(report_mb > label_mb && report_mb < 80.0, "label --report took {report_mb:.1} MB");
    assert!(label_mb > 1.0 && label_mb < 60.0, "label took {label_mb:.1} MB");
    // 19 of the 27 MB are pages of the program itself, 5.3 of them the model. One with debug assertions is larger by 3.5.
    let listen_limit_mb = if cfg!(debug_assertions) { 32.0 } else { 28.0 };
    assert!(listen_mb > 1.0 && listen_mb < listen_limit_mb, "listen took {listen_mb:.1} MB");
}
