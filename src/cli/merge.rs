//! `tripword merge`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Outcome, print_line, progress};
use crate::merge::{MergePlan, MergeSummary};

/// What is done sooner shows no bar.
const BAR_AFTER: Duration = Duration::from_secs(2);

/// Make one of the outputs of several runs: of the shards of an archive, of archives
#[derive(Args)]
#[command(after_help = "Examples:
  tripword merge --out all shard-*/                         folders of outputs: labels, scores, clips, catalogues
  tripword merge --out all.sqlite shard-*/found.sqlite      catalogues
  tripword merge --out found.parquet found.sqlite           a catalogue of the other kind: found.parquet, found.recordings.parquet
  tripword merge --out events.jsonl one.jsonl two.jsonl     events, sorted by recording and time, each once

In folders, a file that is in one of them only, or the same in all, is copied. Of catalogues, and of .jsonl, .csv and .rttm that name
their recordings, one is made: every row once, in the order of one run over everything; of a recording that is in several catalogues
the newest entry stays. Any other file of one name and different content is an error. The result appears whole or not at all.")]
pub(super) struct MergeArgs {
    /// Folders of outputs, or files of one kind
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// Folder or file to make
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// For machines: one JSON object with what was done
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MergeArgs) -> Result<Outcome> {
    let plan = MergePlan::new(&args.inputs, &args.out)?;
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal stops between files and recordings, the second at once.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, cancelled.clone())?;
        signal_hook::flag::register(signal, cancelled.clone())?;
    }
    let (started, n_bytes) = (Instant::now(), plan.n_bytes());
    let bar = std::cell::OnceCell::<ProgressBar>::new();
    let n_read = std::cell::Cell::new(0);
    let summary = plan.run(&cancelled, &|n| {
        n_read.set(n_read.get() + n);
        if started.elapsed() > BAR_AFTER {
            let style = progress::style("{bar:24} {percent:>3}% {bytes} of {total_bytes}, {eta} left");
            bar.get_or_init(|| progress::bar_in_style(Some(n_bytes), style)).set_position(n_read.get());
        }
    });
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    let summary = summary?;
    print_line(&if args.json {
        serde_json::to_string(&summary)?
    } else {
        format!("{}: {}", args.out.display(), summary_text(&summary))
    })?;
    Ok(Outcome::Success)
}

fn summary_text(summary: &MergeSummary) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts =
        vec![format!("{} of {}", count(summary.n_files, "file", "files"), count(summary.n_inputs, "input", "inputs"))];
    if summary.n_merged > 0 {
        parts.push(format!("{} made of several", summary.n_merged));
    }
    if summary.n_same > 0 {
        parts.push(format!("{} the same in several", summary.n_same));
    }
    if summary.n_recordings > 0 {
        let events = count(summary.n_events, "event", "events");
        parts.push(format!("catalogues of {} with {events}", count(summary.n_recordings, "recording", "recordings")));
    }
    if summary.n_rows > 0 {
        parts.push(count(summary.n_rows, "row", "rows"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told() {
        let summary =
            MergeSummary { n_inputs: 3, n_files: 12, n_same: 1, n_merged: 2, n_recordings: 40, n_events: 1, n_rows: 7 };
        assert_eq!(
            summary_text(&summary),
            "12 files of 3 inputs, 2 made of several, 1 the same in several, catalogues of 40 recordings with 1 event, 7 rows"
        );
        assert_eq!(
            summary_text(&MergeSummary { n_inputs: 1, n_files: 1, ..MergeSummary::default() }),
            "1 file of 1 input"
        );
    }
}
