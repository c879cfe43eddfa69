//! MQTT with certificates and passwords.

use std::path::Path;
use std::process::Command;

use crate::broker::Broker;
use crate::listener::{Listener, has_program};

fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, a server's and a client's certificate; and an authority that has nothing to do with them.
fn make_certificates(folder: &Path) {
    let key = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let sign = "openssl x509 -req -CA ca.pem -CAkey ca.key -days 2";
    shell(
        folder,
        &format!(
            "{key} -x509 -days 2 -subj '/CN=our authority' -keyout ca.key -out ca.pem
             {key} -x509 -days 2 -subj '/CN=another authority' -keyout other.key -out other.pem
             {key} -subj /CN=localhost -keyout server.key -out server.csr
             echo 'subjectAltName=DNS:localhost' > server.ext
             {sign} -in server.csr -extfile server.ext -out server.pem
             {key} -subj /CN=detector -keyout client.key -out client.csr
             echo 'extendedKeyUsage=clientAuth' > client.ext
             {sign} -in client.csr -extfile client.ext -out client.pem"
        ),
    );
}

#[test]
fn encrypted_with_certificates_on_both_sides() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") || !has_program("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let extra = format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true",
        file("ca.pem"),
        file("server.pem"),
        file("server.key")
    );
    let arguments = ["--cafile", &file("ca.pem"), "--cert", &file("client.pem"), "--key", &file("client.key")];
    let broker = Broker::start(folder.path(), &extra, &arguments);
    let mut subscriber = broker.subscribe();
    let config = |ca: &str, more: &str| {
        format!("[events.mqtt]\nurl = 'mqtts://localhost:{}'\nca_file = '{}'\n{more}", broker.port, file(ca))
    };
    let ours = format!("certificate_file = '{}'\nkey_file = '{}'\n", file("client.pem"), file("client.key"));

    let mut listener = Listener::start(folder.path(), &config("ca.pem", &ours));
    let event = listener.next_event();
    assert_eq!(subscriber.nth("tripword/default/event", 0).json(), event);
    let (ended, _) = listener.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.log.contains("mqtts://localhost"), "{}", ended.log);

    // A broker that we do not trust, and a broker that does not trust us, are told nothing and hold nothing up.
    let n_events = subscriber.on("tripword/default/event").len();
    for (ca, identity, reason) in [("other.pem", ours.as_str(), "certificate"), ("ca.pem", "", "")] {
        let mut listener = Listener::start(folder.path(), &config(ca, identity));
        listener.next_event();
        listener.wait_for_log("not delivered yet");
        let (ended, _) = listener.terminate();
        assert!(ended.code == Some(1) && ended.log.contains("not connected to the broker"), "{}", ended.log);
        assert!(ended.log.to_lowercase().contains(reason), "{}", ended.log);
    }
    assert_eq!(subscriber.on("tripword/default/event").len(), n_events);
}

#[test]
fn with_user_and_password() {
    if !has_program("mosquitto_passwd", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    shell(
        folder.path(),
        "mosquitto_passwd -b -c passwords detector hunter2; printf 'hunter2\\n' > password; echo wrong > wrong",
    );
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let extra = format!("allow_anonymous false\npassword_file {}", file("passwords"));
    let broker = Broker::start(folder.path(), &extra, &["-u", "detector", "-P", "hunter2"]);
    let mut subscriber = broker.subscribe();
    let config = |password: &str| {
        format!(
            "[events.mqtt]\nurl = 'mqtt://localhost:{}'\nuser = 'detector'\npassword_file = '{}'\n",
            broker.port,
            file(password)
        )
    };
    let mut listener = Listener::start(folder.path(), &config("password"));
    let event = listener.next_event();
    assert_eq!(subscriber.nth("tripword/default/event", 0).json(), event);
    let (ended, _) = listener.terminate();
    assert!(ended.code == Some(0) && !ended.log.contains("hunter2"), "{}", ended.log);

    let mut listener = Listener::start(folder.path(), &config("wrong"));
    listener.next_event();
    listener.wait_for_log("not delivered yet");
    let (ended, _) = listener.terminate();
    assert!(ended.log.contains("NotAuthorized") || ended.log.contains("BadUserNamePassword"), "{}", ended.log);
}
