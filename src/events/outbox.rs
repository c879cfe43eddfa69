//! A destination that may be slow or away, on a thread of its own: a queue of bounded length before it, attempts with pauses between
//! them, and an end that does not wait for ever. Whoever hands over an event never waits.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, after, bounded, never, select};

use super::output_status::{About, OutputView};
use super::{EventSink, WakeEvent};

/// Events that wait for their destination at most.
pub const QUEUE_EVENTS: usize = 256;
/// When the daemon stops, what is queued or under way has so long; then it is given up, and commands are ended.
pub const LAST_CHANCE: Duration = Duration::from_millis(1000);
/// Destinations that have not ended so long after the stop are left behind.
const LEFT_BEHIND_AFTER: Duration = Duration::from_millis(1600);

/// Where events go: a file, a socket, a broker, a command.
pub trait Destination: Send {
    /// Delivers one event or begins to, in bounded time.
    ///
    /// # Errors
    /// When it could not be delivered; [`Failure`] says whether to try again.
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure>;

    /// Whether it takes another event now.
    fn is_ready(&self) -> bool {
        true
    }

    /// Looks after what is under way, and adds what has come of each delivery that ended. Gives how soon it wants to be asked again.
    fn attend(&mut self, _ended: &mut Vec<Result<(), Failure>>) -> Option<Duration> {
        None
    }

    /// Ends what is under way, for the daemon stops; adds what has come of it.
    fn end(&mut self, _ended: &mut Vec<Result<(), Failure>>) {}
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is there.
    Done,
    /// It goes on; [`Destination::attend`] tells what becomes of it.
    UnderWay,
}

/// Why an event was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work later: the other side is away, busy or slow.
    #[error("{0}")]
    Passing(String),
    /// It will not work however often it is tried: the other side refuses it, or it was tried as far as it makes sense.
    #[error("{0}")]
    Lasting(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Passing(error.to_string())
    }
}

/// How long an event is tried, and with what pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Before the second attempt; doubles from attempt to attempt.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// An event is tried no longer than this after it was said.
    pub patience: Duration,
}

impl RetryPolicy {
    /// Pauses from a quarter of a second to four, for so long in all.
    pub const fn within(patience: Duration) -> Self {
        Self { first_pause: Duration::from_millis(250), longest_pause: Duration::from_secs(4), patience }
    }
}

struct Queued {
    event: WakeEvent,
    since: Instant,
}

/// The queue before a destination, and its thread.
pub struct Outbox {
    view: OutputView,
    queue: Option<Sender<Queued>>,
    /// Nothing is ever sent: its end says that the daemon stops.
    running: Option<Sender<()>>,
    finished: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Outbox {
    /// Starts the thread of `destination`.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(about: About, policy: RetryPolicy, destination: Box<dyn Destination>) -> io::Result<Self> {
        let (queue, events) = bounded(QUEUE_EVENTS);
        let (running, stop) = bounded(0);
        // The worker holds the sender, and its end is the news.
        let (finished_sender, finished) = bounded(0);
        let view = OutputView::new(about);
        let worker = Worker {
            destination,
            policy,
            queue: events,
            stop,
            view: view.clone(),
            in_hand: None,
            n_under_way: 0,
            give_up_at: None,
        };
        let thread = Builder::new().name(format!("tw-{}", view.name())).spawn(move || {
            worker.run();
            drop::<Sender<()>>(finished_sender);
        })?;
        Ok(Self { view, queue: Some(queue), running: Some(running), finished, thread: Some(thread) })
    }

    /// A handle to look at it while the daemon has it.
    pub fn view(&self) -> OutputView {
        self.view.clone()
    }

