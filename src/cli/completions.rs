//! `tripword completions`

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;

use super::Outcome;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = "Example:\n  tripword completions bash > ~/.local/share/bash-completion/completions/tripword")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "tripword", &mut script);
    super::print_line(String::from_utf8(script)?.trim_end())?;
    Ok(Outcome::Success)
}
