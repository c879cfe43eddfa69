//! RTTM: ten fields with spaces between, `SPEAKER file 1 onset duration <NA> <NA> name confidence <NA>` (NIST, Rich Transcription
//! evaluations). Names have no spaces: an underscore stands for one.

use std::fmt::Write as _;

use super::error::Fault;
use super::{Label, LabelsFault, RecordingLabels, by_recording, checked};

const NOTHING: &str = "<NA>";

pub(super) fn write(recording: &str, labels: &[Label]) -> String {
    let recording = name(recording);
    let mut text = String::new();
    for label in labels {
        // What is added up again must be the end as it was rounded.
        let (start, end) = (micro(label.start_s), micro(label.end_s));
        let (onset_s, duration_s) = (start as f64 / 1e6, end.saturating_sub(start) as f64 / 1e6);
        let score = label.score.map_or_else(|| NOTHING.to_owned(), |score| format!("{score:.6}"));
        let word = name(&label.text);
        writeln!(
            text,
            "SPEAKER {recording} 1 {onset_s:.6} {duration_s:.6} {NOTHING} {NOTHING} {word} {score} {NOTHING}"
        )
        .expect("a string takes all");
    }
    text
}

fn micro(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

fn name(name: &str) -> String {
    let joined = name.split_whitespace().collect::<Vec<_>>().join("_");
    if joined.is_empty() { NOTHING.to_owned() } else { joined }
}

pub(super) fn parse(text: &str) -> Result<Vec<RecordingLabels>, Fault> {
    let mut found = Vec::new();
    for (idx, line) in text.lines().enumerate() {
        let at = |fault| (idx + 1, fault);
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Other kinds of lines tell of speakers and of stretches that are not scored.
        if fields.is_empty() || line.starts_with(";;") || !matches!(fields[0], "SPEAKER" | "LEXEME" | "EVENT") {
            continue;
        }
        let [_, recording, _, onset, duration, _, _, word, rest @ ..] = fields.as_slice() else {
            let expected = "ten fields: SPEAKER file 1 onset duration <NA> <NA> name confidence <NA>";
            return Err(at(LabelsFault::unexpected(line, expected)));
        };
        let seconds = |field: &str| -> Result<f64, Fault> {
            field.parse().map_err(|_| at(LabelsFault::unexpected(field, "a time in seconds")))
        };
        let (start_s, duration_s) = (seconds(onset)?, seconds(duration)?);
        // Both have so many decimals: the sum has no more.
        let end_s = ((start_s + duration_s) * 1e6).round() / 1e6;
        let score = rest.first().and_then(|score| score.parse().ok());
        let word = if *word == NOTHING { "" } else { word };
        let label = checked(start_s, end_s, word.to_owned(), score).map_err(at)?;
        found.push((Some((*recording).to_owned()), label));
    }
    Ok(by_recording(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_recordings_are_told_apart() {
        let text = ";; made by hand\nSPKR-INFO a 1 <NA> <NA> <NA> unknown x <NA> <NA>\n\
                    SPEAKER a 1 2.5 0.25 <NA> <NA> view_glass 0.5 <NA>\nSPEAKER b 1 0 1 <NA> <NA> hey <NA> <NA>\n\
                    SPEAKER a 1 0.1 0.2 <NA> <NA> hey <NA>\n";
        let found = parse(text).unwrap();
        assert_eq!(found.len(), 2);
        let a: Vec<_> = found[0].labels.iter().map(|l| (l.start_s, l.end_s, l.text.as_str(), l.score)).collect();
        assert_eq!(a, [(0.1, 0.3, "hey", None), (2.5, 2.75, "view_glass", Some(0.5))]);
        assert_eq!(found[1].recording.as_deref(), Some("b"));
        assert_eq!(parse("SPEAKER a 1 2.5").unwrap_err().0, 1);
        assert_eq!(parse("\nSPEAKER a 1 x 1 <NA> <NA> hey <NA> <NA>").unwrap_err().0, 2);
        assert!(parse("SPEAKER a 1 1 -1 <NA> <NA> hey <NA> <NA>").is_err());
    }

    #[test]
    fn names_have_no_spaces() {
        let label = Label { start_s: 0.0, end_s: 0.5, text: "view glass".into(), score: None };
        assert_eq!(write("my talk", &[label]), "SPEAKER my_talk 1 0.000000 0.500000 <NA> <NA> view_glass <NA> <NA>\n");
    }
}
