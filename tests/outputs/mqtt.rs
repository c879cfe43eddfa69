//! MQTT with a real broker: our topics, Hermes, Home Assistant, and a broker that dies.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::listener::{Listener, final_status, has_program, wait_until};

const ANONYMOUS: &str = "allow_anonymous true";

fn config(broker: &Broker, more: &str) -> String {
    format!("[events.mqtt]\nurl = 'mqtt://localhost:{}'\nsite_id = 'kitchen'\n{more}\n", broker.port)
}

#[test]
fn an_event_is_told_as_event_as_hermes_message_and_to_home_assistant() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), ANONYMOUS, &[]);
    // Left by an earlier run with another model; and that of a neighbour.
    let discovered = |site: &str, word: &str| format!("homeassistant/event/tripword_{site}/{word}/config");
    broker.publish(&discovered("kitchen", "computer"), "{\"name\": \"computer\"}", true);
    broker.publish(&discovered("hall", "computer"), "{\"name\": \"computer\"}", true);
    let mut subscriber = broker.subscribe();
    let mut listener = Listener::start(folder.path(), &config(&broker, "hermes = true\nhome_assistant = true"));
    let event = listener.next_event();
    assert_eq!(subscriber.nth("tripword/kitchen/event", 0).json(), event);
    let word = event["word"].as_str().unwrap();
    let hermes = subscriber.nth(&format!("hermes/hotword/{word}/detected"), 0).json();
    assert_eq!((&hermes["siteId"], &hermes["modelId"]), (&json!("kitchen"), &event["model"]));
    assert!((0.0..=1.0).contains(&hermes["currentSensitivity"].as_f64().unwrap()), "{hermes}");
    assert_eq!(subscriber.nth("tripword/kitchen/availability", 0).payload, "online");

    for word in ["alpha", "beta"] {
        let entity = subscriber.nth(&discovered("kitchen", word), 0).json();
        assert_eq!(entity["device"]["identifiers"], json!(["tripword_kitchen"]));
        assert_eq!(entity["availability_topic"], "tripword/kitchen/availability");
    }
    let entity = subscriber.nth(&discovered("kitchen", word), 0).json();
    let state = subscriber.nth(entity["state_topic"].as_str().unwrap(), 0).json();
    assert!(entity["event_types"].as_array().unwrap().contains(&state["event_type"]), "{entity} {state}");
    assert_eq!(state["time_sample"], event["time_sample"]);
    // The old word is taken back, the neighbour's is not.
    assert_eq!(subscriber.nth(&discovered("kitchen", "computer"), 1).payload, "");
    assert_eq!(subscriber.on(&discovered("hall", "computer")).len(), 1);
    // Who comes later finds what is retained, and no events.
    let mut later = broker.subscribe();
    wait_until("what is retained", || later.on("tripword/kitchen/availability").len() == 1);
    assert!(later.on("tripword/kitchen/availability")[0].is_retained);
    assert!(later.on(&discovered("kitchen", "computer")).is_empty());

    let (ended, took) = listener.terminate();
    assert!(ended.code == Some(0) && took.as_secs_f32() < 2.5, "{took:?} {}", ended.log);
    assert_eq!(subscriber.nth("tripword/kitchen/availability", 1).payload, "offline");
}

#[test]
fn the_last_will_says_offline_when_it_is_killed() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), ANONYMOUS, &[]);
    let mut subscriber = broker.subscribe();
    let mut listener = Listener::start(folder.path(), &config(&broker, ""));
    assert_eq!(subscriber.nth("tripword/kitchen/availability", 0).payload, "online");
    listener.child.kill().unwrap();
    assert_eq!(subscriber.nth("tripword/kitchen/availability", 1).payload, "offline");
    // Neither Hermes nor Home Assistant was configured.
    let foreign = subscriber
        .all()
        .iter()
        .find(|heard| !heard.topic.starts_with("tripword/") && !heard.topic.starts_with("test/"));
    assert!(foreign.is_none(), "{foreign:?}");
}

