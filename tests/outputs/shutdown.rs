//! The end, with everything that can hang hanging at once.

use std::net::TcpListener;
use std::process::Command;

use crate::listener::{Listener, final_status, wait_until};

#[test]
fn sigterm_ends_it_in_time_whatever_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let pid = folder.path().join("pid");
    let config = format!(
        "[events.file]\npath = {fifo:?}\n\
         [events.command]\nargv = ['sh', '-c', 'trap \"\" TERM; echo $$ > {}; while true; do sleep 600; done']\naudio = 'raw'\n\
         [events.webhook]\nurl = 'http://{}/'\ntimeout_ms = 60000\n\
         [events.mqtt]\nurl = 'mqtt://{}'\n",
        pid.display(),
        server.local_addr().unwrap(),
        broker.local_addr().unwrap()
    );
    let mut listener = Listener::start(folder.path(), &config);
    let n_events = (0..3).map(|_| listener.next_event()).count();
    wait_until("the command runs", || pid.exists());
    let (ended, took) = listener.terminate();
    assert!(took.as_secs_f32() < 3.5, "{took:?}: {}", ended.log);
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    let n_told = (n_events + ended.events.len()) as u64;
    for output in ["command", "webhook", "mqtt"] {
        let status = final_status(&ended.log, output);
        let count = |key: &str| status[key].as_u64().unwrap();
        assert_eq!(count("n_queued") + count("n_abandoned") + count("n_failed"), n_told, "{status}");
    }
    // Its process has gone with the daemon.
    let pid = std::fs::read_to_string(&pid).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "{pid}");
}

#[test]
fn a_command_that_is_missing_or_fails_is_counted_and_the_rest_goes_on() {
    for argv in ["['/nonexistent/program']", "['false']"] {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("[events.command]\nargv = {argv}\n");
        let mut listener = Listener::start(folder.path(), &config);
        let n_events = (0..2).map(|_| listener.next_event()).count();
        let (ended, _) = listener.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let n_told = n_events + ended.events.len();
        assert_eq!(final_status(&ended.log, "command")["n_failed"], n_told, "{}", ended.log);
    }
}
