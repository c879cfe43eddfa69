//! A mosquitto of the test's own, and what can be seen and said there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use serde_json::Value;

use crate::listener::{PATIENCE, Running, wait_until};

pub(crate) struct Broker {
    running: Option<Running>,
    config: PathBuf,
    pub(crate) port: u16,
    /// How clients of the command line reach it.
    arguments: Vec<String>,
}

impl Broker {
    /// With these lines of configuration; `arguments` go to mosquitto_pub and mosquitto_sub.
    pub(crate) fn start(folder: &Path, extra: &str, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.join("mosquitto.conf");
        let user = if std::fs::metadata("/root").is_ok() { "user root\n" } else { "" };
        std::fs::write(&config, format!("listener {port} 127.0.0.1\n{user}persistence false\n{extra}\n")).unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut broker = Self { running: None, config, port, arguments };
        broker.restart();
        broker
    }

    pub(crate) fn restart(&mut self) {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut command = Command::new("mosquitto");
        command.env("PATH", path).arg("-c").arg(&self.config).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(Running::spawn(&mut command));
        wait_until("mosquitto listens", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// As by a power cut.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "localhost", "-p", &self.port.to_string(), "-q", "1"]).args(&self.arguments);
        command
    }

    pub(crate) fn publish(&self, topic: &str, payload: &str, is_retained: bool) {
        let mut command = self.client("mosquitto_pub");
        command.args(["-t", topic, "-m", payload]);
        if is_retained {
            command.arg("-r");
        }
        assert!(command.status().unwrap().success());
    }

    /// Everything that is said there from now on, and what was retained.
    pub(crate) fn subscribe(&self) -> Subscriber {
        let mut command = self.client("mosquitto_sub");
        command.args(["-t", "#", "-F", "%r %t\t%p"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::spawn(&mut command);
        let lines = running.lines();
        let mut subscriber = Subscriber { _running: running, lines, heard: Vec::new() };
        // Until it is there itself.
        let marker = format!("test/{}", subscriber._running.0.id());
        wait_until("the subscriber is there", || {
            self.publish(&marker, "x", false);
            subscriber.all().iter().any(|message| message.topic == marker)
        });
        subscriber
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) is_retained: bool,
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

pub(crate) struct Subscriber {
    _running: Running,
    lines: Receiver<String>,
    heard: Vec<Heard>,
}

impl Subscriber {
    /// All that was heard so far.
    pub(crate) fn all(&mut self) -> &[Heard] {
        for line in self.lines.try_iter() {
            let (retained, rest) = line.split_once(' ').unwrap();
            let (topic, payload) = rest.split_once('\t').unwrap();
            let (topic, payload) = (topic.to_owned(), payload.to_owned());
            self.heard.push(Heard { is_retained: retained == "1", topic, payload });
        }
        &self.heard
    }

    pub(crate) fn on(&mut self, topic: &str) -> Vec<Heard> {
        self.all().iter().filter(|message| message.topic == topic).cloned().collect()
    }

    /// Waits for the `n`th message on a topic.
    pub(crate) fn nth(&mut self, topic: &str, n: usize) -> Heard {
        let began = Instant::now();
        loop {
            if let Some(found) = self.on(topic).get(n) {
                return found.clone();
            }
            assert!(began.elapsed() < PATIENCE, "message {n} on {topic} does not come; heard {:?}", self.heard);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Broker {
    /// By the shell's own kill.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.running.as_ref().expect("it runs").0.id();
        let status = Command::new("sh").args(["-c", &format!("kill -s {signal} {id}")]).status().unwrap();
        assert!(status.success());
    }
}