#[test]
fn hermes_switches_it_off_and_on() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), ANONYMOUS, &[]);
    let mut listener = Listener::start(folder.path(), &config(&broker, "hermes = true"));
    listener.next_event();
    listener.wait_for_log("connected to the MQTT broker");
    broker.publish("hermes/hotword/toggleOff", "{\"siteId\": \"hall\"}", false);
    broker.publish("hermes/hotword/toggleOff", "{\"siteId\": \"kitchen\", \"reason\": \"ttsSay\"}", false);
    listener.wait_for_log("Hermes asks is_listening=false");
    // What was on its way; then nothing for a while.
    std::thread::sleep(Duration::from_millis(500));
    let before = broker.subscribe();
    std::thread::sleep(Duration::from_secs(8));
    let mut before = before;
    assert!(before.on("tripword/kitchen/event").is_empty());
    broker.publish("hermes/hotword/toggleOn", "{\"siteId\": \"kitchen\", \"reason\": \"ttsSay\"}", false);
    listener.wait_for_log("Hermes asks is_listening=true");
    before.nth("tripword/kitchen/event", 0);
    let (ended, _) = listener.terminate();
    assert!(!ended.log.contains("\"n_muted_events\":0"), "{}", ended.log);
}

#[test]
fn what_is_said_while_the_broker_is_dead_is_told_when_it_is_back() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path(), ANONYMOUS, &[]);
    let mut subscriber = broker.subscribe();
    let mut listener = Listener::start(folder.path(), &config(&broker, ""));
    let first = listener.next_event();
    assert_eq!(subscriber.nth("tripword/kitchen/event", 0).json(), first);
    broker.kill();
    drop(subscriber);
    // Standard output goes on.
    let between: Vec<Value> = (0..4).map(|_| listener.next_event()).collect();
    listener.wait_for_log("connection to the MQTT broker lost");
    broker.restart();
    let mut subscriber = broker.subscribe();
    // The subscriber may come after the first of them were told; so the last is certain, and what is heard is in order.
    wait_until("the connection is back", || listener.log_so_far().matches("connected to the MQTT broker").count() == 2);
    let next = listener.next_event();
    wait_until("the event after it", || {
        subscriber.on("tripword/kitchen/event").iter().any(|heard| heard.json() == next)
    });
    let samples = |value: &Value| value["time_sample"].as_u64().unwrap();
    let heard: Vec<u64> = subscriber.on("tripword/kitchen/event").iter().map(|heard| samples(&heard.json())).collect();
    let told: Vec<u64> = between.iter().chain([&next]).map(samples).collect();
    assert!(heard.iter().all(|heard| told.contains(heard) || *heard > told[told.len() - 1]), "{heard:?} {told:?}");
    let (ended, _) = listener.terminate();
    let status = final_status(&ended.log, "mqtt");
    let count = |key: &str| status[key].as_u64().unwrap();
    // Nothing is lost: what was said before, in between and after.
    assert_eq!(count("n_failed") + count("n_dropped"), 0, "{status}");
    assert!(count("n_delivered") >= 6 && count("n_retries") > 0, "{status}");
}

#[test]
fn a_broker_that_stands_still_holds_nothing_up_and_is_found_again() {
    if !has_program("mosquitto", "mosquitto and mosquitto-clients") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path(), ANONYMOUS, &[]);
    let mut subscriber = broker.subscribe();
    let mut listener = Listener::start(folder.path(), &config(&broker, ""));
    assert_eq!(subscriber.nth("tripword/kitchen/event", 0).json(), listener.next_event());
    broker.signal("STOP");
    let between: Vec<Value> = (0..3).map(|_| listener.next_event()).collect();
    broker.signal("CONT");
    for event in between {
        wait_until("it is told", || subscriber.on("tripword/kitchen/event").iter().any(|heard| heard.json() == event));
    }
}
