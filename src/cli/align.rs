//! `tripword align`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use super::context::Context;
use super::{Outcome, print_line, progress};
use crate::align::{AlignedClip, Verdict, align, manifest_text};
use crate::dataset::Inventory;
use crate::files::write_whole;
use crate::units::SampleRate;

/// Correct where the words lie in training clips, by a model that knows them
#[derive(Args)]
#[command(after_help = "Examples:
  tripword align data/train --model my-word                                     say what would change
  tripword align data/train --model my-word --out data/train/manifest.tsv       write it, for the next training
  tripword train data/train --out my-word-2

A training takes a word's end from a manifest.tsv, or else from where the sound ends; breaths, doors and second words then spoil the
clip. A model that was trained on the same words all the same hears where most of them end, and corrects the rest.")]
pub(super) struct AlignArgs {
    /// Folder with recordings, laid out as for training
    data: PathBuf,
    /// Name or folder of the model
    #[arg(short, long)]
    model: Option<String>,
    /// Word to align; repeat for several [default: all words that folder and model share]
    #[arg(short, long, value_name = "WORD")]
    word: Vec<String>,
    /// Manifest to write, in DATA or up to two folders above; one that is there is kept as NAME.bak
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object a line for each clip, instead of the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AlignArgs, mut context: Context) -> Result<Outcome> {
    if let Some(model) = &args.model {
        context.set_flag("--model", "model.path", model.as_str())?;
    }
    let bundle = context.load_model()?;
    let inventory = Inventory::read(&args.data, &args.word)?;
    let folder = args.out.as_deref().map(|out| manifest_folder(out, &inventory)).transpose()?;

    let bar = progress::bar(1, "listening {bar:30} {pos}/{len} {elapsed} elapsed");
    let (clips, skipped) = align(&inventory, &bundle, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    for file in &skipped {
        tracing::warn!("skipped {}: {}", file.path.display(), file.reason);
    }
    if clips.is_empty() {
        let known: Vec<&str> = bundle.manifest.words.iter().map(|word| word.name.as_str()).collect();
        bail!(
            "no clip to align: {} has {}, the model {} knows {}",
            args.data.display(),
            inventory.words.join(", "),
            bundle.manifest.name,
            known.join(", ")
        );
    }

    if let (Some(out), Some(folder)) = (&args.out, &folder) {
        let text = manifest_text(&inventory, &clips, folder).ok_or_else(|| {
            anyhow!("{}: recordings outside of its folder, or with a tab in their path, cannot be named", out.display())
        })?;
        if out.exists() {
            let mut backup = out.clone().into_os_string();
            backup.push(".bak");
            std::fs::copy(out, &backup).with_context(|| format!("{}: cannot be kept as .bak", out.display()))?;
        }
        write_whole(out, text.as_bytes()).with_context(|| format!("{}: cannot be written", out.display()))?;
    }
    for (word_idx, word) in inventory.words.iter().enumerate() {
        let own = clips.iter().filter(|clip| inventory.positives[clip.file_idx].word_idx == word_idx);
        if args.json {
            own.map(|clip| json_line(&inventory, word, clip)).try_for_each(|line| print_line(&line))?;
        } else {
            print_line(&summary(word, own))?;
        }
    }
    match &args.out {
        Some(out) => tracing::info!("{} is written; a training in its folder takes the times from it", out.display()),
        None => tracing::info!("nothing was written; --out {}/manifest.tsv would", args.data.display()),
    }
    Ok(Outcome::Success)
}

/// The folder of the manifest, which must be one where a training looks for it.
fn manifest_folder(out: &Path, inventory: &Inventory) -> Result<PathBuf> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::canonicalize(folder).with_context(|| format!("{}: no such folder", folder.display()))?;
    let is_found = inventory.root.ancestors().take(3).any(|ancestor| ancestor == folder);
    if !is_found || out.file_name() != Some("manifest.tsv".as_ref()) {
        bail!(
            "{}: a training would not find it; expected {}/manifest.tsv, or manifest.tsv one or two folders above",
            out.display(),
            inventory.root.display()
        );
    }
    Ok(folder)
}

fn summary<'a>(word: &str, clips: impl Iterator<Item = &'a AlignedClip>) -> String {
    let mut counts = [0; 4];
    clips.for_each(|clip| counts[clip.verdict as usize] += 1);
    let [kept, ends, starts, not_heard] = counts;
    let all = kept + ends + starts + not_heard;
    format!("{word}: {all} clips, {kept} as they were, {ends} ends moved, {starts} starts moved, {not_heard} not heard")
}

fn json_line(inventory: &Inventory, word: &str, clip: &AlignedClip) -> String {
    let second = |sample: usize| SampleRate::MODEL.seconds(sample as u64);
    let verdict = match clip.verdict {
        Verdict::Kept => "kept",
        Verdict::EndMoved => "end_moved",
        Verdict::StartMoved => "start_moved",
        Verdict::NotHeard => "not_heard",
    };
    serde_json::json!({
        "file": inventory.positives[clip.file_idx].path, "word": word, "verdict": verdict, "peak": clip.peak,
        "given_s": [second(clip.given.start), second(clip.given.end)],
        "aligned_s": [second(clip.aligned.start), second(clip.aligned.end)],
    })
    .to_string()
}
