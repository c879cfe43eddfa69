//! `tripword config`

use anyhow::Result;
use clap::Args;

use super::context::Context;
use super::{Outcome, print_line};
use crate::config::DEFAULT_TOML;

/// Show the configuration in force and where each value came from
#[derive(Args)]
#[command(after_help = "Examples:\n  tripword config\n  tripword config --default > ~/.config/tripword/config.toml")]
pub(super) struct ConfigArgs {
    /// Print the defaults, with a comment for each key, as a file to start from
    #[arg(long)]
    default: bool,
    /// One JSON object: key → {value, origin}
    #[arg(long, conflicts_with = "default")]
    json: bool,
}

pub(super) fn run(args: &ConfigArgs, context: &Context) -> Result<Outcome> {
    if args.default {
        print_line(DEFAULT_TOML.trim_end())?;
        return Ok(Outcome::Success);
    }
    let entries = context.layers.entries();
    if args.json {
        let object: serde_json::Map<String, serde_json::Value> = entries
            .into_iter()
            .map(|(key, value, origin)| {
                let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
                    .ok()
                    .and_then(|table| serde_json::to_value(&table["value"]).ok())
                    .unwrap_or_default();
                (key, serde_json::json!({ "value": value, "origin": origin.to_string() }))
            })
            .collect();
        print_line(&serde_json::Value::Object(object).to_string())?;
        return Ok(Outcome::Success);
    }
    let width = entries.iter().map(|(key, value, _)| key.len() + 3 + value.len()).max().unwrap_or(0).min(72);
    for (key, value, origin) in entries {
        let assignment = format!("{key} = {value}");
        print_line(&format!("{assignment:width$}  # {origin}"))?;
    }
    Ok(Outcome::Success)
}
