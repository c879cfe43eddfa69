//! `tripword model`

use anyhow::Result;
use clap::Args;

use super::context::{Context, models_dir};
use super::{Outcome, print_line};
use crate::bundle::BUILTIN_MODELS;

/// Show a model: its words, decision rules and figures; or list the models there are
#[derive(Args)]
#[command(
    after_help = "Examples:\n  tripword model --list\n  tripword model six-words\n  tripword model ./my-word --json"
)]
pub(super) struct ModelArgs {
    /// Name or folder of the model
    model: Option<String>,
    /// List the models that can be named
    #[arg(long)]
    list: bool,
    /// Print the manifest as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ModelArgs, mut context: Context) -> Result<Outcome> {
    if args.list {
        for model in BUILTIN_MODELS {
            print_line(&format!("{}\t(built in)", model.name))?;
        }
        let entries = models_dir().and_then(|dir| std::fs::read_dir(dir).ok());
        for entry in entries.into_iter().flatten().flatten() {
            print_line(&format!("{}\t{}", entry.file_name().to_string_lossy(), entry.path().display()))?;
        }
        return Ok(Outcome::Success);
    }
    if let Some(model) = &args.model {
        context.set_flag("MODEL", "model.path", model.as_str())?;
    }
    let bundle = context.load_model()?;
    let manifest = &bundle.manifest;
    if args.json {
        print_line(&serde_json::to_string(manifest)?)?;
        return Ok(Outcome::Success);
    }
    print_line(&format!("{}: {}", manifest.name, manifest.description))?;
    let networks = match bundle.weights.n_networks() {
        1 => String::new(),
        n => format!("{n} networks of "),
    };
    print_line(&format!(
        "  {} parameters, {networks}{} {}{} layers of {}, a step every {} ms; licence {}",
        manifest.weights.n_parameters,
        manifest.model.n_layers,
        if manifest.model.bidirectional { "bidirectional " } else { "" },
        manifest.model.cell.name().to_uppercase(),
        manifest.model.hidden_size,
        crate::pipeline::samples_per_step(manifest) * 1000 / u64::from(manifest.features.sample_rate_hz),
        manifest.license,
    ))?;
    if manifest.model.bidirectional {
        print_line("  for 'tripword label' only: each step is decided by what follows it, too")?;
    }
    if let Some(look) = manifest.second_look.filter(|_| !networks.is_empty()) {
        print_line(&format!(
            "  the first network listens, the others hear what it gives a probability of {} or more",
            look.proposal_probability
        ))?;
    }
    let training = &manifest.training;
    print_line(&format!(
        "  trained for {} steps ({:.0} h of mixes), seed {}; validated on {:.1} h of negatives",
        training.n_steps, training.mixed_hours, training.seed, training.validation_negative_hours
    ))?;
    for word in &manifest.words {
        let missed = training
            .validation_miss_rate
            .get(&word.name)
            .map_or(String::new(), |rate| format!(", {:.1} % missed on validation", rate * 100.0));
        print_line(&format!(
            "  {:14} threshold {:.3}, release {:.3}, smoothing {}, refractory {}{missed}",
            word.name,
            word.trigger.threshold,
            word.trigger.release_threshold,
            word.trigger.smoothing_ms,
            word.trigger.refractory_ms,
        ))?;
    }
    Ok(Outcome::Success)
}
