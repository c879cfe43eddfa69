//! Where `listen` tells events: real brokers, servers, commands, desktops and sockets, healthy and not.
#![cfg(unix)]
#![allow(clippy::disallowed_methods)] // these tests play the outside world, which keeps its own time

#[path = "../common/binary.rs"]
mod binary;
#[path = "../common/mod.rs"]
mod common;

mod breath;
mod broker;
mod desktop;
mod files;
mod listener;
mod malformed_mqtt;
mod mqtt;
mod mqtt_tls;
mod shutdown;
mod socket;
mod webhook;
