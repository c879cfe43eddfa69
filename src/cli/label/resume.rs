//! Where a run notes what it has finished.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::LabelArgs;
use crate::bundle::Bundle;
use crate::folders::state_dir;
use crate::label::{Channels, Journal, LabelOutputs};

/// A journal that nobody came back to for so long is removed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);

/// The journal of this run, begun or gone on with. A run that cannot note anything still labels.
pub(super) fn journal(
    args: &LabelArgs,
    bundle: &Bundle,
    channels: Channels,
    outputs: &LabelOutputs,
) -> Option<Journal> {
    let Some(folder) = state_dir().map(|folder| folder.join("label")) else {
        if args.resume {
            tracing::warn!(
                "no home and no $XDG_STATE_HOME: there is no place where an earlier run noted what it finished"
            );
        }
        return None;
    };
    forget_old(&folder);
    let path = folder.join(file_name(args, bundle, channels, outputs));
    let opened = if args.resume {
        Journal::resume(path.clone()).inspect(|journal| match journal.n_finished_before() {
            0 => tracing::info!(
                "nothing to resume: no such run with this model, these settings and inputs was interrupted"
            ),
            n => tracing::info!("{n} recordings were finished before"),
        })
    } else {
        Journal::start(path.clone()).map(|(journal, n_forgotten)| {
            if n_forgotten > 0 {
                tracing::info!("an interrupted run had finished {n_forgotten} recordings, which are labelled anew; --resume would keep them");
            }
            journal
        })
    };
    match opened {
        Ok(journal) => Some(journal),
        Err(error) if args.resume => {
            tracing::warn!("{}: {error}; nothing is known of an earlier run", path.display());
            None
        }
        Err(error) => {
            tracing::debug!("{}: {error}; this run cannot be resumed", path.display());
            None
        }
    }
}

/// The same for the same work: model, thresholds, inputs, outputs.
fn file_name(args: &LabelArgs, bundle: &Bundle, channels: Channels, outputs: &LabelOutputs) -> String {
    let manifest = serde_json::to_string(&bundle.manifest).expect("a manifest was read from JSON");
    let here = std::env::current_dir().unwrap_or_default();
    // Shards may share a home, and all else.
    let shard = args.shard.map_or_else(String::new, |shard| shard.to_string());
    let version = env!("CARGO_PKG_VERSION");
    let work = format!("{version} {manifest} {channels:?} {outputs:?} {here:?} {:?} {shard}", args.inputs);
    let digest = Sha256::digest(work.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.jsonl")
}

fn forget_old(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")) {
        if is_older_than(&path, FORGOTTEN_AFTER) {
            // One that cannot be removed does no harm.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_older_than(path: &Path, age: Duration) -> bool {
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|since| since > age))
}