    fn put(&self, event: &WakeEvent) {
        let Some(queue) = &self.queue else { return };
        self.view.counters().n_accepted.add(1);
        let Err(error) = queue.try_send(Queued { event: event.clone(), since: Instant::now() }) else { return };
        self.view.counters().n_dropped.add(1);
        let reason = match error {
            TrySendError::Full(_) => format!("{QUEUE_EVENTS} events wait for it already"),
            TrySendError::Disconnected(_) => "its thread has ended".to_owned(),
        };
        tracing::error!(output = self.view.name(), word = event.word, reason, "event dropped");
    }

    fn close(&mut self) {
        drop(self.queue.take());
        drop(self.running.take());
    }

    fn wait_until(&mut self, deadline: Instant) {
        let Some(thread) = self.thread.take() else { return };
        // Nothing is ever sent: it disconnects when the thread is done.
        let is_done = self.finished.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected);
        let status = self.view.status();
        if is_done {
            // A panic was reported when it happened.
            let _ = thread.join();
            tracing::debug!(output = status.name, delivered = status.n_delivered, "output closed");
        } else {
            let n_undelivered = status.n_queued;
            tracing::error!(output = status.name, n_undelivered, "it hangs: stopping without it");
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.close();
        self.wait_until(Instant::now() + LEFT_BEHIND_AFTER);
    }
}

/// All destinations behind queues, as one sink: an event that it has taken is with each of them or counted as dropped there. Dropping it
/// gives them all the same [`LAST_CHANCE`].
#[derive(Default)]
pub struct Outboxes {
    all: Vec<Outbox>,
}

impl Outboxes {
    /// Of these.
    pub fn new(all: Vec<Outbox>) -> Self {
        Self { all }
    }
}

impl EventSink for Outboxes {
    fn name(&self) -> &str {
        "outputs"
    }

    fn deliver(&mut self, event: &WakeEvent) -> io::Result<()> {
        self.all.iter().for_each(|outbox| outbox.put(event));
        Ok(())
    }
}

impl Drop for Outboxes {
    fn drop(&mut self) {
        self.all.iter_mut().for_each(Outbox::close);
        let deadline = Instant::now() + LEFT_BEHIND_AFTER;
        self.all.iter_mut().for_each(|outbox| outbox.wait_until(deadline));
    }
}

/// The event that is being tried.
struct InHand {
    queued: Queued,
    n_attempts: u32,
    pause: Duration,
    next_attempt: Instant,
}

struct Worker {
    destination: Box<dyn Destination>,
    policy: RetryPolicy,
    queue: Receiver<Queued>,
    stop: Receiver<()>,
    view: OutputView,
    in_hand: Option<InHand>,
    n_under_way: u64,
    /// Set when the daemon stops.
    give_up_at: Option<Instant>,
}

impl Worker {
    fn run(mut self) {
        let mut is_queue_open = true;
        loop {
            self.attempt_if_due();
            let attend_in = self.attend();
            if self.give_up_at.is_some_and(|at| Instant::now() >= at) {
                return self.give_up();
            }
            if !is_queue_open && self.in_hand.is_none() && self.n_under_way == 0 {
                return;
            }
            let wishes = [
                attend_in.map(|wait| Instant::now() + wait),
                self.in_hand.as_ref().map(|in_hand| in_hand.next_attempt),
                self.give_up_at,
            ];
            let timer = wishes
                .into_iter()
                .flatten()
                .min()
                .map_or_else(never, |at| after(at.saturating_duration_since(Instant::now())));
            let takes = is_queue_open && self.in_hand.is_none() && self.destination.is_ready();
            let queue = if takes { self.queue.clone() } else { never() };
            select! {
                recv(queue) -> queued => match queued {
                    Ok(queued) => self.take_in_hand(queued),
                    Err(_) => is_queue_open = false,
                },
                recv(self.stop) -> _ => {
                    self.stop = never();
                    self.give_up_at = Some(Instant::now() + LAST_CHANCE);
                    // What waits for its next attempt has it now.
                    if let Some(in_hand) = &mut self.in_hand {
                        in_hand.next_attempt = Instant::now();
                    }
                },
                recv(timer) -> _ => {}
            }
        }
    }

