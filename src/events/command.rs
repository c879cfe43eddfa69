//! A command for each event: an argument vector without a shell, the event in its environment and on its standard input, and an end
//! when its time is over.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::audio_tail::AudioTail;
use super::command_input::{CommandAudio, CommandInput};
use super::outbox::{Delivery, Destination, Failure};
use super::{About, WakeEvent};
use crate::audio::history::AudioHistory;
use crate::units::{Milliseconds, SampleRate};

/// How often running commands are looked after: fed with sound, seen to have ended.
const LOOK_AFTER: Duration = Duration::from_millis(20);
/// From SIGTERM to SIGKILL.
const TERM_TO_KILL: Duration = Duration::from_secs(1);
/// The same when the daemon stops.
const TERM_TO_KILL_AT_THE_END: Duration = Duration::from_millis(200);

/// What is run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program and its arguments; at least the program.
    pub argv: Vec<String>,
    /// A command that runs for longer is ended.
    pub time_limit: Duration,
    /// Commands at a time; other events wait.
    pub n_at_a_time: usize,
    /// The sound that follows the event on standard input.
    pub audio: CommandAudio,
    /// How much of it at most, from the word's end on.
    pub audio_length: Milliseconds,
}

/// Runs a command for each event.
pub struct Command {
    config: CommandConfig,
    history: AudioHistory,
    running: Vec<Running>,
}

struct Running {
    child: Child,
    input: CommandInput,
    end: End,
}

/// How a command is brought to its end.
enum End {
    InTime { deadline: Instant },
    Termed { kill_at: Instant },
    Killed,
}

impl Command {
    /// A destination that runs what `config` says.
    pub fn new(config: CommandConfig, history: AudioHistory) -> Self {
        Self { config, history, running: Vec::new() }
    }

    /// What it is. Only the program is named: arguments may hold secrets.
    pub fn about(&self) -> About {
        let audio = match self.config.audio {
            CommandAudio::None => String::new(),
            _ => format!(", then {} s of sound from the word's end on", self.config.audio_length.seconds()),
        };
        let program = self.config.argv.first().cloned().unwrap_or_default();
        About::new("command", program, format!("each event in the environment and on standard input{audio}"))
    }

    fn start(&self, event: &WakeEvent) -> io::Result<Running> {
        let (program, arguments) =
            self.config.argv.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut child = std::process::Command::new(program)
            .args(arguments)
            .envs(environment(event))
            .stdin(Stdio::piped())
            // Standard output is for events alone.
            .stdout(Stdio::from(io::stderr()))
            .stderr(Stdio::inherit())
            // A group of its own, so that it ends with all it has started.
            .process_group(0)
            .spawn()?;
        let n_samples = self.config.audio_length.samples(SampleRate::MODEL);
        let tail = (self.config.audio != CommandAudio::None)
            .then(|| AudioTail::new(&self.history, event.end_sample, n_samples));
        let pipe = child.stdin.take().expect("it was asked for");
        let mut input = CommandInput::new(pipe, event, self.config.audio, tail)?;
        input.pump();
        Ok(Running { child, input, end: End::InTime { deadline: Instant::now() + self.config.time_limit } })
    }
}

impl Destination for Command {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        let running = self.start(event).map_err(|error| {
            let reason = format!("{}: {error}", self.config.argv.first().map_or("", String::as_str));
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => {
                    Failure::Lasting(reason)
                }
                _ => Failure::Passing(reason),
            }
        })?;
        self.running.push(running);
        Ok(Delivery::UnderWay)
    }

    fn is_ready(&self) -> bool {
        self.running.len() < self.config.n_at_a_time
    }

    fn attend(&mut self, ended: &mut Vec<Result<(), Failure>>) -> Option<Duration> {
        let limit = self.config.time_limit;
        self.running.retain_mut(|running| match running.look_after(limit) {
            None => true,
            Some(result) => {
                ended.push(result);
                false
            }
        });
        (!self.running.is_empty()).then_some(LOOK_AFTER)
    }

    fn end(&mut self, ended: &mut Vec<Result<(), Failure>>) {
        let kill_at = Instant::now() + TERM_TO_KILL_AT_THE_END;
        for running in &mut self.running {
            running.signal(Signal::TERM);
            running.end = End::Termed { kill_at };
        }
        while Instant::now() < kill_at + TERM_TO_KILL_AT_THE_END && self.attend(ended).is_some() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        for running in &mut self.running {
            running.signal(Signal::KILL);
            // Killed, it ends at once; so that no zombie stays.
            let _ = running.child.wait();
        }
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Gives what has become of it when it has ended.
    fn look_after(&mut self, limit: Duration) -> Option<Result<(), Failure>> {
        self.input.pump();
        match self.child.try_wait() {
            Err(error) => return Some(Err(Failure::Lasting(error.to_string()))),
            Ok(Some(status)) => {
                return Some(match self.end {
                    _ if status.success() => Ok(()),
                    End::InTime { .. } => Err(Failure::Lasting(format!("the command ended with {status}"))),
                    _ => Err(Failure::Lasting(format!("the command was ended: {status}, time limit {limit:?}"))),
                });
            }
            Ok(None) => {}
        }
        let now = Instant::now();
        match self.end {
            End::InTime { deadline } if now >= deadline => {
                self.signal(Signal::TERM);
                self.end = End::Termed { kill_at: now + TERM_TO_KILL };
            }
            End::Termed { kill_at } if now >= kill_at => {
                self.signal(Signal::KILL);
                self.end = End::Killed;
            }
            _ => {}
        }
        None
    }
}

