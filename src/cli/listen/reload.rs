//! Reads configuration and model anew while it listens. What is wrong with them changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::watch::{Seen, look};
use crate::bundle::{BUILTIN_MODELS, Bundle, Manifest};
use crate::cli::context::{Context, models_dir};
use crate::config::Layers;
use crate::control::Reloaded;
use crate::daemon::Controls;
use crate::names::same_word;

/// Keys that take effect at a reload.
const LIVE_SECTIONS: [&str; 2] = ["model.", "trigger."];
/// Keys that are nothing to a daemon.
const OTHER_SECTIONS: [&str; 2] = ["label.", "train."];
/// The files of a model folder that decide what it is.
const MODEL_FILES: [&str; 2] = ["manifest.toml", "weights.safetensors"];

/// What the service manager is told around a reload, also around one that fails.
pub(super) struct Hooks {
    pub(super) before: Box<dyn Fn() + Send + Sync>,
    /// Is given what came of it, for people.
    pub(super) after: Box<dyn Fn(&str) + Send + Sync>,
}

/// Gives the configuration as it is now, with the flags of this command.
pub(super) type ReadAnew = Box<dyn Fn() -> Result<Context> + Send + Sync>;

/// Reloads a running daemon.
pub(super) struct Reloader {
    read_anew: ReadAnew,
    controls: Controls,
    hooks: Hooks,
    /// With which it was started.
    started_with: Layers,
    /// What the last configuration that could be read is made of. Locked for the length of a reload: there is one at a time.
    files: Mutex<Seen>,
}

impl Reloader {
    pub(super) fn new(context: &Context, read_anew: ReadAnew, controls: Controls, hooks: Hooks) -> Result<Self> {
        let files = Mutex::new(look(files_of(context)?));
        Ok(Self { read_anew, controls, hooks, started_with: context.layers.clone(), files })
    }

    /// The files whose change is a reason to reload, as they were right before they were read.
    pub(super) fn files(&self) -> Seen {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads everything anew.
    ///
    /// # Errors
    /// When something is wrong with it; everything is then as it was.
    pub(super) fn reload(&self) -> Result<Reloaded, String> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        (self.hooks.before)();
        let result = self.try_reload(&mut files);
        match result {
            Ok(reloaded) => {
                let changes = reloaded.changes.join("; ");
                (self.hooks.after)("configuration and model read anew");
                tracing::info!(changes, "configuration and model read anew");
                if !reloaded.needs_restart.is_empty() {
                    tracing::warn!(keys = reloaded.needs_restart.join(", "), "needs a restart to take effect");
                }
                Ok(reloaded)
            }
            Err(error) => {
                let reason = format!("{error:#}");
                (self.hooks.after)(&format!("the configuration stays as it was: {reason}"));
                tracing::error!(reason, "configuration and model could not be read anew: they stay as they were");
                Err(reason)
            }
        }
    }

    fn try_reload(&self, files: &mut Seen) -> Result<Reloaded> {
        let context = (self.read_anew)()?;
        *files = look(files_of(&context)?);
        let bundle = context.load_model()?;
        bundle.check_listens(&bundle.manifest.name)?;
        let needs_restart = keys_that_need_a_restart(&self.started_with, &context.layers);
        let before = self.controls.bundle();
        let mut changes = Vec::new();
        let is_same = is_same_model(&before.manifest, &bundle.manifest);
        if !is_same {
            changes.push(format!("model '{}' in the place of '{}'", bundle.manifest.name, before.manifest.name));
        }
        changes.extend(self.changed_rules(&bundle));
        if is_same {
            self.controls.replace_rules(bundle);
        } else {
            self.controls.replace_model(bundle)?;
        }
        Ok(Reloaded { changes, needs_restart })
    }

    /// What is decided in another way by `bundle` than now, a sentence a word.
    fn changed_rules(&self, bundle: &Bundle) -> Vec<String> {
        let in_force = self.controls.words();
        let change = |word: &crate::bundle::WordEntry| {
            let before = in_force.iter().find(|before| same_word(&before.name, &word.name))?;
            let (name, before, after) = (&word.name, before.trigger, word.trigger);
            if before.threshold != after.threshold {
                Some(format!("{name}: threshold {} in the place of {}", after.threshold, before.threshold))
            } else if before != after {
                Some(format!("{name}: other rules"))
            } else {
                None
            }
        };
        bundle.manifest.words.iter().filter_map(change).collect()
    }
}

/// Whether the model that hears can go on as it is, with other rules of decision at most.
fn is_same_model(before: &Manifest, after: &Manifest) -> bool {
    let mut same = before.clone();
    // Words for people, and what is known about the training.
    same.description.clone_from(&after.description);
    same.license.clone_from(&after.license);
    same.training.clone_from(&after.training);
    same.provenance.clone_from(&after.provenance);
    for (word, after) in same.words.iter_mut().zip(&after.words) {
        // Smoothing is part of the state.
        word.trigger = crate::detector::TriggerConfig { smoothing_ms: word.trigger.smoothing_ms, ..after.trigger };
    }
    same == *after
}

fn keys_that_need_a_restart(before: &Layers, after: &Layers) -> Vec<String> {
    let of_a_restart = |layers: &Layers| -> Vec<(String, String)> {
        let is_beside = |key: &str| LIVE_SECTIONS.iter().chain(&OTHER_SECTIONS).any(|section| key.starts_with(section));
        let entries = layers.entries().into_iter().map(|(key, value, _)| (key, value));
        entries.filter(|(key, _)| !is_beside(key)).collect()
    };
    let (before, after) = (of_a_restart(before), of_a_restart(after));
    let others = |entries: &[(String, String)], than: &[(String, String)]| -> Vec<String> {
        entries.iter().filter(|entry| !than.contains(entry)).map(|(key, _)| key.clone()).collect()
    };
    let mut keys = [others(&before, &after), others(&after, &before)].concat();
    keys.sort();
    keys.dedup();
    keys
}

/// What the configuration is made of: its file and the model's.
fn files_of(context: &Context) -> Result<Vec<PathBuf>> {
    let asked = context.settings()?.model.path;
    let mut files: Vec<PathBuf> = context.config_file.iter().cloned().collect();
    let is_folder = Path::new(&asked).is_dir();
    // A built-in model has none.
    if is_folder || BUILTIN_MODELS.iter().all(|model| model.name != asked) {
        let in_models_dir = models_dir().filter(|_| !is_folder).map(|dir| dir.join(&asked));
        for folder in [PathBuf::from(&asked)].into_iter().chain(in_models_dir) {
            files.extend(MODEL_FILES.map(|file| folder.join(file)));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    #[test]
    fn what_needs_a_restart_is_named_and_the_rest_is_not() {
        let before = Layers::default();
        let mut after = before.clone();
        for (key, value) in [
            ("input.channel", "\"1\""),
            ("log.level", "debug"),
            ("model.path", "other"),
            ("trigger.words.alexa.threshold", "0.3"),
            ("label.n_jobs", "3"),
        ] {
            after.set_text(key, value, Origin::Flag("test".into())).unwrap();
        }
        assert_eq!(keys_that_need_a_restart(&before, &after), ["input.channel", "log.level"]);
        assert_eq!(keys_that_need_a_restart(&after, &after), [""; 0]);
    }
}
