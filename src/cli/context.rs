//! What every command needs: the configuration in force, the log, the model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use crate::bundle::{Bundle, locate};
use crate::config::{Layers, Origin, Settings};
use crate::folders::{config_dir, data_dir, runtime_dir, state_dir};

/// Flags of all commands.
#[derive(Args, Clone)]
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
#[derive(Clone)]
pub(super) struct Context {
    pub(super) layers: Layers,
    /// Where the configuration file is, or would be.
    pub(super) config_file: Option<PathBuf>,
    args: GlobalArgs,
}

impl GlobalArgs {
    /// Reads the configuration and starts the log.
    pub(super) fn context(&self) -> Result<Context> {
        let context = self.read()?;
        super::log::start(&context.settings()?.log.level);
        Ok(context)
    }

    /// Neither the file nor the flags.
    pub(super) fn context_of_defaults(&self) -> Context {
        Context { layers: Layers::default(), config_file: None, args: self.clone() }
    }

    fn read(&self) -> Result<Context> {
        let mut layers = Layers::default();
        let config_file = self.config.clone().or_else(|| Some(config_dir()?.join("config.toml")));
        // One that was named must be there.
        if let Some(path) = config_file.as_ref().filter(|path| self.config.is_some() || path.is_file()) {
            layers.merge_file(path)?;
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
        Ok(Context { layers, config_file, args: self.clone() })
    }
}

impl Context {
    /// The file that --config named.
    pub(super) fn named_config(&self) -> Option<&Path> {
        self.args.config.as_deref()
    }

    /// The configuration as it is now, before the flags of the command.
    pub(super) fn read_anew(&self) -> Result<Self> {
        self.args.read()
    }

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

/// The control socket of these settings; none if there is to be none, or no place for the usual one. Without a session's folder it lies
/// in that of the state.
pub(super) fn control_socket(settings: &Settings) -> Option<PathBuf> {
    match settings.control.socket.as_str() {
        "" => None,
        "auto" => Some(runtime_dir().or_else(state_dir)?.join("control.sock")),
        path => Some(path.into()),
    }
}
