//! A daemon's answers for people.

use std::fmt::Write;

use serde_json::Value;

use crate::control::{FlowKind, MuteStatus, Reloaded, Reply, Status, WordStatus};
use crate::events::WakeEvent;

/// An answer in words.
pub(super) fn of(reply: &Reply) -> String {
    match reply {
        Reply::Status(status) => of_status(status),
        Reply::Event { event } => of_event(event),
        Reply::Lost { n_events } => {
            format!("{n_events} events are missing here: the daemon told them faster than they were read")
        }
        Reply::Mute(mute) => of_mute(mute),
        Reply::Threshold { word, before, threshold, configured } => {
            of_threshold(word, *before, *threshold, *configured)
        }
        Reply::Enabled { word, is_enabled: true } => format!("{word} is told"),
        Reply::Enabled { word, is_enabled: false } => {
            format!("{word} is not told any more, until 'tripword ctl enable'")
        }
        Reply::Device { text } => text.clone(),
        Reply::Reloaded(reloaded) => of_reloaded(reloaded),
        Reply::Error { message } => message.clone(),
        // Shown in other ways.
        Reply::Level(_) | Reply::NoSound { .. } | Reply::End {} => String::new(),
    }
}

fn of_event(event: &WakeEvent) -> String {
    let time = event.wall_time.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let time = time.map_or_else(
        || format!("{:.2} s", event.time_s),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    );
    let level = event.level_dbfs.map(|level| format!(", {level:.0} dBFS")).unwrap_or_default();
    let snr = event.snr_db.map(|snr| format!(", {snr:.0} dB above the background")).unwrap_or_default();
    format!(
        "{time}  {}  score {:.3}, {} after the word{level}{snr}",
        event.word, event.score, event.detection_latency_ms
    )
}

fn of_mute(mute: &MuteStatus) -> String {
    match (mute.is_muted, mute.remaining_s) {
        (false, _) => "words are told".to_owned(),
        (true, None) => "muted, until 'tripword ctl unmute'".to_owned(),
        (true, Some(remaining_s)) => format!("muted for {}", duration(remaining_s)),
    }
}

fn of_threshold(word: &str, before: f32, threshold: f32, configured: f32) -> String {
    let mut text = format!("{word}: threshold {threshold}, was {before}");
    if threshold != configured {
        let _ = write!(
            text,
            "\nA restart or a reload brings back {configured}. To keep the new one, write this to the configuration:\n\n\
             [trigger.words.\"{word}\"]\nthreshold = {threshold}"
        );
    }
    text
}

fn of_reloaded(reloaded: &Reloaded) -> String {
    let mut lines = vec!["configuration and model read anew".to_owned()];
    lines.extend(reloaded.changes.iter().map(|change| format!("  {change}")));
    if reloaded.changes.is_empty() {
        lines.push("  nothing changed in model and thresholds".to_owned());
    }
    if !reloaded.needs_restart.is_empty() {
        lines.push(format!("  needs a restart to take effect: {}", reloaded.needs_restart.join(", ")));
    }
    lines.join("\n")
}

