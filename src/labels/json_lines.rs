//! JSON lines: what `tripword label` prints; of other objects, those with a word, a start and an end.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::{Label, LabelsFault, RecordingLabels, by_recording, checked};

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    file: Option<std::borrow::Cow<'a, str>>,
    #[serde(alias = "label", alias = "text", borrow)]
    word: std::borrow::Cow<'a, str>,
    #[serde(alias = "start")]
    start_s: f64,
    #[serde(alias = "end")]
    end_s: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
}

pub(super) fn write(recording: &str, labels: &[Label]) -> String {
    let mut text = String::new();
    for label in labels {
        let line = Line {
            file: Some(recording.into()),
            word: label.text.as_str().into(),
            start_s: label.start_s,
            end_s: label.end_s,
            score: label.score,
        };
        text.push_str(&serde_json::to_string(&line).expect("strings and finite numbers"));
        text.push('\n');
    }
    text
}

pub(super) fn parse(text: &str) -> Result<Vec<RecordingLabels>, Fault> {
    let mut found = Vec::new();
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |fault| (idx + 1, fault);
        let expected = "a JSON object with word, start_s and end_s";
        let read: Line = serde_json::from_str(line).map_err(|_| at(LabelsFault::unexpected(line, expected)))?;
        let label = checked(read.start_s, read.end_s, read.word.into_owned(), read.score).map_err(at)?;
        found.push((read.file.map(std::borrow::Cow::into_owned), label));
    }
    Ok(by_recording(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_fields_and_names_are_no_fault() {
        let text = "{\"file\":\"a.wav\",\"word\":\"hey \\\"you\\\"\",\"start_s\":1,\"end_s\":2.5,\"more\":[{}]}\n\n{\"label\":\"x\",\"start\":0,\"end\":0}\n";
        let found = parse(text).unwrap();
        assert_eq!(found[0].recording.as_deref(), Some("a.wav"));
        assert_eq!(found[0].labels[0].text, "hey \"you\"");
        assert_eq!(found[1].recording, None);
        assert_eq!(parse("{\"word\":1}").unwrap_err().0, 1);
        assert_eq!(parse("\n[1, 2]").unwrap_err().0, 2);
    }
}
