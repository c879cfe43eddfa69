//! A report for terminals and for machines.

use serde_json::{Value, json};

use crate::eval::report::{ConditionReport, FalseAccepts, Misses, PointReport, Report, WordReport};

/// Speakers that are listed of a word: the worst.
const N_SPEAKERS: usize = 5;

/// One object for each word, operating point and condition.
pub(super) fn json_rows(report: &Report) -> Vec<Value> {
    let of_word = |word: &WordReport| {
        let of_point =
            |point: &PointReport| point.conditions.iter().map(|row| json_row(word, point, row)).collect::<Vec<_>>();
        word.points.iter().flat_map(of_point).collect::<Vec<_>>()
    };
    report.words.iter().flat_map(of_word).collect()
}

fn json_row(word: &WordReport, point: &PointReport, row: &ConditionReport) -> Value {
    json!({
        "word": word.word,
        "operating_point": point.operating_point,
        "threshold": point.threshold,
        "condition": row.condition,
        "n_spoken": row.misses.n_spoken,
        "n_missed": row.misses.n_missed,
        "miss_rate": row.misses.miss_rate,
        "miss_rate_interval": row.misses.interval,
        "median_latency_ms": row.median_latency_ms,
        "p95_latency_ms": row.p95_latency_ms,
        "n_false_accepts": row.false_accepts.n_false_accepts,
        "negative_hours": row.false_accepts.hours,
        "false_accepts_per_hour": row.false_accepts.per_hour,
        "false_accepts_per_hour_interval": row.false_accepts.interval,
        "n_confusions": row.n_confusions,
    })
}

/// The lines of the table.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "{:13} {:9} {:6} {:18} {:>27} {:>12} {:>31}",
        "word", "point", "thresh", "condition", "missed (95 %)", "latency, ms", "false accepts per hour (95 %)"
    )];
    for word in &report.words {
        for point in &word.points {
            let head = format!("{:13} {:9} {:6.4}", word.word, point.operating_point, point.threshold);
            for row in &point.conditions {
                let line = format!(
                    "{head} {:18} {:>27} {:>12} {:>31}",
                    row.condition,
                    missed(&row.misses),
                    row.latency_text(),
                    false_accepts(&row.false_accepts)
                );
                lines.push(line);
            }
            lines.push(format!(
                "{head} {:18} {:>27} {:>12} {:>31}",
                "all",
                "",
                "",
                false_accepts(&point.false_accepts)
            ));
        }
    }
    lines.push(String::new());
    lines.extend(means(report));
    lines.push(format!(
        "False accepts in 'all' were counted over {:.2} different hours, which the interval rests on, each heard in several conditions.",
        report.different_hours
    ));
    lines.push(format!("\nAt {}:", report.main_point));
    report.words.iter().for_each(|word| lines.extend(details(word)));
    lines
}

fn missed(misses: &Misses) -> String {
    if misses.n_spoken == 0 {
        return String::new();
    }
    let [low, high] = misses.interval.map(|share| share * 100.0);
    format!("{}/{} {:.1} % ({low:.1}-{high:.1})", misses.n_missed, misses.n_spoken, misses.miss_rate * 100.0)
}

fn false_accepts(found: &FalseAccepts) -> String {
    let [low, high] = found.interval;
    format!("{} in {:.2} h: {:.2} ({low:.2}-{high:.2})", found.n_false_accepts, found.hours, found.per_hour)
}

/// The mean miss rate over the words, for each operating point and condition.
fn means(report: &Report) -> Vec<String> {
    let Some(first) = report.words.first() else { return Vec::new() };
    let mut lines = Vec::new();
    for (point_idx, point) in first.points.iter().enumerate() {
        let means: Vec<String> = (point.conditions.iter().enumerate())
            .filter(|(_, row)| row.misses.n_spoken > 0)
            .map(|(row_idx, row)| {
                let rates = report.words.iter().map(|word| word.points[point_idx].conditions[row_idx].misses.miss_rate);
                format!("{} {:.1} %", row.condition, rates.sum::<f64>() / report.words.len() as f64 * 100.0)
            })
            .collect();
        let words = report.words.len();
        lines.push(format!("missed, mean over {words} word(s) at {}: {}", point.operating_point, means.join("; ")));
    }
    lines
}

fn details(word: &WordReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |what: &str, parts: Vec<String>| {
        if !parts.is_empty() {
            lines.push(format!("  {}, {what}: {}", word.word, parts.join("; ")));
        }
    };
    let heard = word.confusables.iter().map(|found| format!("{} {}/{}", found.kind, found.n_events, found.n_spoken));
    add("events in confusables", heard.collect());
    let missing = word.speakers.iter().filter(|found| found.misses.n_missed > 0).take(N_SPEAKERS);
    let speakers = missing.map(|found| {
        let name = found.speaker.as_deref().unwrap_or("unknown");
        format!("{name} {}/{}", found.misses.n_missed, found.misses.n_spoken)
    });
    add("missed by speaker, worst first", speakers.collect());
    let snrs = word.snrs.iter().map(|found| format!("{} dB {}", found.snr_db, missed(&found.misses)));
    add("missed by signal-to-noise ratio", snrs.collect());
    lines
}
