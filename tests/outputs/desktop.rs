//! The desktop: notifications on a session bus of the test's own, and a chime into ALSA's file plugin.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::common::ALSA_CONF;
use crate::listener::{Listener, Running, final_status, has_program, wait_until};

/// What a desktop does, as far as we need it.
struct Notifications {
    shown: Arc<Mutex<Vec<(String, String)>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[allow(clippy::too_many_arguments)] // the interface has as many
    fn notify(
        &self,
        app_name: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        _body: String,
        _actions: Vec<String>,
        _hints: std::collections::HashMap<String, zbus::OwnedVariant>,
        _timeout: i32,
    ) -> u32 {
        self.shown.lock().unwrap().push((app_name, summary));
        1
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("test".into(), "tripword".into(), "1".into(), "1.2".into())
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".into()]
    }
}

#[test]
fn an_event_is_a_notification_once_there_is_a_desktop() {
    if !has_program("dbus-daemon", "dbus") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("dbus-daemon");
    command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
    command.arg(format!("--address=unix:path={}", folder.path().join("bus").display())).stdout(Stdio::piped());
    let mut bus = Running::spawn(&mut command);
    let address = bus.lines().recv().unwrap();
    let mut listener = Listener::start_with(
        folder.path(),
        "[events.notification]\nenabled = true\n",
        600.0,
        &["--real-time"],
        |command| {
            command.env("DBUS_SESSION_BUS_ADDRESS", &address);
        },
    );
    // There is a bus and nobody on it yet: that is told, and tried again.
    let event = listener.next_event();
    listener.wait_for_log("no notification service answers");
    let shown = Arc::new(Mutex::new(Vec::new()));
    let builder = zbus::connection::Builder::address(address.as_str())
        .name("org.freedesktop.Notifications")
        .serve_at("/org/freedesktop/Notifications", Notifications { shown: shown.clone() });
    let _connection = zbus::block_on(builder.build()).unwrap();
    wait_until("a notification", || !shown.lock().unwrap().is_empty());
    let first = shown.lock().unwrap()[0].clone();
    assert_eq!(first.0, "tripword");
    assert!(["alpha", "beta"].contains(&first.1.as_str()), "{first:?} {event}");
    let (ended, _) = listener.terminate();
    assert!(final_status(&ended.log, "notification")["n_delivered"].as_u64().unwrap() >= 1, "{}", ended.log);
}

#[test]
fn without_a_bus_it_is_counted_and_nothing_else_happens() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[events.notification]\nenabled = true\n[events.chime]\nenabled = true\n";
    let mut listener = Listener::start_with(folder.path(), config, 600.0, &["--real-time"], |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent").env("ALSA_CONFIG_PATH", "/nonexistent");
    });
    let n_events = (0..3).map(|_| listener.next_event()).count();
    let (ended, took) = listener.terminate();
    assert!(took.as_secs_f32() < 4.0, "{took:?}");
    for output in ["notification", "chime"] {
        let status = final_status(&ended.log, output);
        assert_eq!(status["n_delivered"], 0, "{status}");
        let count = |key: &str| status[key].as_u64().unwrap();
        let n_told = (n_events + ended.events.len()) as u64;
        assert_eq!(count("n_failed") + count("n_abandoned") + count("n_queued"), n_told, "{status}");
        assert!(!status["last_error"].is_null(), "{status}");
    }
}

#[test]
fn the_chime_is_heard() {
    if !Path::new(ALSA_CONF).exists() {
        eprintln!("SKIPPED: {ALSA_CONF} is missing; install libasound2-data");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let played = folder.path().join("played.raw");
    let conf = folder.path().join("asound.conf");
    let text = format!(
        "<{ALSA_CONF}>\npcm.speaker {{ type file slave.pcm null file {played:?} format raw }}\n\
         pcm.!default {{ type plug slave {{ pcm speaker format S16_LE channels 1 rate 48000 }} }}\n"
    );
    std::fs::write(&conf, text).unwrap();
    let mut listener =
        Listener::start_with(folder.path(), "[events.chime]\nenabled = true\n", 600.0, &["--real-time"], |command| {
            command.env("ALSA_CONFIG_PATH", &conf);
        });
    listener.next_event();
    // The plugin does not keep time; the chime is there all the same, once, and silence after it.
    let expected: Vec<i16> = tripword::events::synthesize_chime();
    let loudest = expected.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    wait_until("the chime", || {
        let bytes = std::fs::read(&played).unwrap_or_default();
        let heard = bytes.chunks_exact(2).take(96_000).map(|sample| i16::from_le_bytes([sample[0], sample[1]]));
        heard.map(i16::unsigned_abs).max().is_some_and(|heard| heard.abs_diff(loudest) < loudest / 10)
    });
    let (ended, _) = listener.terminate();
    assert!(final_status(&ended.log, "chime")["n_failed"] == 0, "{}", ended.log);
}
