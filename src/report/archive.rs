//! The page of an archive: all tracks, what was found in each, and the way to their pages.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::filled;
use crate::events::WakeEvent;
use crate::page::{escape, generator_mark, number};

/// What the page says it was made by; a page that says so may be written over.
pub const ARCHIVE_GENERATOR: &str = "tripword label --report-index";

/// Places in a row's strip.
const STRIP: usize = 240;
/// Words have one of so many colours.
const N_COLOURS: usize = 8;

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveTrack {
    name: String,
    link: String,
    duration_s: f64,
    /// Events of each word.
    n_events: Vec<usize>,
    best_score: f32,
    /// For each word, where in the strip it was found.
    places: Vec<Vec<u8>>,
}

/// Collects the tracks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArchivePage {
    words: Vec<String>,
    model: String,
    tracks: Vec<ArchiveTrack>,
}

impl ArchivePage {
    /// Of what the model `model` with these words finds.
    pub fn new(model: &str, words: impl Iterator<Item = String>) -> Self {
        Self { words: words.collect(), model: model.to_owned(), tracks: Vec::new() }
    }

    /// A track with its page's address as seen from this one.
    pub fn push(&mut self, name: String, link: String, duration_s: f64, events: &[WakeEvent]) {
        let mut n_events = vec![0; self.words.len()];
        let mut places = vec![Vec::new(); self.words.len()];
        let idx_of: BTreeMap<&str, usize> = self.words.iter().zip(0..).map(|(word, i)| (word.as_str(), i)).collect();
        for event in events {
            let Some(&word_idx) = idx_of.get(event.word.as_str()) else { continue };
            n_events[word_idx] += 1;
            let place = (event.start_s / duration_s.max(1e-3) * STRIP as f64) as usize;
            let place = place.min(STRIP - 1) as u8;
            if places[word_idx].last() != Some(&place) {
                places[word_idx].push(place);
            }
        }
        let best_score = events.iter().map(|event| event.score).fold(0.0, f32::max);
        self.tracks.push(ArchiveTrack { name, link, duration_s, n_events, best_score, places });
    }

    /// The page, as HTML.
    pub fn html(&self) -> String {
        let mut rows = String::new();
        for track in &self.tracks {
            self.push_row(&mut rows, track);
        }
        let words: String = self
            .words
            .iter()
            .enumerate()
            .map(|(i, word)| {
                format!(
                    "<th data-sort=\"number\"><button>{}</button> <i class=\"w{}\"></i></th>",
                    escape(word),
                    i % N_COLOURS
                )
            })
            .collect();
        let n_events = |track: &ArchiveTrack| track.n_events.iter().sum::<usize>();
        let total: usize = self.tracks.iter().map(n_events).sum();
        let hours = self.tracks.iter().map(|track| track.duration_s).sum::<f64>() / 3600.0;
        let [one, many] = ["detection", "detections"];
        let summary = format!(
            "{} recordings and channels, {} h, {total} {}, model {}",
            self.tracks.len(),
            number(hours),
            if total == 1 { one } else { many },
            escape(&self.model)
        );
        let parts = [
            ("mark", generator_mark(ARCHIVE_GENERATOR)),
            ("style", include_str!("archive.css").to_owned()),
            ("summary", summary),
            ("words", words),
            ("rows", rows),
            ("script", include_str!("archive.js").to_owned()),
        ];
        filled(include_str!("archive.html"), &parts.each_ref().map(|(name, part)| (*name, part.as_str())))
    }

    fn push_row(&self, rows: &mut String, track: &ArchiveTrack) {
        let n_events: usize = track.n_events.iter().sum();
        let per_hour = n_events as f64 / (track.duration_s / 3600.0).max(1e-6);
        let (name, link) = (escape(&track.name), escape(&track.link));
        let duration_s = track.duration_s;
        // Writing into a String cannot fail.
        let _ = write!(
            rows,
            "<tr><td data-value=\"{name}\"><a href=\"{link}\">{name}</a></td><td data-value=\"{duration_s:.3}\">{}</td>\
             <td data-value=\"{n_events}\">{n_events}</td><td data-value=\"{per_hour:.4}\">{}</td>\
             <td data-value=\"{:.6}\">{}</td>",
            clock(duration_s),
            number(per_hour),
            track.best_score,
            if n_events > 0 { format!("{:.3}", track.best_score) } else { String::new() },
        );
        let _ = write!(
            rows,
            "<td><svg viewBox=\"0 0 {STRIP} 16\" role=\"img\" aria-label=\"{n_events} detections over time\" preserveAspectRatio=\"none\">"
        );
        for (i, places) in track.places.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
            let ticks: String = places.iter().map(|place| format!("M{place}.5 1v14")).collect();
            let _ = write!(rows, "<path class=\"w{}\" d=\"{ticks}\"/>", i % N_COLOURS);
        }
        rows.push_str("</svg></td>");
        for n in &track.n_events {
            let _ = write!(rows, "<td data-value=\"{n}\">{}</td>", if *n > 0 { n.to_string() } else { String::new() });
        }
        rows.push_str("</tr>\n");
    }
}

/// `1:02:03`, `2:03`.
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Location};
    use crate::detector::Detection;

    #[test]
    fn a_row_has_counts_the_strip_and_the_way_to_the_page() {
        let manifest = Bundle::load(&Location::Builtin(0)).unwrap().manifest;
        let words = || manifest.words.iter().map(|word| word.name.clone());
        let mut page = ArchivePage::new("six-words", words());
        let event = |word_idx: usize, second: u64| {
            let sample = second * 16_000;
            let detection =
                Detection { word_idx, score: 0.97, start_sample: sample, end_sample: sample, decision_sample: sample };
            WakeEvent::new(&detection, &manifest, "a<b>.wav")
        };
        page.push(
            "a<b>.wav".into(),
            "./a%3Cb%3E.report.html".into(),
            3600.0,
            &[event(1, 900), event(1, 3599), event(2, 0)],
        );
        page.push("quiet.wav".into(), "./quiet.report.html".into(), 0.0, &[]);
        let html = page.html();
        assert!(
            html.contains(
                "<a href=\"./a%3Cb%3E.report.html\">a&lt;b&gt;.wav</a></td><td data-value=\"3600.000\">1:00:00"
            )
        );
        assert!(
            html.contains("class=\"w1\" d=\"M60.5 1v14M239.5 1v14\"/><path class=\"w2\" d=\"M0.5 1v14\""),
            "{html}"
        );
        assert!(html.contains("2 recordings and channels, 1 h, 3 detections, model six-words"));
        assert!(!html.contains("{{") && !html.contains("NaN") && html.contains(&generator_mark(ARCHIVE_GENERATOR)));
    }
}
