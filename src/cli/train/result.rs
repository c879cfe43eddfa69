//! What a training came to, for people and as JSON.

use std::path::Path;

use anyhow::Result;

use crate::cli::print_line;
use crate::train::{CurvePoint, LearningCurve, Trained};

/// Prints the result of a training that made the model folder `out`.
pub(super) fn report(out: &Path, trained: &Trained, is_json: bool) -> Result<()> {
    let Trained { manifest, expectation } = trained;
    if is_json {
        return print_line(&serde_json::to_string(&serde_json::json!({
            "model": out, "words": manifest.words, "training": manifest.training,
            "expectation": expectation, "paragraph": expectation.paragraph(),
        }))?);
    }
    print_line(&format!("{} is ready: weights of step {}", out.display(), manifest.training.best_step))?;
    for word in &manifest.words {
        print_line(&format!("  {}: threshold {:.3}", word.name, word.trigger.threshold))?;
    }
    if let Some(curve) = &expectation.curve {
        print_line("")?;
        table(curve).iter().try_for_each(|line| print_line(line))?;
    }
    print_line(&format!("\n{}\n", expectation.paragraph()))?;
    if manifest.model.bidirectional {
        return print_line(&format!("Try it on a recording: tripword label --model {} FILE", out.display()));
    }
    print_line(&format!("Try it: tripword listen --model {}", out.display()))
}

/// The learning curve as lines.
fn table(curve: &LearningCurve) -> Vec<String> {
    let share = |[missed, spoken]: [usize; 2]| match spoken {
        0 => "-".to_owned(),
        _ => format!("{missed}/{spoken} ({:.0} %)", 100.0 * missed as f64 / spoken as f64),
    };
    let line = |label: String, point: &CurvePoint| {
        let total = point.total();
        format!("  {label:26} {:>16} {:>16}", share(total.clean), share(total.noisy))
    };
    let head = format!("  {:26} {:>16} {:>16}", "recordings learned from", "missed, quiet", "missed, noisy");
    let points = curve.points.iter().map(|point| line(point.n_clips.to_string(), point));
    let strangers = curve.strangers.iter().map(|point| line(format!("{}, of other voices", point.n_clips), point));
    std::iter::once(head).chain(points).chain(strangers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Tally;

    #[test]
    fn the_table_has_a_line_a_point() {
        let point = |n_clips, missed| CurvePoint { n_clips, words: vec![Tally { clean: [missed, 20], noisy: [0, 0] }] };
        let curve = LearningCurve { points: vec![point(5, 8), point(10, 1)], strangers: Some(point(15, 12)) };
        let lines = table(&curve);
        assert_eq!(lines[1], "  5                               8/20 (40 %)                -");
        assert!(lines[3].contains("15, of other voices") && lines[3].contains("12/20 (60 %)"), "{}", lines[3]);
    }
}
