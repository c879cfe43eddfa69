//! A report as one HTML page: tables, curves, and every miss and false accept with its sound. It needs neither a server nor a
//! network nor scripts.

use std::fmt::Write;

use super::report::{Confusable, FalseAccepts, Misses, Occurrence, Report, WordReport};
use crate::page::{Axis, FOOT, Scale, escape, head, svg};

/// The command that makes the page.
pub const GENERATOR: &str = "tripword eval";

/// Thresholds of the curves lie in this range of false accepts per hour; beyond, they are at the edge.
const FA_PER_HOUR: [f64; 2] = [0.05, 100.0];
/// And in this range of miss rates.
const MISS_RATE: [f64; 2] = [0.005, 1.0];

/// The page. Occurrences with an excerpt can be played; its path is relative to the page.
pub fn html(report: &Report) -> String {
    let mut page = head(&format!("{}: misses and false accepts", report.model), GENERATOR);
    // Writing into a String cannot fail.
    let _ = writeln!(
        page,
        "<h1>{model}</h1>\n\
         <p>Measured on {data} by tripword {version}, seed {seed}. A word is missed if no event falls between its start and one second \
         after its end; an event where no wake word is said is a false accept. Those were counted over {hours:.2} different hours \
         without a wake word. Intervals hold 95 %.</p>\n<nav>{nav}</nav>",
        model = escape(&report.model),
        data = escape(&report.data),
        version = escape(&report.tripword_version),
        seed = report.seed,
        hours = report.different_hours,
        nav = report
            .words
            .iter()
            .map(|word| format!("<a href=\"#{0}\">{0}</a> ", escape(&word.word)))
            .collect::<String>(),
    );
    for word in &report.words {
        let _ = write_word(&mut page, word, &report.main_point);
    }
    page.push_str(FOOT);
    page
}

fn write_word(page: &mut String, word: &WordReport, main_point: &str) -> std::fmt::Result {
    let name = escape(&word.word);
    writeln!(page, "<section id=\"{name}\"><h2>{name}</h2>")?;
    write_points(page, word)?;
    write_curves(page, word)?;
    writeln!(page, "<p>All that follows is at {}.</p>", escape(main_point))?;
    if !word.snrs.is_empty() {
        write_snrs(page, word)?;
    }
    write_confusables(page, &word.confusables)?;
    let speakers = word.speakers.iter().map(|found| (found.speaker.as_deref().unwrap_or("unknown"), found.misses));
    write!(page, "<details><summary>Missed by speaker, all conditions together</summary><div class=\"wide\"><table>")?;
    write!(page, "<tr><th>speaker<th>missed")?;
    for (speaker, misses) in speakers {
        write!(page, "<tr><td>{}<td>{}", escape(speaker), missed(&misses))?;
    }
    writeln!(page, "</table></div></details>")?;
    write_occurrences(page, "Misses, the lowest score first", "word at", &word.misses)?;
    write_occurrences(page, "False accepts, the highest score first", "decided at", &word.false_accepts)?;
    writeln!(page, "</section>")
}

fn write_points(page: &mut String, word: &WordReport) -> std::fmt::Result {
    for point in &word.points {
        write!(
            page,
            "<details{}><summary>{}: threshold {:.4}, {} false accepts per hour</summary><div class=\"wide\"><table>\
             <tr><th>condition<th>missed<th>latency, ms: median, 95 %<th>false accepts<th>per hour<th>confusions",
            if point.target_fa_per_hour.is_none() { "" } else { " open" },
            escape(&point.operating_point),
            point.threshold,
            per_hour(&point.false_accepts)
        )?;
        for row in &point.conditions {
            let latency = row.latency_text();
            let found = &row.false_accepts;
            write!(
                page,
                "<tr><td>{}<td>{}<td>{latency}<td>{} in {:.2} h<td>{}<td>{}",
                escape(&row.condition),
                missed(&row.misses),
                found.n_false_accepts,
                found.hours,
                per_hour(found),
                row.n_confusions
            )?;
        }
        writeln!(page, "</table></div></details>")?;
    }
    Ok(())
}

