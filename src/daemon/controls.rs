//! What may change while the daemon listens: which words count and from which threshold on, whether anything is told at all, and the
//! model.
//!
//! Whoever controls writes down what is wanted; the threads look at it between two blocks of sound. So a change never waits for
//! sound, and sound never for a change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::bundle::Bundle;
use crate::detector::TriggerConfig;
use crate::names::same_word;

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
    is_muted: bool,
    words: Vec<WordControl>,
    bundle: Arc<Bundle>,
    /// Counts the models, from 0.
    generation: u64,
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
    #[error("there is no word '{asked}'; the model hears {known}")]
    NoSuchWord {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
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
        let wanted = Wanted { is_muted: false, words: words_of(&bundle), bundle, generation: 0 };
        Self { shared: Arc::new(Shared { version: AtomicU64::new(0), wanted: Mutex::new(wanted) }) }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        // Nothing panics while it holds the lock.
        self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Wanted) -> Result<T, ControlError>) -> Result<T, ControlError> {
        let result = change(&mut self.wanted());
        self.shared.version.fetch_add(1, Ordering::Release);
        result
    }

    /// Tells nothing until it is unmuted; everything is still heard and counted.
    pub fn set_muted(&self, is_muted: bool) {
        let changed = self.change(|wanted| {
            wanted.is_muted = is_muted;
            Ok(())
        });
        debug_assert!(changed.is_ok());
    }

    /// Whether it is muted.
    pub fn is_muted(&self) -> bool {
        self.wanted().is_muted
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

    /// Listens with another model, with the thresholds that its manifest has; words that were switched off stay so. It hears the last
    /// seconds first, so that nothing is missed in between.
    ///
    /// # Errors
    /// When the model can only label.
    pub fn replace_model(&self, bundle: Arc<Bundle>) -> Result<(), ControlError> {
        bundle.check_listens(&bundle.manifest.name).map_err(|error| ControlError::CannotListen(error.to_string()))?;
        self.change(|wanted| {
            let mut words = words_of(&bundle);
            for word in &mut words {
                if let Some(before) = wanted.words.iter().find(|before| same_word(&before.name, &word.name)) {
                    word.is_enabled = before.is_enabled;
                }
            }
            wanted.words = words;
            wanted.bundle = bundle;
            wanted.generation += 1;
            Ok(())
        })
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

fn find<'w>(words: &'w mut [WordControl], asked: &str) -> Result<&'w mut WordControl, ControlError> {
    let known = words.iter().map(|word| word.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = words.iter_mut().find(|word| same_word(&word.name, asked));
    found.ok_or_else(|| ControlError::NoSuchWord { asked: asked.to_owned(), known })
}
