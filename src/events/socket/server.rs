//! Serves all clients of the socket. A thread of its own because it waits for many things at once: new clients, what they say, room
//! to write, events, and sound.

use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::{ClientCounters, WakeEvent};
use super::client::{Client, Hearing, Parting};
use crate::audio::history::AudioHistory;

/// How often sound is sent on while clients follow it.
const SOUND_EVERY: Duration = Duration::from_millis(20);
/// After the machine had no file left for another client.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Server {
    listener: UnixListener,
    /// Readable when there is an event; its end is ours.
    wakes: UnixStream,
    events: Receiver<WakeEvent>,
    history: AudioHistory,
    counters: Arc<ClientCounters>,
    clients: Vec<Member>,
    accept_again_at: Option<Instant>,
}

struct Member {
    client: Client,
    hearing: Hearing,
    parting: Option<Parting>,
}

impl Member {
    fn note(&mut self, result: Result<(), Parting>) {
        if let Err(parting) = result {
            self.parting = self.parting.or(Some(parting));
        }
    }
}

impl Server {
    pub(super) fn new(
        listener: UnixListener,
        wakes: UnixStream,
        events: Receiver<WakeEvent>,
        history: AudioHistory,
        counters: Arc<ClientCounters>,
    ) -> Self {
        Self { listener, wakes, events, history, counters, clients: Vec::new(), accept_again_at: None }
    }

    pub(super) fn run(mut self) {
        loop {
            let Some(ready) = self.wait() else { return };
            if ready[0] {
                let mut bytes = [0; 64];
                // Whatever it says, the queue below says it better.
                let _ = self.wakes.read(&mut bytes);
            }
            for (member, is_ready) in self.clients.iter_mut().zip(&ready[2..]) {
                if !is_ready {
                    continue;
                }
                let flushed = member.client.flush();
                member.note(flushed);
                if member.hearing == Hearing::On {
                    match member.client.read() {
                        Ok(hearing) => member.hearing = hearing,
                        Err(parting) => member.note(Err(parting)),
                    }
                }
            }
            if ready[1] {
                self.accept();
            }
            let goes_on = self.tell_events();
            for member in &mut self.clients {
                let pumped = member.client.pump_sound();
                member.note(pumped);
            }
            self.part();
            if !goes_on {
                return;
            }
        }
    }

    /// Waits for something to do: whether there are wakes, new clients, and something with each client.
    fn wait(&mut self) -> Option<Vec<bool>> {
        let mut timeout = self.clients.iter().any(|member| member.client.follows_sound()).then_some(SOUND_EVERY);
        let mut listens = PollFlags::IN;
        if let Some(at) = self.accept_again_at {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.accept_again_at = None;
            } else {
                listens = PollFlags::empty();
                timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
            }
        }
        let mut fds = vec![PollFd::new(&self.wakes, PollFlags::IN), PollFd::new(&self.listener, listens)];
        for member in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, member.hearing == Hearing::On);
            flags.set(PollFlags::OUT, member.client.has_outgoing());
            fds.push(PollFd::from_borrowed_fd(member.client.fd(), flags));
        }
        let timeout = timeout
            .map(|timeout| Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Some(vec![false; fds.len()]),
            Err(error) => {
                tracing::error!(%error, "the socket for events cannot be waited for");
                return None;
            }
        }
        let gone: Vec<bool> = fds.iter().map(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR)).collect();
        let ready = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        for (member, gone) in self.clients.iter_mut().zip(&gone[2..]) {
            if *gone {
                member.note(Err(Parting::Left));
            }
        }
        Some(ready)
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => match Client::new(stream) {
                    Ok(client) => self.clients.push(Member { client, hearing: Hearing::On, parting: None }),
                    Err(error) => tracing::warn!(%error, "a client cannot be served"),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, clients = self.clients.len(), "no client can be added now");
                    self.accept_again_at = Some(Instant::now() + ACCEPT_PAUSE);
                    break;
                }
            }
        }
        self.counters.n_connected.set(self.clients.len() as u64);
    }

    /// Gives whether there may be more.
    fn tell_events(&mut self) -> bool {
        loop {
            let event = match self.events.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            };
            let mut line = event.to_json().into_bytes();
            line.push(b'\n');
            for member in self.clients.iter_mut().filter(|member| member.parting.is_none()) {
                let told = member.client.tell(&event, &line, &self.history);
                member.note(told);
            }
        }
    }

    /// Lets go of the clients that have left or do not read.
    fn part(&mut self) {
        let n_stuck = self.clients.iter().filter(|member| member.parting == Some(Parting::DoesNotRead)).count();
        if n_stuck > 0 {
            self.counters.n_let_go.add(n_stuck as u64);
            tracing::warn!(clients = n_stuck, "let go of clients that do not read their events");
        }
        self.clients.retain(|member| member.parting.is_none());
        self.counters.n_connected.set(self.clients.len() as u64);
    }
}
