//! The Wyoming service beside the detector: clients are given of its microphone, or send sound of their own.

use std::io;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow};

use crate::audio::history::AudioHistory;
use crate::bundle::Bundle;
use crate::cli::wyoming::announce;
use crate::config::{GivenOfMicrophone, WyomingSettings};
use crate::daemon::Controls;
use crate::events::{EventSink, WakeEvent};
use crate::wyoming::{Address, Announcement, ClientCounts, Given, Microphone, MicrophoneTeller, Server, Service};

/// The servers beside a daemon. Dropped after it, they tell its last words.
pub(super) struct WyomingBeside {
    /// At the first address, and at that of the microphone, if there is one.
    servers: Vec<Server>,
    counts: WyomingCounts,
    _announcement: Option<Announcement>,
    controls: Arc<OnceLock<Controls>>,
}

impl WyomingBeside {
    /// Starts what is configured; nothing if nothing is.
    ///
    /// # Errors
    /// When an address makes no sense or is taken.
    pub(super) fn start(
        settings: &WyomingSettings,
        bundle: &Arc<Bundle>,
        history: &AudioHistory,
    ) -> Result<Option<Self>> {
        let given = match settings.microphone {
            GivenOfMicrophone::Nothing if settings.microphone_address.is_empty() => return Ok(None),
            GivenOfMicrophone::Sound => Given::SoundToWhoSelects,
            GivenOfMicrophone::Words if settings.microphone_address.is_empty() => Given::Words,
            GivenOfMicrophone::Nothing | GivenOfMicrophone::Words => {
                return Err(anyhow!(
                    "wyoming.microphone_address is {}, but wyoming.microphone does not give the sound away; set it to \"sound\" \
                     (--wyoming sound), or the address to \"\"",
                    settings.microphone_address
                ));
            }
        };
        let controls: Arc<OnceLock<Controls>> = Arc::default();
        let start = |address: &str, given| {
            let address: Address = address.parse().map_err(|reason: String| anyhow!(reason))?;
            let (controls, first) = (controls.clone(), bundle.clone());
            let service = Service {
                model: Box::new(move || controls.get().map_or_else(|| first.clone(), Controls::bundle)),
                microphone: Some(Microphone { history: history.clone(), given }),
                n_clients_most: settings.max_clients as usize,
            };
            let server = Server::start(&address, service).with_context(|| format!("cannot listen at {address}"))?;
            tracing::info!(address = %server.address(), given = ?given, "serving Wyoming");
            if given != Given::Words && server.address().is_open_to_others() {
                tracing::warn!(address = %server.address(), "whoever reaches this address can hear the microphone");
            }
            Ok::<_, anyhow::Error>(server)
        };
        let mut servers = vec![start(&settings.address, given)?];
        let mut gifts = vec![given];
        if !settings.microphone_address.is_empty() {
            servers.push(start(&settings.microphone_address, Given::SoundToAll)?);
            gifts.push(Given::SoundToAll);
        }
        let of = servers.iter().zip(gifts);
        let of = of.map(|(server, given)| (server.address().to_string(), given, server.microphone_teller())).collect();
        let announcement = announce(settings, servers[0].address());
        Ok(Some(Self { servers, counts: WyomingCounts { of }, _announcement: announcement, controls }))
    }

    /// From now on clients that come are served with the model that the daemon listens with.
    pub(super) fn follow(&self, controls: &Controls) {
        let is_first = self.controls.set(controls.clone()).is_ok();
        debug_assert!(is_first, "one daemon is followed");
    }

    /// What tells clients of words.
    pub(super) fn sink(&self) -> Box<dyn EventSink> {
        Box::new(MicrophoneWords(self.servers.iter().map(Server::microphone_teller).collect()))
    }

    /// A handle to look at the clients.
    pub(super) fn counts(&self) -> WyomingCounts {
        self.counts.clone()
    }
}

/// How many clients there are and were, at each address.
#[derive(Clone)]
pub(super) struct WyomingCounts {
    of: Vec<(String, Given, MicrophoneTeller)>,
}

impl WyomingCounts {
    /// Each address, what its clients can have, and their numbers.
    pub(super) fn now(&self) -> Vec<(&str, &'static str, ClientCounts)> {
        let given = |given| match given {
            Given::Words => "words",
            Given::SoundToWhoSelects => "words, and the microphone's sound to who asks for it",
            Given::SoundToAll => "the microphone's sound",
        };
        self.of.iter().map(|(address, what, teller)| (address.as_str(), given(*what), teller.counts())).collect()
    }
}

/// Events as words for clients of the servers. Waits for none of them.
struct MicrophoneWords(Vec<MicrophoneTeller>);

impl EventSink for MicrophoneWords {
    fn name(&self) -> &str {
        "wyoming"
    }

    fn deliver(&mut self, event: &WakeEvent) -> io::Result<()> {
        let timestamp_ms = (event.time_s * 1000.0).round() as i64;
        self.0.iter().for_each(|teller| teller.tell(&event.word, timestamp_ms));
        Ok(())
    }
}
