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
        print_line(&if args.json { to_json(device) } else { describe(device) })?;
    }
    if devices.is_empty() {
        anyhow::bail!("there is no input device; plug in a microphone, or see whether the sound server runs");
    }
    Ok(Outcome::Success)
}

fn to_json(device: &DeviceInfo) -> String {
    let rates: Vec<_> =
        device.rates.iter().map(|(min, max)| serde_json::json!({ "min_hz": min, "max_hz": max })).collect();
    serde_json::json!({
        "id": device.id,
        "name": device.name,
        "is_default": device.is_default,
        "rates": rates,
        "channels": device.channels,
        "sample_formats": device.sample_formats,
        "note": device.note,
    })
    .to_string()
}

fn describe(device: &DeviceInfo) -> String {
    let mut text = format!("{}{}\n  {}", device.id, if device.is_default { "  (default)" } else { "" }, device.name);
    if !device.rates.is_empty() {
        text += &format!(
            "\n  {}; channels {}; {}",
            rates(&device.rates),
            channels(&device.channels),
            device.sample_formats.join(", ")
        );
    }
    if let Some(note) = &device.note {
        text += &format!("\n  {note}");
    }
    text
}

/// Some sound servers list every rate there is: three are enough to get the idea.
fn rates(ranges: &[(u32, u32)]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = ranges
        .iter()
        .take(SHOWN)
        .map(|(min, max)| if min == max { format!("{min} Hz") } else { format!("{min} to {max} Hz") })
        .collect();
    if ranges.len() > SHOWN {
        let highest = ranges.iter().map(|(_, max)| max).max().copied().unwrap_or_default();
        shown.push(format!("and {} more up to {highest} Hz", ranges.len() - SHOWN));
    }
    shown.join(", ")
}

/// `1, 2, 4 to 8` for 1, 2, 4, 5, 6, 7, 8.
fn channels(counts: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &count in counts {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == count => *last = count,
            _ => runs.push((count, count)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .flat_map(|(first, last)| match last - first {
            0 => vec![first.to_string()],
            1 => vec![first.to_string(), last.to_string()],
            _ => vec![format!("{first} to {last}")],
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_channel_counts_are_told_by_their_ends() {
        assert_eq!(channels(&[1, 2, 4, 5, 6, 7, 8]), "1, 2, 4 to 8");
        assert_eq!(channels(&[2]), "2");
    }
}
