//! The control socket, the page of metrics and the reloads of a running `listen`.

use std::io::ErrorKind;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::reload::{Hooks, ReadAnew, Reloader};
use super::watch::FileWatch;
use crate::audio::history::AudioHistory;
use crate::audio::supervised::DeviceWatch;
use crate::cli::context::{Context, control_socket};
use crate::config::Settings;
use crate::control::{AskForDevice, ControlServer, ControlSocket, Desk, Doors, Flow, Part};
use crate::daemon::Daemon;
use crate::metrics::MetricsServer;

/// What the control of a daemon is made of.
pub(super) struct Setup {
    /// Where it is asked; none: nowhere.
    pub(super) socket: Option<ControlSocket>,
    /// That of the daemon.
    pub(super) history: AudioHistory,
    /// The device, the file or `-`.
    pub(super) source_name: String,
    pub(super) ask_for_device: AskForDevice,
    pub(super) parts: Vec<Box<dyn Part>>,
    pub(super) read_anew: ReadAnew,
    pub(super) hooks: Hooks,
}

/// Runs beside the daemon. Dropped after it, so that who follows is told the end.
pub(super) struct Control {
    // Field order is drop order: no reload begins while the desk is left.
    _watch: Option<FileWatch>,
    _server: Option<ControlServer>,
    _metrics: Option<MetricsServer>,
    desk: Arc<Desk>,
}

impl Control {
    pub(super) fn start(daemon: &Daemon, context: &Context, settings: &Settings, setup: Setup) -> Result<Self> {
        let socket = setup.socket;
        let reloader = Reloader::new(context, setup.read_anew, daemon.controls().clone(), setup.hooks)?;
        let reloader = Arc::new(reloader);
        let doors = Doors {
            ask_for_device: setup.ask_for_device,
            reload: {
                let reloader = reloader.clone();
                Box::new(move || reloader.reload())
            },
        };
        let mut parts = setup.parts;
        let socket_path = socket.as_ref().map(|socket| socket.path().display().to_string());
        parts.push(Box::new(Openings { socket: socket_path.clone(), metrics: settings.metrics.address.clone() }));
        let desk = Arc::new(Desk::new(daemon, setup.history, setup.source_name, doors, parts));
        // Before anybody is told that it listens: what changes from then on is seen.
        let watch = if settings.control.watch_files {
            let desk = desk.clone();
            let changed = move || {
                tracing::info!("files have changed");
                // The log has the reason of a failure.
                let _ = desk.reload();
            };
            Some(FileWatch::start(move || reloader.files(), changed).context("cannot watch the files")?)
        } else {
            None
        };
        let server = socket.map(|socket| ControlServer::start(socket, desk.clone())).transpose();
        let server = server.context("cannot answer at the control socket")?;
        if let Some(path) = socket_path {
            tracing::info!(path, "control socket");
        }
        let metrics = start_metrics(settings, &desk)?;
        Ok(Self { _watch: watch, _server: server, _metrics: metrics, desk })
    }

    /// Reads everything anew, because a signal asked for it. The log has what came of it.
    pub(super) fn reload(&self) {
        let _ = self.desk.reload();
    }
}

/// The socket that is configured. A recording, which may be heard beside the machine's own detector, can do without the usual one; two
/// that listen to a microphone are more likely a mistake.
pub(super) fn bind_socket(settings: &Settings, is_microphone: bool) -> Result<Option<ControlSocket>> {
    let is_usual = settings.control.socket == "auto";
    let Some(path) = control_socket(settings) else {
        if is_usual {
            tracing::warn!("neither XDG_RUNTIME_DIR nor HOME is set: no control socket; control.socket names one");
        }
        return Ok(None);
    };
    match ControlSocket::bind(&path) {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if error.kind() == ErrorKind::AddrInUse && (is_microphone || !is_usual) => Err(anyhow!(
            "another tripword listens already and has the control socket {}; 'tripword ctl status' shows it. To let both listen, give \
             this one another socket (--set control.socket=PATH) or none (--set 'control.socket=\"\"')",
            path.display()
        )),
        Err(error) if is_usual => {
            tracing::warn!(path = %path.display(), %error, "no control socket");
            Ok(None)
        }
        Err(error) => Err(anyhow!(error).context(format!("control.socket is {}: it cannot be made", path.display()))),
    }
}

fn start_metrics(settings: &Settings, desk: &Arc<Desk>) -> Result<Option<MetricsServer>> {
    let address = &settings.metrics.address;
    if address.is_empty() {
        return Ok(None);
    }
    let desk = desk.clone();
    let server = MetricsServer::start(address, Box::new(move || desk.metrics_page())).with_context(|| {
        format!(
            "metrics.address is '{address}': cannot listen there; expected HOST:PORT of this machine, as 127.0.0.1:9464"
        )
    })?;
    let address = server.address();
    tracing::info!("metrics at http://{address}/metrics");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever reaches this address can read the metrics");
    }
    Ok(Some(server))
}

/// What is told to those who ask.
struct Openings {
    socket: Option<String>,
    metrics: String,
}

impl Part for Openings {
    fn name(&self) -> &str {
        "openings"
    }

    fn status(&self) -> Value {
        json!({ "control_socket": self.socket, "metrics": Some(&self.metrics).filter(|address| !address.is_empty()) })
    }

    fn flows(&self) -> Vec<Flow> {
        let socket =
            self.socket.iter().map(|path| Flow::sent("status, events and levels", format!("this user, at {path}")));
        let metrics = Some(&self.metrics).filter(|address| !address.is_empty());
        let metrics = metrics.map(|address| Flow::sent("figures", format!("whoever asks at http://{address}/metrics")));
        socket.chain(metrics).collect()
    }
}

/// Asks for another device: of a microphone; another input stays what it is.
pub(super) fn device_door(devices: Option<DeviceWatch>, source_name: &str) -> AskForDevice {
    let source_name = source_name.to_owned();
    Box::new(move |device| match &devices {
        None => Err(format!(
            "cannot listen to '{device}': the input is {source_name}, and another one needs a restart ('tripword listen --input {device}')"
        )),
        Some(devices) => {
            let wanted = Some(device).filter(|device| *device != "default");
            let status = devices.choose(wanted).map_err(|error| format!("{:#}", anyhow!(error)))?;
            Ok(status.device.unwrap_or_else(|| device.to_owned()))
        }
    })
}
