//! `tripword wyoming`

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use super::Outcome;
use super::context::Context;
use super::hearing::HearingArgs;
use super::signals::SignalWatch;
use crate::config::{Announce, WyomingSettings};
use crate::wyoming::{Address, Announcement, Server, Service, serve_stdio};

/// Serve Home Assistant and other clients of the Wyoming protocol: they send sound and are told of words
#[derive(Args)]
#[command(after_help = "Examples:
  tripword wyoming                                        for clients on this machine, at tcp://127.0.0.1:10400
  tripword wyoming --address tcp://0.0.0.0:10400          for the local network, which is told of it (mDNS)
  tripword wyoming --model my-word --address unix:///run/user/1000/tripword.sock
  tripword wyoming --address stdio://                     one client, on standard input and output

In Home Assistant: Settings, Devices & services, Add integration, Wyoming Protocol, with this machine's address and port. Each client has
a hidden state of its own; all share the model. There is no password: an address that others reach is open to all of them.")]
pub(super) struct WyomingArgs {
    /// Where to listen: tcp://HOST:PORT, unix://PATH or stdio://
    #[arg(short, long, value_name = "ADDRESS")]
    address: Option<String>,
    #[command(flatten)]
    hearing: HearingArgs,
}

pub(super) fn run(args: &WyomingArgs, mut context: Context) -> Result<Outcome> {
    args.hearing.apply(&mut context)?;
    if let Some(address) = &args.address {
        context.set_flag("--address", "wyoming.address", address.as_str())?;
    }
    let settings = context.settings()?.wyoming;
    let address: Address = settings.address.parse().map_err(|reason: String| anyhow!(reason))?;
    let bundle = context.load_model()?;
    bundle.check_listens(&bundle.manifest.name)?;
    let words: Vec<&str> = bundle.manifest.words.iter().map(|word| word.name.as_str()).collect();
    tracing::info!(model = bundle.manifest.name, words = words.join(", "), "serving Wyoming");
    if address == Address::Stdio {
        serve_stdio(bundle).context("standard input")?;
        return Ok(Outcome::Success);
    }
    let signals = SignalWatch::start()?;
    let model = Arc::clone(&bundle);
    let service = Service {
        model: Box::new(move || model.clone()),
        microphone: None,
        n_clients_most: settings.max_clients as usize,
    };
    let server = Server::start(&address, service).with_context(|| format!("cannot listen at {address}"))?;
    tracing::info!(address = %server.address(), "listening at");
    let announcement = announce(&settings, server.address());
    let signal = signals.received.recv();
    tracing::info!(signal = signal.unwrap_or_default(), clients = server.counts().n_clients, "stopping");
    drop(announcement);
    drop(server);
    Ok(Outcome::Success)
}

/// Tells the local network, if it is to be told. That it cannot be told is a warning: who knows the address can come.
pub(super) fn announce(settings: &WyomingSettings, address: &Address) -> Option<Announcement> {
    let Address::Tcp(_, port) = address else { return None };
    let is_told = match settings.announce {
        Announce::Always => true,
        Announce::Auto => address.is_open_to_others(),
        Announce::Never => false,
    };
    if !is_told {
        return None;
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = match settings.announce_name.as_str() {
        "" => format!("tripword on {host}"),
        name => name.to_owned(),
    };
    match Announcement::start(&name, &host, *port) {
        Ok(announcement) => {
            tracing::info!(name, "told to the local network");
            Some(announcement)
        }
        Err(error) => {
            tracing::warn!(%error, "the local network could not be told (mDNS); give clients the address");
            None
        }
    }
}
