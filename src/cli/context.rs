//! What every command needs: the configuration in force, the log, the model.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use crate::bundle::{Bundle, locate};
use crate::config::{Layers, Origin, Settings};
use crate::folders::{config_dir, data_dir};

/// Flags of all commands.
#[derive(Args)]
pub(super) struct GlobalArgs {
    /// Configuration file [default: $XDG_CONFIG_HOME/tripword/config.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set a configuration key, as in --set trigger.threshold=0.7 (repeatable)
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Log level on standard error: error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
}

/// The configuration in force.
pub(super) struct Context {
    pub(super) layers: Layers,
    /// The file that --config named.
    pub(super) config: Option<PathBuf>,
}

impl GlobalArgs {
    pub(super) fn context(&self) -> Result<Context> {
        let mut layers = Layers::default();
        match &self.config {
            Some(path) => layers.merge_file(path)?,
            None => {
                if let Some(path) = config_dir().map(|dir| dir.join("config.toml")).filter(|path| path.is_file()) {
                    layers.merge_file(&path)?;
                }
            }
        }
        for assignment in &self.set {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| anyhow!("--set {assignment}: expected KEY=VALUE, as in --set trigger.threshold=0.7"))?;
            layers.set_text(key.trim(), value.trim(), Origin::Flag(format!("--set {assignment}")))?;
        }
        if let Some(level) = &self.log {
            layers.set_text("log.level", &format!("{level:?}"), Origin::Flag("--log".into()))?;
        }
        super::log::start(&layers.settings()?.log.level);
        Ok(Context { layers, config: self.config.clone() })
    }
}

impl Context {
    /// Sets a key from a flag.
    pub(super) fn set_flag(&mut self, flag: &str, key: &str, value: impl Into<toml::Value>) -> Result<()> {
        Ok(self.layers.set(key, value.into(), Origin::Flag(flag.into()))?)
    }

    pub(super) fn settings(&self) -> Result<Settings> {
        Ok(self.layers.settings()?)
    }

    /// Loads the configured model and puts the configured decision rules into it.
    pub(super) fn load_model(&self) -> Result<Arc<Bundle>> {
        let settings = self.settings()?;
        let location = locate(&settings.model.path, models_dir().as_deref())?;
        let mut bundle = Bundle::load(&location)?;
        settings.apply_to(&mut bundle.manifest).map_err(|reason| anyhow!(reason)).context("configuration")?;
        Ok(Arc::new(bundle))
    }
}

/// Where a user's models live: `$XDG_DATA_HOME/tripword/models`.
pub(super) fn models_dir() -> Option<PathBuf> {
    data_dir().map(|dir| dir.join("models"))
}
