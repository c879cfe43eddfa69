//! A web server that is healthy, moody, silent.

use std::net::TcpListener;

use serde_json::Value;

use crate::listener::{Listener, final_status};

#[test]
fn what_the_server_refuses_in_passing_comes_again_in_order() {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, "Authorization: Bearer hunter2\n").unwrap();
    let config = format!(
        "[events.webhook]\nurl = 'http://{}/wake?token=hunter2'\nheaders = ['X-Room: kitchen']\nheaders_file = {secrets:?}\n",
        server.server_addr()
    );
    let mut listener = Listener::start(folder.path(), &config);
    let mut taken = Vec::new();
    let mut n_requests = 0;
    while taken.len() < 3 {
        let mut request = server.recv().unwrap();
        let mut body = String::new();
        request.as_reader().read_to_string(&mut body).unwrap();
        let header = |name: &str| {
            let found =
                request.headers().iter().find(|header| header.field.as_str().as_str().eq_ignore_ascii_case(name));
            found.map(|header| header.value.to_string())
        };
        assert_eq!(header("authorization").as_deref(), Some("Bearer hunter2"));
        assert_eq!(header("x-room").as_deref(), Some("kitchen"));
        n_requests += 1;
        // Every other request fails.
        let code = if n_requests % 2 == 1 { 503 } else { 204 };
        if code == 204 {
            taken.push(serde_json::from_str::<Value>(&body).unwrap());
        }
        request.respond(tiny_http::Response::empty(code)).unwrap();
    }
    let events: Vec<Value> = (0..3).map(|_| listener.next_event()).collect();
    assert_eq!(taken, events);
    drop(server);
    let (ended, _) = listener.terminate();
    let status = final_status(&ended.log, "webhook");
    assert!(status["n_delivered"].as_u64().unwrap() >= 3 && status["n_retries"].as_u64().unwrap() >= 3, "{status}");
    assert!(!ended.log.contains("hunter2"), "{}", ended.log);
}

#[test]
fn a_server_that_never_answers_holds_nothing_up_and_is_left_at_the_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let config = format!("[events.webhook]\nurl = '{url}'\ntimeout_ms = 60000\n");
    let mut listener = Listener::start(folder.path(), &config);
    // Standard output goes on while it hangs.
    let n_events = (0..5).map(|_| listener.next_event()).count();
    let (ended, took) = listener.terminate();
    assert!(took.as_secs_f32() < 3.5, "{took:?}");
    assert!(ended.log.contains("it hangs: stopping without it"), "{}", ended.log);
    let status = final_status(&ended.log, "webhook");
    let n_told = n_events + ended.events.len();
    assert_eq!(
        status["n_queued"].as_u64().unwrap() + status["n_abandoned"].as_u64().unwrap(),
        n_told as u64,
        "{status}"
    );
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains(&format!("not delivered: {n_told} events to webhook")), "{}", ended.log);
}