    fn take_in_hand(&mut self, queued: Queued) {
        let pause = self.policy.first_pause;
        self.in_hand = Some(InHand { queued, n_attempts: 0, pause, next_attempt: Instant::now() });
    }

    fn attempt_if_due(&mut self) {
        let now = Instant::now();
        let is_due = self.in_hand.as_ref().is_some_and(|in_hand| in_hand.next_attempt <= now);
        if !is_due || !self.destination.is_ready() {
            return;
        }
        let Some(mut in_hand) = self.in_hand.take() else { return };
        let age = in_hand.queued.since.elapsed();
        let result = if age > self.policy.patience {
            Err(Failure::Lasting(format!("it was said {:.0} s ago, too long to be told now", age.as_secs_f32())))
        } else {
            in_hand.n_attempts += 1;
            self.destination.deliver(&in_hand.queued.event)
        };
        match result {
            Ok(Delivery::Done) => self.account(Ok(())),
            Ok(Delivery::UnderWay) => self.n_under_way += 1,
            Err(Failure::Lasting(reason)) => self.account(Err(Failure::Lasting(reason))),
            Err(Failure::Passing(reason)) => {
                let age = in_hand.queued.since.elapsed();
                if age + in_hand.pause > self.policy.patience {
                    return self.account(Err(Failure::Passing(reason)));
                }
                let event = &in_hand.queued.event;
                let attempt = in_hand.n_attempts;
                self.view.note_error(&reason);
                // Once is enough: it may be away for long.
                if attempt == 1 {
                    tracing::warn!(output = self.view.name(), word = event.word, reason, "not delivered yet");
                } else {
                    tracing::debug!(output = self.view.name(), word = event.word, attempt, reason, "not delivered yet");
                }
                self.view.counters().n_retries.add(1);
                // At the end there is no time for long pauses.
                let pause = if self.give_up_at.is_some() { self.policy.first_pause } else { in_hand.pause };
                in_hand.next_attempt = Instant::now() + pause;
                in_hand.pause = (in_hand.pause * 2).min(self.policy.longest_pause);
                self.in_hand = Some(in_hand);
            }
        }
    }

    fn attend(&mut self) -> Option<Duration> {
        let mut ended = Vec::new();
        let again = self.destination.attend(&mut ended);
        self.settle(ended);
        again
    }

    fn settle(&mut self, ended: Vec<Result<(), Failure>>) {
        for result in ended {
            self.n_under_way = self.n_under_way.saturating_sub(1);
            self.account(result);
        }
    }

    fn account(&self, result: Result<(), Failure>) {
        match result {
            Ok(()) => self.view.counters().n_delivered.add(1),
            Err(failure) => {
                self.view.counters().n_failed.add(1);
                let reason = failure.to_string();
                self.view.note_error(&reason);
                tracing::error!(output = self.view.name(), reason, "event not delivered");
            }
        }
    }

