//! `tripword combine`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use super::context::models_dir;
use super::{Outcome, print_line};
use crate::bundle::{Bundle, check_destination, combine, locate, save};
use crate::model::SecondLookConfig;

/// Make one model of several: the mean of their networks decides
#[derive(Args)]
#[command(after_help = "Examples:
  tripword train my-recordings --seed 1 --out one
  tripword train my-recordings --seed 2 --out two
  tripword combine one two --out both
  tripword combine one two three four --second-look --out mean  as quick as one alone
  tripword eval more-recordings --model both --target-fa-per-hour 0.5 --write-thresholds

Networks that were trained alike but from other random beginnings are sure of the same words and of different mistakes, so their mean
misses less at the same rate of false wakes. It costs as much time as the networks take together; with --second-look as much as
the first alone, since the others hear only the seconds around what the first takes for a word. The thresholds are those of the
first model until eval writes better ones.")]
pub(super) struct CombineArgs {
    /// Models with the same features, shape and words, by name or folder
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    models: Vec<String>,
    /// Ask all networks but the first only when the first hears any word with this probability
    #[arg(long, value_name = "PROBABILITY", num_args = 0..=1, require_equals = true)]
    second_look: Option<Option<f32>>,
    /// Model folder to make
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &CombineArgs) -> Result<Outcome> {
    check_destination(&args.out)?;
    let models = (args.models.iter())
        .map(|name| Ok((name.clone(), Bundle::load(&locate(name, models_dir().as_deref())?)?)))
        .collect::<Result<Vec<_>>>()?;
    let second_look = args.second_look.map(|probability| {
        let usual = SecondLookConfig::default();
        SecondLookConfig { proposal_probability: probability.unwrap_or(usual.proposal_probability), ..usual }
    });
    let (mut manifest, weights) = combine(&models, second_look)?;
    manifest.name = args.out.file_name().context("--out needs a folder name")?.to_string_lossy().into_owned();
    let notes: Vec<String> = manifest.training.notes.iter().map(|note| format!("- {note}\n")).collect();
    let card = format!(
        "# {}\n\n{}\n\nLicence of the weights: {}\n\n## Training\n\n{}",
        manifest.name,
        manifest.description,
        manifest.license,
        notes.concat()
    );
    let manifest = save(&args.out, manifest, &weights, &card)?;
    let n_networks = weights.networks().count();
    print_line(&format!(
        "{} is ready: {n_networks} networks, {} parameters, the thresholds of {}",
        args.out.display(),
        manifest.weights.n_parameters,
        args.models[0]
    ))?;
    print_line(&format!(
        "Choose its own: tripword eval DATA --model {} --target-fa-per-hour 0.5 --write-thresholds",
        args.out.display()
    ))?;
    Ok(Outcome::Success)
}
