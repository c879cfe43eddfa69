//! Thresholds chosen by a measurement, written into a model.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use super::EvalArgs;
use crate::bundle::{Bundle, CARD_FILE, Location, Manifest, check_destination, locate, save};
use crate::cli::context::{Context, models_dir};
use crate::cli::print_line;
use crate::eval::report::{Report, WordReport};
use crate::eval::{PointRequest, TargetRule};

/// The heading of the card's section about thresholds; it is the last.
const CARD_HEADING: &str = "## Thresholds chosen by measurement";

/// A model as it is stored, and where the changed one goes.
pub(super) struct Writer {
    bundle: Bundle,
    card: String,
    destination: PathBuf,
    is_quiet: bool,
}

impl Writer {
    /// Sees, before anything is measured, that the thresholds can be written. `measured` is the model with the configuration's rules.
    pub(super) fn new(args: &EvalArgs, context: &Context, measured: &Manifest) -> Result<Self> {
        let [_] = args.target_fa_per_hour[..] else {
            bail!(
                "--write-thresholds takes the thresholds of one --target-fa-per-hour; {} were given",
                args.target_fa_per_hour.len()
            );
        };
        let asked = context.settings()?.model.path;
        let location = locate(&asked, models_dir().as_deref())?;
        let (destination, folder) = match (&args.out, &location) {
            (Some(out), Location::Folder(folder)) => (out.clone(), Some(folder.clone())),
            (Some(out), Location::Builtin(_)) => (out.clone(), None),
            (None, Location::Folder(folder)) => (folder.clone(), Some(folder.clone())),
            (None, Location::Builtin(_)) => {
                bail!(
                    "'{asked}' is built in and cannot be written; make a folder of it with --out DIR, and use that with --model DIR"
                )
            }
        };
        check_destination(&destination)?;
        let bundle = Bundle::load(&location)?;
        for (stored, measured) in bundle.manifest.words.iter().zip(&measured.words) {
            let rest = measured.trigger.with_threshold(stored.trigger.threshold);
            let rule = |trigger: &crate::detector::TriggerConfig| {
                (trigger.smoothing_ms, trigger.min_duration_ms, trigger.refractory_ms)
            };
            if rule(&rest) != rule(&stored.trigger) {
                bail!(
                    "the configuration gives '{}' another smoothing, minimum duration or refractory period than the model has, so a \
                     threshold measured with it does not suit the model; run without these keys",
                    stored.name
                );
            }
        }
        let card = folder.and_then(|folder| std::fs::read_to_string(folder.join(CARD_FILE)).ok());
        let card = card.unwrap_or_else(|| {
            format!("# {}\n\n{}\n\nA copy of '{asked}'.\n", bundle.manifest.name, bundle.manifest.description)
        });
        Ok(Self { bundle, card, destination, is_quiet: args.json })
    }

    /// Writes the thresholds that were chosen for `request`, and says what to expect of them.
    pub(super) fn write(mut self, report: &Report, request: PointRequest) -> Result<()> {
        let mut lines = Vec::new();
        for word in &report.words {
            let entry = (self.bundle.manifest.words.iter_mut())
                .find(|entry| entry.name == word.word)
                .ok_or_else(|| anyhow!("the model has no word '{}'", word.word))?;
            let point = word.points.last().ok_or_else(|| anyhow!("no threshold was chosen for '{}'", word.word))?;
            entry.trigger = entry.trigger.with_threshold(point.threshold);
            lines.push(expectation(word));
            let found = match request.rule {
                TargetRule::Point => point.false_accepts.per_hour,
                TargetRule::Bound => point.false_accepts.interval[1],
            };
            if found > request.per_hour {
                bail!(
                    "no threshold keeps '{}' to {} false accepts an hour: at {:.4} there are still {}; nothing was written",
                    word.word,
                    request.per_hour,
                    point.threshold,
                    lines.last().map_or("", String::as_str)
                );
            }
        }
        let rule = match request.rule {
            TargetRule::Point => "the counted rate",
            TargetRule::Bound => "the upper end of its 95 % interval",
        };
        let text = format!(
            "Thresholds chosen by 'tripword eval' on {:.1} hours of different recordings, in several conditions, for {} false accepts an \
             hour by {rule}: {}",
            report.different_hours,
            request.per_hour,
            lines.join("; ")
        );
        let card = self.card.split(CARD_HEADING).next().unwrap_or_default().trim_end();
        let card = format!("{card}\n\n{CARD_HEADING}\n\n{text}.\n");
        let notes = &mut self.bundle.manifest.training.notes;
        notes.retain(|note| !note.starts_with("Thresholds chosen by"));
        notes.push(text);
        save(&self.destination, self.bundle.manifest, &self.bundle.weights.all()?, &card)?;
        if !self.is_quiet {
            print_line(&format!("\n{} has the thresholds; expected:", self.destination.display()))?;
            lines.iter().try_for_each(|line| print_line(&format!("  {line}")))?;
        }
        Ok(())
    }
}

fn expectation(word: &WordReport) -> String {
    let point = word.points.last().expect("a point was asked for");
    let [low, high] = point.false_accepts.interval;
    format!(
        "{} at {:.4}, {:.2} false accepts an hour (95 %: {low:.2} to {high:.2})",
        word.word, point.threshold, point.false_accepts.per_hour
    )
}
