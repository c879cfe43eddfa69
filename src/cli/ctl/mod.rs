//! `tripword ctl`

mod meter;
mod text;

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};

use super::context::{Context, control_socket};
use super::{Outcome, print_line};
use crate::control::{Client, ClientError, Reply, Request};
use meter::MeterLine;

/// Ask a running 'tripword listen' how it does, and tell it what to change
#[derive(Args)]
#[command(after_help = "Examples:
  tripword ctl status
  tripword ctl events --follow --json | jq .event.word
  tripword ctl mute --for 5s                        while the machine itself speaks
  tripword ctl threshold 'view glass' 0.7           from the next moment on
  tripword ctl level                                sets up a microphone
  tripword ctl reload                               or: kill -HUP

The socket is control.socket of the configuration, in $XDG_RUNTIME_DIR/tripword if nothing else is said.")]
pub(super) struct CtlArgs {
    /// For machines: the daemon's answers as they come, one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: CtlCommand,
}

#[derive(Subcommand)]
enum CtlCommand {
    /// What it is, what it hears, how it does, and what is recorded or sent
    Status,
    /// The last events
    Events {
        /// Print those to come, too, until it ends or Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// So many of the last, 0 to 200
        #[arg(short, long = "number", value_name = "N", default_value_t = 20)]
        n_events: usize,
    },
    /// How loud it is: to full scale, and to the quiet moments of the last three seconds
    Level {
        /// Stop after so many values, ten a second
        #[arg(short, long = "number", value_name = "N")]
        n_values: Option<u64>,
    },
    /// Tell no words: until 'unmute', or for a while
    Mute {
        /// For so long, as 5s, 500ms or 1h 30m
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        for_s: Option<f64>,
    },
    /// Tell words again
    Unmute,
    /// Decide on a word from another threshold on, until a restart or a reload
    Threshold {
        /// The word
        word: String,
        /// Above 0 and at most 1: higher for fewer false wakes, lower for fewer misses
        #[arg(value_name = "X", allow_negative_numbers = true)]
        threshold: f32,
    },
    /// Tell a word
    Enable {
        /// The word
        word: String,
    },
    /// Tell a word no more
    Disable {
        /// The word
        word: String,
    },
    /// Listen to another microphone
    Device {
        /// Its id or name, as 'tripword devices' lists them
        #[arg(value_name = "ID")]
        device: String,
    },
    /// Read the configuration and the model anew
    Reload,
}

impl CtlCommand {
    fn request(&self) -> Request {
        match self {
            Self::Status => Request::Status {},
            Self::Events { follow, n_events } => Request::Events { n_events: Some(*n_events), follow: *follow },
            Self::Level { .. } => Request::Level {},
            Self::Mute { for_s } => Request::Mute { for_s: *for_s },
            Self::Unmute => Request::Unmute {},
            Self::Threshold { word, threshold } => Request::Threshold { word: word.clone(), threshold: *threshold },
            Self::Enable { word } => Request::Enable { word: word.clone() },
            Self::Disable { word } => Request::Disable { word: word.clone() },
            Self::Device { device } => Request::Device { device: device.clone() },
            Self::Reload => Request::Reload {},
        }
    }
}

/// A span of time as people write it.
fn seconds(text: &str) -> Result<f64, String> {
    let span = text.parse::<f64>().or_else(|_| text.parse::<jiff::SignedDuration>().map(|span| span.as_secs_f64()));
    match span {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("expected a time, as 5s, 500ms, 2m or 1h 30m".to_owned()),
    }
}

pub(super) fn run(args: &CtlArgs, context: &Context) -> Result<Outcome> {
    let configured = || control_socket(&context.settings().ok()?);
    let path = args.socket.clone().or_else(configured).ok_or_else(|| {
        anyhow!("no control socket is configured (control.socket is \"\", or XDG_RUNTIME_DIR and HOME are not set); name one with --socket")
    })?;
    let mut client = Client::connect(&path)?;
    let is_stream = match args.command {
        CtlCommand::Events { follow, .. } => follow,
        CtlCommand::Level { .. } => true,
        _ => false,
    };
    client.ask(&args.command.request(), is_stream)?;
    match args.command {
        CtlCommand::Events { .. } => print_events(&mut client, args.json),
        CtlCommand::Level { n_values } => print_levels(&mut client, args.json, n_values),
        _ => {
            let (line, reply) = client.next_line()?;
            if let Reply::Error { message } = reply {
                bail!(message);
            }
            print_line(if args.json { line } else { text::of(&reply) }.as_str())?;
            Ok(())
        }
    }?;
    Ok(Outcome::Success)
}

fn print_events(client: &mut Client, as_json: bool) -> Result<()> {
    loop {
        match client.next_line()? {
            (_, Reply::End {}) => return Ok(()),
            (_, Reply::Error { message }) => bail!(message),
            (line, _) if as_json => print_line(&line)?,
            (_, reply) => print_line(&text::of(&reply))?,
        }
    }
}

fn print_levels(client: &mut Client, as_json: bool, n_values: Option<u64>) -> Result<()> {
    let mut meter = MeterLine::new();
    let mut n_printed = 0;
    while n_values.is_none_or(|n_values| n_printed < n_values) {
        let (line, reply) = match client.next_line() {
            // Whoever stopped the daemon knows it.
            Err(ClientError::Gone) => break,
            next => next?,
        };
        match reply {
            Reply::End {} => break,
            Reply::Error { message } => bail!(message),
            _ if as_json => print_line(&line)?,
            Reply::Level(level) => meter.show(&level)?,
            Reply::NoSound { waited_s } => meter.show_no_sound(waited_s)?,
            _ => {}
        }
        n_printed += 1;
    }
    if as_json { Ok(()) } else { meter.finish() }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in
            [("5s", 5.0), ("500ms", 0.5), ("1h 30m", 5400.0), ("2.5", 2.5), ("1m", 60.0), ("PT3S", 3.0)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "soon", "0", "-3s", "inf", "nan", "5 parsecs"] {
            assert!(seconds(text).unwrap_err().contains("expected a time"), "{text}");
        }
    }
}
