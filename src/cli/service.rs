//! `tripword install-service` and `uninstall-service`

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use super::context::Context;
use super::{Outcome, print_line};
use crate::files::write_whole;
use crate::folders::{state_dir, systemd_user_dir};

const UNIT: &str = include_str!("../../config/tripword.service");
const UNIT_NAME: &str = "tripword.service";
/// The first line of what is ours, and may be overwritten and removed.
const MARKER: &str = "# Written by 'tripword install-service'; 'tripword uninstall-service' removes it.";

/// Write the service for systemd that listens whenever you are logged in, or always
#[derive(Args)]
#[command(after_help = "Examples:
  tripword install-service                                shows the unit, asks, writes it, and says how to start it
  tripword install-service --model my-word -- --input 'USB Microphone' --wyoming
  tripword install-service --print > tripword.service

What follows '--' goes to 'tripword listen'. The unit is ~/.config/systemd/user/tripword.service.")]
pub(super) struct InstallArgs {
    /// Name or folder of the model
    #[arg(short, long)]
    model: Option<String>,
    /// Only print the unit
    #[arg(long, conflicts_with = "yes")]
    print: bool,
    /// Write without asking
    #[arg(long)]
    yes: bool,
    /// Further arguments of 'tripword listen'
    #[arg(last = true, value_name = "ARGUMENT")]
    listen: Vec<String>,
}

/// Remove the service that install-service wrote
#[derive(Args)]
#[command(after_help = "Example:
  tripword uninstall-service                              asks, removes the unit, and says what is left to do")]
pub(super) struct UninstallArgs {
    /// Remove without asking
    #[arg(long)]
    yes: bool,
}