    fn give_up(mut self) {
        let mut ended = Vec::new();
        self.destination.end(&mut ended);
        self.settle(ended);
        let n_undelivered = self.queue.try_iter().count() as u64 + u64::from(self.in_hand.is_some());
        self.view.counters().n_abandoned.add(n_undelivered);
        if n_undelivered > 0 {
            tracing::error!(output = self.view.name(), n_undelivered, "events not delivered: stopping");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::output_status::OutputStatus;
    use super::super::testing::event;
    use super::*;

    /// Fails as often as told before each event, then keeps it; holds on while it is locked.
    struct Moody {
        n_failures: u32,
        is_lasting: bool,
        n_left: u32,
        kept: Arc<Mutex<Vec<String>>>,
    }

    impl Destination for Moody {
        fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
            let mut kept = self.kept.lock().unwrap();
            if self.n_left > 0 {
                self.n_left -= 1;
                let failure = if self.is_lasting { Failure::Lasting } else { Failure::Passing };
                return Err(failure("not now".into()));
            }
            self.n_left = self.n_failures;
            kept.push(event.word.clone());
            Ok(Delivery::Done)
        }
    }

    fn outbox(n_failures: u32, is_lasting: bool, patience_ms: u64) -> (Outbox, Arc<Mutex<Vec<String>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let moody = Moody { n_failures, is_lasting, n_left: n_failures, kept: kept.clone() };
        let pause = Duration::from_millis(1);
        let policy =
            RetryPolicy { first_pause: pause, longest_pause: pause, patience: Duration::from_millis(patience_ms) };
        (Outbox::start(About::new("moody", "nowhere", "nothing"), policy, Box::new(moody)).unwrap(), kept)
    }

    fn wait_for(view: &OutputView, is_there: impl Fn(&OutputStatus) -> bool) {
        let began = Instant::now();
        while !is_there(&view.status()) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", view.status());
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_fails_in_passing_is_tried_again_in_order() {
        let (outbox, kept) = outbox(2, false, 60_000);
        for word in ["one", "two", "three"] {
            outbox.put(&event(word));
        }
        let view = outbox.view();
        wait_for(&view, |status| status.n_delivered == 3);
        assert_eq!(*kept.lock().unwrap(), ["one", "two", "three"]);
        assert_eq!((view.status().n_retries, view.status().n_failed), (6, 0));
        assert_eq!(view.status().last_error.as_deref(), Some("not now"));
    }

    #[test]
    fn what_will_never_work_is_given_up_and_counted() {
        for (is_lasting, has_retries) in [(true, false), (false, true)] {
            let (outbox, kept) = outbox(u32::MAX, is_lasting, 100);
            outbox.put(&event("one"));
            let view = outbox.view();
            wait_for(&view, |status| status.n_failed == 1);
            assert_eq!(view.status().n_retries > 0, has_retries);
            assert!(kept.lock().unwrap().is_empty());
            assert_eq!(view.status().n_queued, 0);
        }
    }

    #[test]
    fn a_destination_that_hangs_makes_nobody_wait_and_its_events_are_counted() {
        let (outbox, kept) = outbox(0, false, 60_000);
        let view = outbox.view();
        let hold = kept.lock().unwrap();
        let began = Instant::now();
        (0..QUEUE_EVENTS + 10).for_each(|_| outbox.put(&event("one")));
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        // One may be in the destination's hands.
        assert!((9..=10).contains(&view.status().n_dropped), "{:?}", view.status());
        drop(Outboxes::new(vec![outbox]));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(view.status().n_queued + view.status().n_dropped, QUEUE_EVENTS as u64 + 10);
        drop(hold);
    }

    #[test]
    fn at_the_end_what_is_queued_is_delivered_and_what_cannot_be_is_counted() {
        let (delivering, kept) = outbox(0, false, 60_000);
        let (failing, _) = outbox(u32::MAX, false, 60_000);
        let (view, failing_view) = (delivering.view(), failing.view());
        let mut outboxes = Outboxes::new(vec![delivering, failing]);
        (0..100).for_each(|_| outboxes.deliver(&event("one")).unwrap());
        drop(outboxes);
        assert_eq!(kept.lock().unwrap().len(), 100);
        assert_eq!((view.status().n_delivered, view.status().n_queued), (100, 0));
        assert_eq!((failing_view.status().n_abandoned, failing_view.status().n_queued), (100, 0));
    }

    #[test]
    fn what_waited_too_long_is_not_tried() {
        let (outbox, kept) = outbox(0, false, 50);
        let hold = kept.lock().unwrap();
        (0..3).for_each(|_| outbox.put(&event("one")));
        std::thread::park_timeout(Duration::from_millis(100));
        drop(hold);
        let view = outbox.view();
        wait_for(&view, |status| status.n_delivered + status.n_failed == 3);
        assert_eq!(kept.lock().unwrap().len(), 1);
        assert!(view.status().last_error.unwrap().contains("too long"));
    }
}