/// Each field of the event as `TRIPWORD_` and its name in capitals.
fn environment(event: &WakeEvent) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(event) else { return Vec::new() };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    // No variable may hold a zero.
    let fields = fields.into_iter().map(|(name, value)| (name, text(value).replace('\0', " ")));
    fields.map(|(name, value)| (format!("TRIPWORD_{}", name.to_uppercase()), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{event, wait_until};
    use super::*;

    fn shell(script: &str, time_limit: Duration, audio: CommandAudio) -> (Command, AudioHistory) {
        let history = AudioHistory::new(Milliseconds(6000));
        let config = CommandConfig {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            time_limit,
            n_at_a_time: 1,
            audio,
            audio_length: Milliseconds(1000),
        };
        (Command::new(config, history.clone()), history)
    }

    fn finish(command: &mut Command) -> Result<(), Failure> {
        let mut ended = Vec::new();
        wait_until("it ends", || {
            command.attend(&mut ended);
            !ended.is_empty()
        });
        assert!(command.is_ready());
        ended.remove(0)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_event_is_in_the_environment_and_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let script = format!("read -r line; echo \"$TRIPWORD_WORD $TRIPWORD_SCORE $line\" > {}", path.display());
        let (mut command, _) = shell(&script, LONG, CommandAudio::None);
        command.deliver(&event("view glass; $(true)")).unwrap();
        assert!(!command.is_ready());
        finish(&mut command).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let event = event("view glass; $(true)");
        assert_eq!(
            text,
            format!("view glass; $(true) 0.9 {}\n", event.to_json())
                .replace("0.9 ", &format!("{} ", serde_json::to_value(&event).unwrap()["score"]))
        );
    }

    #[test]
    fn sound_follows_from_the_words_end_until_its_length_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let script = format!("read -r line; cat > {}", path.display());
        let (mut command, history) = shell(&script, LONG, CommandAudio::Raw);
        history.push(&[0.25; 9000]);
        command.deliver(&event("word")).unwrap();
        history.push(&[0.5; 20_000]);
        finish(&mut command).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // The word ended at sample 8000; one second is asked for.
        assert_eq!(bytes.len(), 32_000);
        assert_eq!((&bytes[..2], &bytes[1998..2000]), (&8192_i16.to_le_bytes()[..], &8192_i16.to_le_bytes()[..]));
        assert!(bytes[2000..].chunks(2).all(|sample| sample == 16_384_i16.to_le_bytes()));
    }

    #[test]
    fn a_command_that_does_not_read_hinders_nothing_and_one_that_fails_is_counted() {
        let (mut command, history) = shell("exec 0<&-; exit 3", LONG, CommandAudio::Wav);
        history.push(&[0.25; 60_000]);
        command.deliver(&event("word")).unwrap();
        let Err(Failure::Lasting(reason)) = finish(&mut command) else { panic!("it failed") };
        assert!(reason.contains('3'), "{reason}");

        let mut config = shell("", LONG, CommandAudio::None).0.config.clone();
        config.argv = vec!["/nonexistent/program".into()];
        let mut missing = Command::new(config, history);
        let Err(Failure::Lasting(reason)) = missing.deliver(&event("word")) else { panic!("it is not there") };
        assert!(reason.contains("/nonexistent/program"), "{reason}");
    }

    fn is_alive(pid_file: &Path) -> bool {
        let Ok(pid) = std::fs::read_to_string(pid_file) else { return true };
        // A zombie counts: it has not been reaped.
        Path::new("/proc").join(pid.trim()).exists()
    }

    #[test]
    fn at_its_time_limit_it_ends_with_all_it_has_started_even_if_it_does_not_want_to() {
        let folder = tempfile::tempdir().unwrap();
        let (child, grandchild) = (folder.path().join("child"), folder.path().join("grandchild"));
        let script = format!(
            "trap '' TERM; echo $$ > {}; sleep 600 & echo $! > {}; while true; do sleep 600; done",
            child.display(),
            grandchild.display()
        );
        let (mut command, _) = shell(&script, Duration::from_millis(300), CommandAudio::None);
        let began = Instant::now();
        command.deliver(&event("word")).unwrap();
        let Err(Failure::Lasting(reason)) = finish(&mut command) else { panic!("it was ended") };
        assert!(reason.contains("time limit") && began.elapsed() < Duration::from_secs(10), "{reason}");
        assert!(child.exists() && grandchild.exists());
        wait_until("both have gone", || !is_alive(&child) && !is_alive(&grandchild));
    }

    #[test]
    fn at_the_end_of_the_daemon_it_ends_too() {
        let folder = tempfile::tempdir().unwrap();
        let child = folder.path().join("child");
        let script = format!("echo $$ > {}; exec sleep 600", child.display());
        let (mut command, _) = shell(&script, LONG, CommandAudio::None);
        command.deliver(&event("word")).unwrap();
        wait_until("it runs", || child.exists() && !std::fs::read_to_string(&child).unwrap().is_empty());
        let mut ended = Vec::new();
        command.end(&mut ended);
        assert_eq!(ended.len(), 1);
        assert!(!is_alive(&child));
    }
}