pub(super) fn install(args: &InstallArgs, mut context: Context) -> Result<Outcome> {
    let state = state_dir().ok_or_else(|| anyhow!("neither XDG_STATE_HOME nor HOME is set to a folder"))?;
    let unit = unit(&command_line(args, &mut context)?, &text_of(&state)?);
    if args.print {
        print_line(unit.trim_end())?;
        return Ok(Outcome::Success);
    }
    let path = unit_path()?;
    match read_ours(&path)? {
        Some(found) if found == unit => {
            tracing::info!("{} is there already, with the same text", path.display());
            print_line(&how_to_start())?;
            return Ok(Outcome::Success);
        }
        Some(_) => tracing::info!("{} is there with another text, which this replaces", path.display()),
        None => {}
    }
    print_line(unit.trim_end())?;
    if !args.yes && !is_agreed(&format!("Write this to {}?", path.display()))? {
        print_line("Nothing was written.")?;
        return Ok(Outcome::Success);
    }
    // The service could not make the folder for its state itself: all around it is read-only to it.
    for folder in [path.parent().expect("it lies in systemd's folder"), &state] {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    write_whole(&path, unit.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
    print_line(&format!("Written: {}\n{}", path.display(), how_to_start()))?;
    Ok(Outcome::Success)
}

pub(super) fn uninstall(args: &UninstallArgs) -> Result<Outcome> {
    let path = unit_path()?;
    if read_ours(&path)?.is_none() {
        bail!("{}: there is none; nothing to remove", path.display());
    }
    print_line("Before it goes, stop it and take it out of the start:\n  systemctl --user disable --now tripword")?;
    if !args.yes && !is_agreed(&format!("Remove {}?", path.display()))? {
        print_line("Nothing was removed.")?;
        return Ok(Outcome::Success);
    }
    std::fs::remove_file(&path).with_context(|| format!("{}: cannot be removed", path.display()))?;
    print_line(&format!("Removed: {}\nThen:\n  systemctl --user daemon-reload", path.display()))?;
    Ok(Outcome::Success)
}

fn how_to_start() -> String {
    "To start it now and whenever you log in:
  systemctl --user daemon-reload && systemctl --user enable --now tripword
To have it run from the machine's start on, without a login:
  loginctl enable-linger
What it does, and its log:
  systemctl --user status tripword
  journalctl --user -u tripword -f"
        .to_owned()
}

fn unit_path() -> Result<PathBuf> {
    let folder = systemd_user_dir().ok_or_else(|| anyhow!("neither XDG_CONFIG_HOME nor HOME is set to a folder"))?;
    Ok(folder.join(UNIT_NAME))
}

/// The unit that is there, if any; one that somebody else wrote is an error.
fn read_ours(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.starts_with(MARKER) => Ok(Some(text)),
        Ok(_) => bail!(
            "{}: not written by 'tripword install-service', or its first line was taken away; move or remove it first",
            path.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be read", path.display())),
    }
}

/// The arguments of the service, the program first. What cannot be listened with is refused now, not by the service.
fn command_line(args: &InstallArgs, context: &mut Context) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("where this program lies is not known")?;
    let mut line = vec![text_of(&program)?];
    if let Some(config) = context.named_config() {
        line.extend(["--config".into(), text_of(&absolute(config)?)?]);
    }
    // It may start before the sound server.
    line.extend(["listen", "--set", "input.wait_for_device=true"].map(str::to_owned));
    if let Some(model) = &args.model {
        context.set_flag("--model", "model.path", model.as_str())?;
        let folder = Path::new(model);
        let model = if folder.is_dir() { text_of(&absolute(folder)?)? } else { model.clone() };
        line.extend(["--model".into(), model]);
    }
    let bundle = context.load_model()?;
    bundle.check_listens(&bundle.manifest.name)?;
    line.extend(args.listen.iter().cloned());
    // The arguments of 'listen' are read as it will read them.
    super::command().try_get_matches_from(&line).map_err(|error| anyhow!("{error}"))?;
    if let Some(odd) = line.iter().find(|argument| argument.contains(|c: char| c.is_control())) {
        bail!("{odd:?} has a control character, which a unit cannot have");
    }
    Ok(line)
}

fn text_of(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| anyhow!("{}: not UTF-8, which a unit has to be", path.display()))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// The unit that starts `command_line` and lets it write below `state`.
fn unit(command_line: &[String], state: &str) -> String {
    let (program, arguments) = command_line.split_first().expect("the program comes first");
    let mut exec_start = format!("ExecStart={}", quoted(program));
    for argument in arguments {
        exec_start.push(' ');
        // Of what is not the program, variables would be replaced.
        exec_start.push_str(&quoted(argument).replace('$', "$$"));
    }
    let paths = format!("ReadWritePaths={}", quoted(&format!("-{state}")));
    let mut unit = format!("{MARKER}\n");
    for line in UNIT.lines() {
        unit += match line.split_once('=') {
            Some(("ExecStart", _)) => &exec_start,
            Some(("ReadWritePaths", _)) => &paths,
            _ => line,
        };
        unit.push('\n');
    }
    unit
}

/// As systemd.service(5) takes an argument: between quotes where it must be, specifiers doubled.
fn quoted(argument: &str) -> String {
    let escaped = argument.replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@=%$".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) { escaped } else { format!("\"{escaped}\"") }
}

fn is_agreed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} There is no terminal to ask at; say --yes");
    }
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).context("the terminal takes no question")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("no answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_the_program_with_its_arguments_as_they_are() {
        let line = ["/opt/my tools/tripword", "listen", "--input", "USB \"A\" 50% $HOME", ""];
        let unit = unit(&line.map(str::to_owned), "/home/anna/my state");
        let expected = "ExecStart=\"/opt/my tools/tripword\" listen --input \"USB \\\"A\\\" 50%% $$HOME\" \"\"";
        assert!(unit.lines().any(|line| line == expected), "{unit}");
        assert!(unit.lines().any(|line| line == "ReadWritePaths=\"-/home/anna/my state\""), "{unit}");
        assert_eq!(unit.lines().filter(|line| line.starts_with("ExecStart=")).count(), 1);
        assert!(unit.starts_with(MARKER));
    }
}
