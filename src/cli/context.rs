//! What every command needs: the configuration in force, the log, the model.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use crate::bundle::{Bundle, locate};
use crate::config::{Layers, Origin, Settings};

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
        let settings = context.settings()?;
        // Fails only when a log is already there, as in tests.
        let _ = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_env_filter(tracing_subscriber::EnvFilter::new(&settings.log.level))
            .with_target(false)
            // When the terminal was closed, there is nowhere to say that nothing can be said.
            .log_internal_errors(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init();
        Ok(context)
    }

    /// Neither the file nor the flags.
    pub(super) fn context_of_defaults(&self) -> Context {
        Context { layers: Layers::default(), config_file: None, args: self.clone() }
    }

    fn read(&self) -> Result<Context> {
        let mut layers = Layers::default();
        let usual =
            || xdg_dir("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("config.toml"));
        let config_file = self.config.clone().or_else(usual);
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
    xdg_dir("", "XDG_DATA_HOME", ".local/share").map(|dir| dir.join("models"))
}

/// Where sockets live: `$XDG_RUNTIME_DIR/tripword`, or, on a machine without that, a folder in the user's home.
pub(super) fn runtime_dir() -> Option<PathBuf> {
    xdg_dir("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", ".local/state")
}

/// The control socket of these settings; none if there is to be none, or no place for the usual one.
pub(super) fn control_socket(settings: &Settings) -> Option<PathBuf> {
    match settings.control.socket.as_str() {
        "" => None,
        "auto" => Some(runtime_dir()?.join("control.sock")),
        path => Some(path.into()),
    }
}

/// The folder that systemd names, else the XDG folder, else its default below the home.
fn xdg_dir(systemd_variable: &str, xdg_variable: &str, below_home: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if !systemd_variable.is_empty()
        && let Some(dir) = variable(systemd_variable)
    {
        return Some(dir);
    }
    variable(xdg_variable)
        .or_else(|| variable("HOME").map(|home| home.join(below_home)))
        .map(|dir| dir.join("tripword"))
}