fn of_status(status: &Status) -> String {
    let silenced = if status.is_silenced { "; silent, as Hermes asks" } else { "" };
    // A device may have been changed since the start.
    let source = status.parts.get("input").and_then(|input| input["name"].as_str()).unwrap_or(&status.source);
    let mut lines = vec![
        format!("tripword {}, process {}, for {}", status.tripword_version, status.pid, duration(status.uptime_s)),
        format!("listens to {source} with the model {}; {}{silenced}", status.model, of_mute(&status.mute)),
        String::new(),
    ];
    lines.extend(word_table(&status.words));
    lines.push(String::new());
    let counts = &status.counts;
    lines.push(format!(
        "heard: {} of sound, {} samples lost in {} gaps, {} unusable samples",
        duration(counts.audio_s),
        counts.n_lost_samples,
        counts.n_gaps,
        counts.n_unusable_samples
    ));
    lines.push(format!(
        "events: {} told, {} not told (muted or switched off), {} deliveries failed, {} dropped",
        counts.n_events, counts.n_muted_events, counts.n_failed_deliveries, counts.n_dropped_events
    ));
    if let (Some(median_ms), Some(p95_ms)) = (status.latency.median_ms, status.latency.p95_ms) {
        let n_events = status.latency.n_events;
        lines.push(format!("latency of the last {n_events} events: median {median_ms} ms, 95 % {p95_ms} ms"));
    }
    let memory = status.resident_bytes.map(|bytes| format!(", {:.1} MB of memory", bytes as f64 / 1e6));
    lines.push(format!(
        "load: {:.2} % of real time for features and network, {:.1} s of processor time{}",
        counts.real_time_factor * 100.0,
        status.cpu_s,
        memory.unwrap_or_default()
    ));
    if let Some(reload) = &status.last_reload {
        let result = reload.error.as_deref().unwrap_or("done");
        lines.push(format!("last reload: {}: {result}", reload.at));
    }
    for (name, value) in &status.parts {
        lines.extend(part(&name.replace('_', " "), value));
    }
    lines.push("recorded or sent:".to_owned());
    for flow in &status.recorded_or_sent {
        let kind = match flow.kind {
            FlowKind::Recorded => "recorded",
            FlowKind::Sent => "sent",
        };
        lines.push(format!("  {} {kind} to {}", flow.what, flow.to));
    }
    if status.recorded_or_sent.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.join("\n")
}

fn word_table(words: &[WordStatus]) -> Vec<String> {
    let width = words.iter().map(|word| word.name.chars().count()).max().unwrap_or(0).max(4);
    let mut lines = vec![format!("{:width$}  threshold  score  of 10 s  events", "word")];
    for word in words {
        let mut line = format!(
            "{:width$}  {:>9.4}  {:5.2}  {:7.2}  {:6}",
            word.name, word.threshold, word.score, word.highest_score, word.n_events
        );
        if word.threshold != word.configured_threshold {
            let _ = write!(line, "  (configured: {:.4})", word.configured_threshold);
        }
        if !word.is_enabled {
            line.push_str("  switched off");
        }
        lines.push(line);
    }
    lines
}

/// What a part tells: a line, or one for each of a list.
fn part(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(|value| part(name, value)).collect(),
        Value::Object(fields) => {
            // Its name first, as people do.
            let (names, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(key, _)| *key == "name");
            let told = names.into_iter().chain(others).filter(|(_, value)| !value.is_null());
            let fields: Vec<String> =
                told.map(|(key, value)| format!("{}: {}", key.replace('_', " "), plain(value))).collect();
            vec![format!("{name}: {}", fields.join(", "))]
        }
        value => vec![format!("{name}: {}", plain(value))],
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A span of time in its two largest units.
fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds:.1} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", whole % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_have_two_units() {
        for (seconds, expected) in
            [(0.25, "0.2 s"), (59.96, "60.0 s"), (61.0, "1 min 1 s"), (3660.0, "1 h 1 min"), (90_000.0, "1 d 1 h")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn parts_are_lines() {
        let value = json!([{ "name": "log", "n_events": 3, "error": null }, { "name": "web" }]);
        assert_eq!(part("output", &value), ["output: name: log, n events: 3", "output: name: web"]);
        assert_eq!(part("x", &json!("y")), ["x: y"]);
    }

    #[test]
    fn a_threshold_that_does_not_last_says_how_to_keep_it() {
        let text = of_threshold("view_glass", 0.5, 0.7, 0.5);
        assert!(text.contains("was 0.5") && text.contains("[trigger.words.\"view_glass\"]\nthreshold = 0.7"), "{text}");
        assert_eq!(of_threshold("alexa", 0.7, 0.5, 0.5), "alexa: threshold 0.5, was 0.7");
    }
}
