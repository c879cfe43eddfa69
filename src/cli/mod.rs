//! The command line: the only place that parses arguments and prints.

#[cfg(feature = "train")]
mod align;
mod audio_progress;
mod combine;
#[cfg(feature = "train")]
mod compare;
mod completions;
mod config;
mod context;
mod ctl;
mod devices;
mod diff_labels;
#[cfg(feature = "train")]
mod eval;
mod explain;
mod hearing;
mod label;
mod listen;
mod log;
mod merge;
mod model;
mod plot;
mod progress;
mod service;
mod signals;
#[cfg(feature = "train")]
mod train;
mod wyoming;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::GlobalArgs;
pub use log::error_prefix;

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All done.
    Success,
    /// Some of the inputs failed, the others are done.
    Partial,
    /// What was compared is not the same.
    Different,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => ExitCode::SUCCESS,
            Outcome::Partial => ExitCode::from(3),
            Outcome::Different => ExitCode::from(4),
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  tripword listen                                   print a JSON line whenever a word is said
  tripword ctl status                               how a listening tripword does; see 'tripword ctl --help'
  tripword label talk.wav                           find the words in a file
  tripword plot talk.wav                            see them: talk.png
  tripword train my-recordings --out my-word        train on your own clips
  tripword listen --model my-word                   listen for them

Exit status: 0 all done; 1 failed, nothing useful was made; 2 wrong use; 3 some inputs failed, the others are done; 4 the sets of
labels that were compared differ.";

#[derive(Parser)]
#[command(name = "tripword", version, about, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Listen(listen::ListenArgs),
    Label(label::LabelArgs),
    DiffLabels(diff_labels::DiffLabelsArgs),
    Explain(explain::ExplainArgs),
    Plot(plot::PlotArgs),
    Wyoming(wyoming::WyomingArgs),
    InstallService(service::InstallArgs),
    UninstallService(service::UninstallArgs),
    Ctl(ctl::CtlArgs),
    #[cfg(feature = "train")]
    Train(Box<train::TrainArgs>),
    #[cfg(feature = "train")]
    Eval(Box<eval::EvalArgs>),
    #[cfg(feature = "train")]
    Compare(Box<compare::CompareArgs>),
    #[cfg(feature = "train")]
    Align(align::AlignArgs),
    Merge(merge::MergeArgs),
    Combine(combine::CombineArgs),
    Devices(devices::DevicesArgs),
    Model(model::ModelArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
}

/// Parses the arguments and runs the command.
///
/// # Errors
/// Whatever the command could not do, with its causes.
pub fn run() -> anyhow::Result<Outcome> {
    let cli = Cli::parse();
    let context = match (cli.global.context(), &cli.command) {
        // A listener goes on as it was when its file is broken, and can be asked about that.
        (Err(error), Command::Ctl(_)) => {
            eprintln!("tripword: {error:#}; looking for the control socket at its usual place");
            cli.global.context_of_defaults()
        }
        (context, _) => context?,
    };
    match cli.command {
        Command::Listen(args) => listen::run(&args, context),
        Command::Label(args) => label::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::DiffLabels(args) => diff_labels::run(&args),
        Command::Plot(args) => plot::run(&args, context),
        Command::Wyoming(args) => wyoming::run(&args, context),
        Command::InstallService(args) => service::install(&args, context),
        Command::UninstallService(args) => service::uninstall(&args),
        Command::Ctl(args) => ctl::run(&args, &context),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args, context),
        #[cfg(feature = "train")]
        Command::Eval(args) => eval::run(&args, context),
        #[cfg(feature = "train")]
        Command::Compare(args) => compare::run(&args, &context),
        #[cfg(feature = "train")]
        Command::Align(args) => align::run(&args, context),
        Command::Merge(args) => merge::run(&args),
        Command::Combine(args) => combine::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Model(args) => model::run(&args, context),
        Command::Config(args) => config::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Prints a line on standard output; a reader that has gone away is no error worth words.
fn print_line(line: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("standard output cannot be written"))
        }
        _ => Ok(()),
    }
}

/// The command line as clap sees it, for completions and tests.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}
