//! The microphone of a sound server that is killed, hangs, or loses its source, as `tripword listen` meets it: a private PulseAudio
//! whose speaker is the microphone, through ALSA's plugin as on any desktop.
//!
//! `TRIPWORD_KILLS=50` kills the server so often instead of 3 times.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // this test plays the outside world, which keeps its own time
#![allow(clippy::print_stdout)] // a test may say what it measured

#[path = "common/binary.rs"]
mod binary;
mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use binary::{send_signal, tripword};
use common::ALSA_CONF;
use tripword::audio::wav::WavSource;
use tripword::audio::write::write_wav;
use tripword::audio::{ChannelChoice, read_to_end};
use tripword::units::SampleRate;

/// The bars.
const BACK_WITHIN: Duration = Duration::from_secs(2);
const STOP_WITHIN: Duration = Duration::from_millis(300);
const CPU_AWAY_MAX: f64 = 0.01;

/// The part of the demo in which somebody says "computer", in samples.
const WORD: std::ops::Range<usize> = 3 * 16_000 + 8000..6 * 16_000;

/// A server of our own, with two speakers; what they play is what the sources of their monitors hear.
struct SoundServer {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl SoundServer {
    /// None where the packages are missing, which is said loudly.
    fn new() -> Option<Self> {
        for program in ["pulseaudio", "pactl", "paplay"] {
            if Command::new(program).arg("--version").output().is_err() {
                eprintln!("SKIPPED: {program} is missing; install pulseaudio and pulseaudio-utils");
                return None;
            }
        }
        if !Path::new("/usr/share/alsa/alsa.conf.d/pulse.conf").exists() {
            eprintln!("SKIPPED: ALSA's plugin for PulseAudio is missing; install libasound2-plugins");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        // Without norewinds an idle speaker's monitor delivers nothing for seconds.
        let script = format!(
            ".fail\n\
             load-module module-native-protocol-unix socket={0}/native auth-anonymous=1\n\
             load-module module-null-sink sink_name=room rate=16000 channels=1 format=s16le norewinds=1\n\
             load-module module-null-sink sink_name=desk rate=16000 channels=1 format=s16le norewinds=1\n\
             set-default-sink room\n\
             set-default-source room.monitor\n",
            run.display()
        );
        std::fs::write(run.join("server.pa"), script).unwrap();
        std::fs::write(run.join("cookie"), [7; 256]).unwrap();
        // A device that is one source of the server, beside the default.
        let conf = format!(
            "<{ALSA_CONF}>\n\
             pcm.desk {{ type pulse device \"desk.monitor\" hint {{ show on description \"desk microphone\" }} }}\n"
        );
        std::fs::write(run.join("asound.conf"), conf).unwrap();
        let word = demo()[WORD].to_vec();
        write_wav(run.join("word.wav"), &word, SampleRate::MODEL).unwrap();
        let mut server = Self { folder, child: None };
        server.start();
        Some(server)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In the server's world, and in no other.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.enter(&mut command);
        command
    }

    fn enter(&self, command: &mut Command) {
        let run = self.folder.path();
        command
            .env("HOME", run)
            .env("XDG_RUNTIME_DIR", run)
            .env("XDG_CONFIG_HOME", run)
            .env("PULSE_RUNTIME_PATH", run)
            .env("PULSE_SERVER", format!("unix:{}/native", run.display()))
            .env("PULSE_COOKIE", run.join("cookie"))
            .env("ALSA_CONFIG_PATH", run.join("asound.conf"));
    }

    /// Gives when the server first took a connection.
    fn start(&mut self) -> Instant {
        let log = std::fs::File::create(self.path("server.log")).unwrap();
        let mut command = self.command("pulseaudio");
        command.args(["-n", "-F"]).arg(self.path("server.pa"));
        command.args(["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]);
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let began = Instant::now();
        while UnixStream::connect(self.path("native")).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{:?}",
                std::fs::read_to_string(self.path("server.log"))
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Instant::now()
    }

    /// As kill -9 does: no goodbye.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn pactl(&self, args: &[&str]) -> String {
        let output = self.command("pactl").args(args).output().unwrap();
        assert!(output.status.success(), "pactl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The number of the module whose line has all of these.
    fn module(&self, words: [&str; 2]) -> String {
        let list = self.pactl(&["list", "short", "modules"]);
        let line = list.lines().find(|line| words.iter().all(|word| line.contains(word))).expect("it is loaded");
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Says the word in a room, to its end.
    fn say_word(&self, sink: &str) {
        let output =
            self.command("paplay").arg(format!("--device={sink}")).arg(self.path("word.wav")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that was stopped takes this, too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn demo() -> Vec<f32> {
    let path = format!("{}/assets/demo.wav", env!("CARGO_MANIFEST_DIR"));
    read_to_end(&mut WavSource::open(path, ChannelChoice::Mix).unwrap()).unwrap()
}

/// Lines with the moments they came.
type Lines = Arc<Mutex<Vec<(Instant, String)>>>;

fn collect(from: impl std::io::Read + Send + 'static) -> (Lines, JoinHandle<()>) {
    let lines = Lines::default();
    let to = lines.clone();
    let thread = std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to.lock().unwrap().push((Instant::now(), line));
        }
    });
    (lines, thread)
}

/// `tripword listen` in the server's world.
struct Listener {
    child: Child,
    events: Lines,
    log: Lines,
    threads: Vec<JoinHandle<()>>,
}

impl Listener {
    fn start(server: &SoundServer, args: &[&str]) -> Self {
        let mut command = tripword();
        server.enter(&mut command);
        let mut child = command.arg("listen").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (events, first) = collect(child.stdout.take().unwrap());
        let (log, second) = collect(child.stderr.take().unwrap());
        Self { child, events, log, threads: vec![first, second] }
    }

    /// The lines of the log with this text.
    fn logged(&self, text: &str) -> Vec<Instant> {
        self.log.lock().unwrap().iter().filter(|(_, line)| line.contains(text)).map(|(at, _)| *at).collect()
    }

    fn n_events(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    fn wait_for(&self, what: &str, deadline: Duration, is_there: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_there(self) {
            assert!(began.elapsed() < deadline, "{what} within {deadline:?}; log: {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Computing time so far, of all threads, also of those that have ended; in hundredths of a second.
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |idx: usize| fields[idx].parse::<f64>().unwrap();
        // User and system time are fields 14 and 15 of all, 12 and 13 of these.
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in kB, open files, threads.
    fn resources(&self) -> (u64, usize, usize) {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let count = |name: &str| std::fs::read_dir(proc.join(name)).unwrap().count();
        (rss.split_whitespace().next().unwrap().parse().unwrap(), count("fd"), count("task"))
    }

    /// Ends it as a service manager does; gives how long that took, and what the last line says of the microphone.
    fn stop(mut self) -> (Duration, serde_json::Value) {
        let asked = Instant::now();
        assert!(send_signal(&self.child, "TERM").unwrap().success());
        let status = self.child.wait().unwrap();
        let took = asked.elapsed();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        let log = self.log.lock().unwrap();
        assert!(status.success(), "{log:#?}");
        let closed = log.iter().find_map(|(_, line)| line.split_once("microphone closed: ")).expect("it says so");
        (took, serde_json::from_str(closed.1).unwrap())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_that_is_killed_again_and_again_is_heard_again() {
    kill_again_and_again(&[]);
}

#[cfg(feature = "pulseaudio")]
#[test]
fn a_server_that_is_killed_is_heard_again_by_its_own_protocol() {
    kill_again_and_again(&["--set", "input.host=\"pulseaudio\""]);
}

fn kill_again_and_again(args: &[&str]) {
    let Some(mut server) = SoundServer::new() else { return };
    let n_kills: usize = std::env::var("TRIPWORD_KILLS").map_or(3, |n| n.parse().expect("TRIPWORD_KILLS is a number"));
    let listener = Listener::start(&server, args);
    let opened = "microphone opened";
    listener.wait_for("the first opening", Duration::from_secs(10), |it| it.logged(opened).len() == 1);
    std::thread::sleep(Duration::from_secs(1));
    let mut random = common::Random::new(n_kills as u64);
    let (mut backs, mut cpus, mut n_heard) = (Vec::new(), Vec::new(), 0);
    let mut first_resources = None;
    for kill in 1..=n_kills {
        server.kill();
        listener.wait_for("the loss", Duration::from_secs(5), |it| it.logged("microphone is lost").len() == kill);
        let (cpu_before, away_from) = (listener.cpu_s(), Instant::now());
        std::thread::sleep(Duration::from_millis(3000 + random.below(2000) as u64));
        let cpu = (listener.cpu_s() - cpu_before) / away_from.elapsed().as_secs_f64();
        let returned = server.start();
        listener.wait_for("the return", Duration::from_secs(10), |it| it.logged(opened).len() == kill + 1);
        let back = listener.logged(opened)[kill].saturating_duration_since(returned);
        std::thread::sleep(Duration::from_millis(300));
        let n_before = listener.n_events();
        server.say_word("room");
        let deadline = Instant::now() + Duration::from_secs(3);
        while listener.n_events() == n_before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        n_heard += usize::from(listener.n_events() > n_before);
        let resources = listener.resources();
        println!("kill {kill}: back after {back:?}, {:.2} % of a core while away, {resources:?}", 100.0 * cpu);
        // The first loss warms up what stays.
        if kill == 2 {
            first_resources = Some(resources);
        }
        backs.push(back);
        cpus.push(cpu);
    }
    let last = listener.resources();
    let first = first_resources.unwrap_or(last);
    let mean_cpu = cpus.iter().sum::<f64>() / cpus.len() as f64;
    println!(
        "{n_kills} kills: back after {:?} at most, {:.2} % of a core while away (most: {:.2} %), {n_heard} words heard, \
         kB, files, threads: {first:?} after 2 kills, {last:?} at the end",
        backs.iter().max().unwrap(),
        100.0 * mean_cpu,
        100.0 * cpus.iter().copied().fold(0.0, f64::max),
    );
    // The stream's clock is the wall's, however often it was interrupted.
    let offsets: Vec<f64> = listener
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|(at, line)| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["word"], "computer", "{event}");
            (*at - away_origin(&listener)).as_secs_f64() - event["time_s"].as_f64().unwrap()
        })
        .collect();
    let spread = offsets.iter().copied().fold(f64::MIN, f64::max) - offsets.iter().copied().fold(f64::MAX, f64::min);
    println!("the stream's clock against the wall's: {spread:.3} s between the extremes");
    assert!(listener.logged("ALSA lib").is_empty(), "the library talks: {:#?}", listener.log.lock().unwrap());
    let (stop_took, status) = listener.stop();
    println!("stopped in {stop_took:?}; {status}");
    assert!(backs.iter().all(|back| *back < BACK_WITHIN), "{backs:?}");
    assert!(mean_cpu < CPU_AWAY_MAX, "{mean_cpu}");
    assert_eq!(n_heard, n_kills, "a word was said after each return");
    assert!(last.1 <= first.1 && last.2 <= first.2, "files or threads are left behind: {first:?}, {last:?}");
    assert!(last.0 < first.0 + 2048, "memory grows: {first:?}, {last:?}");
    assert!(spread < 0.5, "{offsets:?}");
    assert!(stop_took < STOP_WITHIN, "{stop_took:?}");
    assert_eq!((&status["n_losses"], &status["state"]), (&n_kills.into(), &"listening".into()));
    assert_eq!(status["n_reopenings"], n_kills);
}

/// When the listener wrote its first line.
fn away_origin(listener: &Listener) -> Instant {
    listener.log.lock().unwrap()[0].0
}

#[test]
fn a_source_that_falls_silent_is_replaced_by_the_default_one_until_it_is_back() {
    let Some(server) = SoundServer::new() else { return };
    let listener = Listener::start(&server, &["--input", "alsa:desk"]);
    listener.wait_for("the opening", Duration::from_secs(10), |it| !it.logged("microphone opened").is_empty());
    std::thread::sleep(Duration::from_secs(1));
    server.say_word("desk");
    listener.wait_for("a word at the desk", Duration::from_secs(3), |it| it.n_events() == 1);
    // No error, and a device that can be opened, but no samples.
    server.pactl(&["suspend-sink", "desk", "1"]);
    listener.wait_for("the fallback", Duration::from_secs(15), |it| !it.logged("heard in its place").is_empty());
    std::thread::sleep(Duration::from_millis(500));
    server.say_word("room");
    listener.wait_for("a word in the room", Duration::from_secs(3), |it| it.n_events() == 2);
    server.pactl(&["suspend-sink", "desk", "0"]);
    listener.wait_for("the return", Duration::from_secs(15), |it| it.logged("microphone opened").len() == 2);
    std::thread::sleep(Duration::from_millis(500));
    server.say_word("desk");
    listener.wait_for("a word at the desk again", Duration::from_secs(3), |it| it.n_events() == 3);
    let devices: Vec<String> = listener
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|(_, line)| serde_json::from_str::<serde_json::Value>(line).unwrap()["file"].to_string())
        .collect();
    assert_eq!(devices, ["\"alsa:desk\"", "\"alsa:default\"", "\"alsa:desk\""]);
    let (_, status) = listener.stop();
    assert_eq!((&status["n_losses"], &status["state"]), (&1.into(), &"listening".into()), "{status}");
}

#[test]
fn a_source_that_is_removed_is_heard_when_it_is_back() {
    let Some(server) = SoundServer::new() else { return };
    let listener = Listener::start(&server, &[]);
    listener.wait_for("the opening", Duration::from_secs(10), |it| !it.logged("microphone opened").is_empty());
    std::thread::sleep(Duration::from_secs(1));
    // The server moves the stream to what is left, without a word.
    server.pactl(&["unload-module", &server.module(["null-sink", "room"])]);
    std::thread::sleep(Duration::from_secs(1));
    server.say_word("desk");
    listener.wait_for("a word at the desk", Duration::from_secs(3), |it| it.n_events() == 1);
    // Nothing is left.
    server.pactl(&["unload-module", &server.module(["null-sink", "desk"])]);
    listener.wait_for("the loss", Duration::from_secs(10), |it| !it.logged("microphone is lost").is_empty());
    std::thread::sleep(Duration::from_secs(2));
    server.pactl(&["load-module", "module-null-sink", "sink_name=room", "rate=16000", "channels=1", "norewinds=1"]);
    let returned = Instant::now();
    listener.wait_for("the return", Duration::from_secs(10), |it| it.logged("microphone opened").len() == 2);
    let back = listener.logged("microphone opened")[1].saturating_duration_since(returned);
    std::thread::sleep(Duration::from_millis(500));
    server.say_word("room");
    listener.wait_for("a word in the room", Duration::from_secs(3), |it| it.n_events() == 2);
    let (_, status) = listener.stop();
    println!("back after {back:?}; {status}");
    assert!(back < BACK_WITHIN, "{back:?}");
    assert_eq!(status["state"], "listening");
}

#[test]
fn a_server_that_hangs_holds_up_no_stop() {
    let Some(server) = SoundServer::new() else { return };
    let listener = Listener::start(&server, &[]);
    listener.wait_for("the opening", Duration::from_secs(10), |it| !it.logged("microphone opened").is_empty());
    std::thread::sleep(Duration::from_millis(500));
    assert!(send_signal(server.child.as_ref().unwrap(), "STOP").unwrap().success());
    listener.wait_for("the loss", Duration::from_secs(10), |it| !it.logged("microphone is lost").is_empty());
    std::thread::sleep(Duration::from_secs(1));
    let (stop_took, status) = listener.stop();
    println!("stopped in {stop_took:?}; {status}");
    assert_eq!(status["state"], "away");
    assert!(stop_took < STOP_WITHIN, "{stop_took:?}");
}

#[test]
fn a_service_may_start_before_the_server() {
    let Some(mut server) = SoundServer::new() else { return };
    server.kill();
    let refused = Listener::start(&server, &[]);
    let log = refused.log.clone();
    let mut refused = refused;
    assert!(!refused.child.wait().unwrap().success(), "who looks at it wants to know at once");
    refused.threads.drain(..).for_each(|thread| thread.join().unwrap());
    let log = format!("{:?}", log.lock().unwrap());
    assert!(log.contains("no microphone found") && !log.contains("ALSA lib"), "{log}");

    let listener = Listener::start(&server, &["--set", "input.wait_for_device=true"]);
    listener.wait_for("the news", Duration::from_secs(5), |it| !it.logged("trying again").is_empty());
    std::thread::sleep(Duration::from_secs(2));
    let returned = server.start();
    listener.wait_for("the opening", Duration::from_secs(10), |it| !it.logged("microphone opened").is_empty());
    let back = listener.logged("microphone opened")[0].saturating_duration_since(returned);
    assert!(back < BACK_WITHIN, "{back:?}");
    std::thread::sleep(Duration::from_millis(500));
    server.say_word("room");
    listener.wait_for("a word", Duration::from_secs(3), |it| it.n_events() == 1);
}
