//! The model card: what the manifest says, for people.

use std::fmt::Write;

use crate::bundle::Manifest;

/// Markdown of `manifest`.
pub(super) fn card(manifest: &Manifest) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_card(&mut text, manifest);
    text
}

fn write_card(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    let training = &manifest.training;
    writeln!(text, "# {}\n\n{}\n", manifest.name, manifest.description)?;
    writeln!(text, "Licence of the weights: {}\n", manifest.license)?;
    writeln!(text, "## Words\n")?;
    writeln!(text, "| word | training clips | validation clips | missed on validation | threshold |")?;
    writeln!(text, "|---|---|---|---|---|")?;
    for word in &manifest.words {
        let count = |map: &std::collections::BTreeMap<String, usize>| map.get(&word.name).copied().unwrap_or(0);
        writeln!(
            text,
            "| {} | {} | {} | {:.1} % | {:.3} |",
            word.name,
            count(&training.n_training_clips),
            count(&training.n_validation_clips),
            training.validation_miss_rate.get(&word.name).copied().unwrap_or(0.0) * 100.0,
            word.trigger.threshold
        )?;
    }
    writeln!(
        text,
        "\nThe thresholds were chosen for at most {} false accepts per hour and word on {} hours of validation negatives, heard in {} \
         condition(s): clean, in a room, and where there is noise, with noise at 10 dB in both; the noise was heard alone, too. The miss \
         rates are those of the validation clips in the same conditions at these thresholds. They are optimistic: on other voices, rooms \
         and recorders expect more of both.\n",
        training.target_false_accepts_per_hour, training.validation_negative_hours, training.n_validation_conditions
    )?;
    writeln!(text, "## Training\n")?;
    writeln!(
        text,
        "tripword {}, seed {}, {} steps ({} hours of mixes), weights of step {}, finished {}.\n",
        training.tripword_version,
        training.seed,
        training.n_steps,
        training.mixed_hours,
        training.best_step,
        training.finished_at
    )?;
    if !training.notes.is_empty() {
        for note in &training.notes {
            writeln!(text, "- {note}")?;
        }
        writeln!(text)?;
    }
    writeln!(text, "## Data\n\n| source | role | files | licence |\n|---|---|---|---|")?;
    for entry in &manifest.provenance {
        writeln!(text, "| {} | {} | {} | {} |", entry.source, entry.role, entry.n_files, entry.license)?;
    }
    Ok(())
}