fn write_curves(page: &mut String, word: &WordReport) -> std::fmt::Result {
    let ticks =
        |values: &[f64], text: &dyn Fn(f64) -> String| values.iter().map(|&value| (value, text(value))).collect();
    let x = Axis {
        label: "false accepts per hour, all conditions together",
        scale: Scale::Logarithmic,
        low: FA_PER_HOUR[0],
        high: FA_PER_HOUR[1],
        ticks: ticks(&[0.1, 0.5, 1.0, 5.0, 10.0, 50.0], &|value| value.to_string()),
    };
    let y = Axis { scale: Scale::Logarithmic, low: MISS_RATE[0], ..miss_axis() };
    let lines: Vec<Vec<(f64, f64)>> = (word.det_curves.iter())
        .map(|curve| curve.points.iter().map(|point| (point.false_accepts_per_hour, point.miss_rate)).collect())
        .collect();
    write!(page, "<figure>{}<figcaption>", svg(&format!("DET curves of {}", word.word), &x, &y, &lines))?;
    for (i, curve) in word.det_curves.iter().enumerate() {
        write!(page, "<span class=\"key key{i}\">{}</span> ", escape(&curve.condition))?;
    }
    writeln!(page, "<br>Rates of zero lie on the lower edges.</figcaption></figure>")
}

fn miss_axis() -> Axis {
    let ticks = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0].map(|share| (share, format!("{} %", share * 100.0)));
    Axis { label: "miss rate", scale: Scale::Linear, low: 0.0, high: MISS_RATE[1], ticks: ticks.into() }
}

fn write_snrs(page: &mut String, word: &WordReport) -> std::fmt::Result {
    let ticks = word.snrs.iter().map(|found| (f64::from(found.snr_db), found.snr_db.to_string())).collect();
    let ends =
        |pick: fn(f64, f64) -> f64| word.snrs.iter().map(|found| f64::from(found.snr_db)).reduce(pick).unwrap_or(0.0);
    let x = Axis {
        label: "signal-to-noise ratio, dB",
        scale: Scale::Linear,
        low: ends(f64::min),
        high: ends(f64::max),
        ticks,
    };
    let mut y = miss_axis();
    y.ticks.retain(|(share, _)| *share >= 0.1);
    let line = word.snrs.iter().map(|found| (f64::from(found.snr_db), found.misses.miss_rate)).collect();
    write!(page, "<figure>{}<figcaption>", svg(&format!("{} by signal-to-noise ratio", word.word), &x, &y, &[line]))?;
    let texts = word.snrs.iter().map(|found| format!("{} dB: {}", found.snr_db, missed(&found.misses)));
    writeln!(page, "{}</figcaption></figure>", texts.collect::<Vec<_>>().join("; "))
}

fn write_confusables(page: &mut String, confusables: &[Confusable]) -> std::fmt::Result {
    write!(
        page,
        "<details><summary>Events in other wake words and in pieces of this one</summary><div class=\"wide\"><table>"
    )?;
    write!(page, "<tr><th>what was heard<th>with an event<th>share")?;
    for found in confusables {
        let [low, high] = found.interval.map(|share| share * 100.0);
        write!(
            page,
            "<tr><td>{}<td>{} of {}<td>{:.1} % ({low:.1}–{high:.1})",
            escape(&found.kind),
            found.n_events,
            found.n_spoken,
            found.rate * 100.0
        )?;
    }
    writeln!(page, "</table></div></details>")
}

fn write_occurrences(page: &mut String, title: &str, time: &str, found: &[Occurrence]) -> std::fmt::Result {
    write!(page, "<details open><summary>{title}: {}</summary><div class=\"wide\"><table>", found.len())?;
    write!(page, "<tr><th>sound<th>score<th>condition<th>{time}<th>file")?;
    for one in found {
        let sound = match &one.excerpt {
            Some(path) => format!("<audio controls preload=\"none\" src=\"{}\"></audio>", escape(path)),
            None => String::new(),
        };
        let file = one.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let speaker = one.speaker.as_deref().map_or(String::new(), |speaker| format!(" ({})", escape(speaker)));
        write!(
            page,
            "<tr><td>{sound}<td>{:.3}<td>{}<td>{:.2} s<td title=\"{}\">{}{speaker}",
            one.score,
            escape(&one.condition),
            one.time_s,
            escape(&one.file),
            escape(file)
        )?;
    }
    writeln!(page, "</table></div></details>")
}

fn missed(misses: &Misses) -> String {
    if misses.n_spoken == 0 {
        return String::new();
    }
    let [low, high] = misses.interval.map(|share| share * 100.0);
    format!("{} of {}: {:.1} % ({low:.1}–{high:.1})", misses.n_missed, misses.n_spoken, misses.miss_rate * 100.0)
}

fn per_hour(found: &FalseAccepts) -> String {
    let [low, high] = found.interval;
    format!("{:.2} ({low:.2}–{high:.2})", found.per_hour)
}
