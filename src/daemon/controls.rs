//! What may change while the daemon listens: which words count and from which threshold on, whether anything is told at all, and the
//! model.
//!
//! Whoever controls writes down what is wanted; the threads look at it between two blocks of sound. So a change never waits for
//! sound, and sound never for a change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bundle::Bundle;
use crate::detector::TriggerConfig;
use crate::names::{did_you_mean, same_word};

/// A handle; clones control the same daemon.
#[derive(Clone)]
pub struct Controls {
    shared: Arc<Shared>,
}

struct Shared {
    /// Grows with every change.
    version: AtomicU64,
    wanted: Mutex<Wanted>,
}

struct Wanted {
    mute: Mute,
    is_silenced: bool,
    words: Vec<WordControl>,
    bundle: Arc<Bundle>,
    /// Counts the models, from 0.
    generation: u64,
}

/// Whether words are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mute {
    /// They are.
    Off,
    /// They are not, until somebody says so.
    On,
    /// They are not until then, as while the machine itself speaks.
    Until(Instant),
}

impl Mute {
    /// Whether nothing is told at the moment `now`.
    pub fn is_on(self, now: Instant) -> bool {
        match self {
            Self::Off => false,
            Self::On => true,
            Self::Until(end) => now < end,
        }
    }
}

/// What is wanted of one word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordControl {
    /// As the model names it.
    pub name: String,
    /// Whether it is told when it is heard.
    pub is_enabled: bool,
    /// How it is decided.
    pub trigger: TriggerConfig,
}

/// A change that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The model does not know the word.
    #[error("there is no word '{asked}'; the model hears {known}{hint}")]
    NoSuchWord {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
        /// What may have been meant, as the end of the message.
        hint: String,
    },
    /// The threshold is none.
    #[error("the threshold {0} is not possible; expected above 0 and at most 1")]
    BadThreshold(String),
    /// The model is for labelling.
    #[error("{0}")]
    CannotListen(String),
}

impl Controls {
    pub(super) fn new(bundle: Arc<Bundle>) -> Self {
        let wanted = Wanted { mute: Mute::Off, is_silenced: false, words: words_of(&bundle), bundle, generation: 0 };
        Self { shared: Arc::new(Shared { version: AtomicU64::new(0), wanted: Mutex::new(wanted) }) }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        // Nothing panics while it holds the lock.
        self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Wanted) -> T) -> T {
        let result = change(&mut self.wanted());
        self.shared.version.fetch_add(1, Ordering::Release);
        result
    }

    /// Tells nothing until it is unmuted; everything is still heard and counted.
    pub fn set_muted(&self, is_muted: bool) {
        self.set_mute(if is_muted { Mute::On } else { Mute::Off });
    }

    /// Tells nothing for so long. It replaces what was wanted before, be it longer or shorter.
    pub fn mute_for(&self, duration: Duration) {
        // A time beyond what the clock can count never comes.
        self.set_mute(Instant::now().checked_add(duration).map_or(Mute::On, Mute::Until));
    }

    fn set_mute(&self, mute: Mute) {
        self.change(|wanted| wanted.mute = mute);
    }

    /// Tells nothing while others on the network speak: apart from the mute, which is this machine's own, so that neither undoes the other.
    pub fn set_silenced(&self, is_silenced: bool) {
        self.change(|wanted| wanted.is_silenced = is_silenced);
    }

    /// Whether others on the network want it to be silent.
    pub fn is_silenced(&self) -> bool {
        self.wanted().is_silenced
    }

    /// Whether and how long it is muted.
    pub fn mute(&self) -> Mute {
        self.wanted().mute
    }

    /// Whether it is muted now.
    pub fn is_muted(&self) -> bool {
        self.mute().is_on(Instant::now())
    }

    /// Decides on `word` from this threshold on; the release threshold follows. Gives the word as the model names it.
    ///
    /// # Errors
    /// When there is no such word, or the threshold is not above 0 and at most 1.
    pub fn set_threshold(&self, word: &str, threshold: f32) -> Result<String, ControlError> {
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(ControlError::BadThreshold(threshold.to_string()));
        }
        self.change(|wanted| {
            let word = find(&mut wanted.words, word)?;
            word.trigger = word.trigger.with_threshold(threshold);
            Ok(word.name.clone())
        })
    }

    /// Tells `word` or does not. Gives the word as the model names it.
    ///
    /// # Errors
    /// When there is no such word.
    pub fn set_enabled(&self, word: &str, is_enabled: bool) -> Result<String, ControlError> {
        self.change(|wanted| {
            let word = find(&mut wanted.words, word)?;
            word.is_enabled = is_enabled;
            Ok(word.name.clone())
        })
    }

    /// What is wanted of `word`.
    ///
    /// # Errors
    /// When there is no such word.
    pub fn word(&self, word: &str) -> Result<WordControl, ControlError> {
        find(&mut self.wanted().words, word).map(|word| word.clone())
    }

    /// Decides by the rules of `bundle`'s manifest from the next step on, all but its smoothing; the model itself, which is to be the
    /// same, goes on undisturbed. Words that were switched off stay so.
    pub fn replace_rules(&self, bundle: Arc<Bundle>) {
        self.change(|wanted| {
            wanted.words = words_after(&wanted.words, &bundle);
            wanted.bundle = bundle;
        });
    }

    /// Listens with another model, with the thresholds that its manifest has; words that were switched off stay so. It hears the last
    /// seconds first, so that nothing is missed in between.
    ///
    /// # Errors
    /// When the model can only label.
    pub fn replace_model(&self, bundle: Arc<Bundle>) -> Result<(), ControlError> {
        bundle.check_listens(&bundle.manifest.name).map_err(|error| ControlError::CannotListen(error.to_string()))?;
        self.change(|wanted| {
            wanted.words = words_after(&wanted.words, &bundle);
            wanted.bundle = bundle;
            wanted.generation += 1;
        });
        Ok(())
    }

    /// The words as they are wanted now.
    pub fn words(&self) -> Vec<WordControl> {
        self.wanted().words.clone()
    }

    /// The model that is wanted now.
    pub fn bundle(&self) -> Arc<Bundle> {
        self.wanted().bundle.clone()
    }

    pub(super) fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// The model, if it is not that of `generation`, which then is.
    pub(super) fn newer_model(&self, generation: &mut u64) -> Option<Arc<Bundle>> {
        let wanted = self.wanted();
        (wanted.generation != *generation).then(|| {
            *generation = wanted.generation;
            wanted.bundle.clone()
        })
    }
}

fn words_of(bundle: &Bundle) -> Vec<WordControl> {
    let words = bundle.manifest.words.iter();
    words.map(|word| WordControl { name: word.name.clone(), is_enabled: true, trigger: word.trigger }).collect()
}

/// The words of a model that follows one whose words were wanted so.
fn words_after(before: &[WordControl], bundle: &Bundle) -> Vec<WordControl> {
    let mut words = words_of(bundle);
    for word in &mut words {
        if let Some(before) = before.iter().find(|before| same_word(&before.name, &word.name)) {
            word.is_enabled = before.is_enabled;
        }
    }
    words
}

fn find<'w>(words: &'w mut [WordControl], asked: &str) -> Result<&'w mut WordControl, ControlError> {
    let Some(word_idx) = words.iter().position(|word| same_word(&word.name, asked)) else {
        let names = || words.iter().map(|word| word.name.as_str());
        return Err(ControlError::NoSuchWord {
            asked: asked.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
            hint: did_you_mean(asked, names()),
        });
    };
    Ok(&mut words[word_idx])
}
