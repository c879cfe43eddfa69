//! `tripword devices`

use anyhow::Result;
use clap::Args;

use super::{Outcome, print_line};
use crate::audio::devices::{DeviceInfo, list_devices};

/// List the microphones: ids, names, rates, channels, formats
#[derive(Args)]
#[command(after_help = "Examples:\n  tripword devices\n  tripword listen --input alsa:hw:CARD=USB,DEV=0")]
pub(super) struct DevicesArgs {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DevicesArgs) -> Result<Outcome> {
    let devices = list_devices()?;
    for device in &devices {
        print_line(&if args.json { serde_json::to_string(device)? } else { describe(device) })?;
    }
    if devices.is_empty() {
        anyhow::bail!("there is no input device; plug in a microphone, or see whether the sound server runs");
    }
    Ok(Outcome::Success)
}

fn describe(device: &DeviceInfo) -> String {
    format!("{device}")
}
