//! A wake service of the Wyoming protocol: Home Assistant and its satellites send sound, and are told of words.
//!
//! `bytes → framing → Event → Session (features, network, triggers of its own) → Event → framing → bytes`
//!
//! A [`Session`] is one client and knows no socket and no clock: what it answers depends on the events it is given, and all times
//! are counted in samples. Sessions share the model's weights; each has its own hidden state. Beside a daemon, clients may also be
//! given of its own [`Microphone`].

mod address;
mod client;
mod connection;
mod discovery;
mod event;
mod framing;
mod info;
mod microphone;
mod server;
mod session;

pub use address::Address;
pub use discovery::Announcement;
pub use event::{AudioFormat, Event};
pub use framing::{FramingError, Limits, read_event, write_event};
pub use info::info;
pub use microphone::{Given, MICROPHONE_FORMAT, MICROPHONE_NAME, Microphone};
pub use server::{ClientCounts, MicrophoneTeller, ModelOfTheDay, Server, Service, serve_stdio};
pub use session::Session;
