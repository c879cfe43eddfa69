//! Control of a running daemon over a Unix socket: questions and wishes in, answers out, a JSON object a line each way.
//!
//! A [`Request`] is answered with one [`Reply`], or, when somebody follows, with many. [`Desk`] knows the answers; the [`ControlServer`]
//! puts it on a socket that only its owner may use, [`Client`] is the other side. What other modules of the daemon have to tell of
//! themselves, in the status, on the page of metrics, and of what they record or send, they tell as a [`Part`].
//!
//! Fields and kinds may be added within a [`WIRE_VERSION`]; it is raised when one is removed or changes its meaning.

mod client;
mod desk;
mod meter;
mod metrics;
mod part;
mod process;
mod reply;
mod request;
mod server;
mod status;

pub use client::{Client, ClientError};
pub use desk::{AskForDevice, Desk, Doors, Reload};
pub use meter::Level;
pub use part::{Flow, FlowKind, Part};
pub use reply::{Reloaded, Reply};
pub use request::{LONGEST_MUTE_S, Request, RequestError};
pub use server::{ControlServer, ControlSocket, LINE_BYTES};
pub use status::{LastReload, Latency, MuteStatus, Status, WordStatus};

/// Version of the lines on the socket.
pub const WIRE_VERSION: u32 = 1;
