//! CSV with a head: the columns `start_s`, `end_s`, `word`, and where there are such, `file` and `score`; in any order, among others.

use super::error::Fault;
use super::{Label, LabelsFault, RecordingLabels, by_recording, checked};

/// The columns and the names that they may have.
const FILE: &[&str] = &["file", "recording", "path", "filename"];
const WORD: &[&str] = &["word", "label", "text", "annotation"];
const START: &[&str] = &["start_s", "start", "onset", "begin"];
const END: &[&str] = &["end_s", "end", "offset", "stop"];
const SCORE: &[&str] = &["score", "confidence"];

pub(super) fn write(recording: &str, labels: &[Label]) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let rows = std::iter::once([FILE[0], WORD[0], SCORE[0], START[0], END[0]].map(str::to_owned)).chain(
        labels.iter().map(|label| {
            let score = label.score.map_or_else(String::new, |score| format!("{score:.6}"));
            [
                recording.to_owned(),
                label.text.clone(),
                score,
                format!("{:.6}", label.start_s),
                format!("{:.6}", label.end_s),
            ]
        }),
    );
    for row in rows {
        writer.write_record(&row).expect("memory takes all, and rows are of one length");
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("what went in was text")
}

pub(super) fn parse(text: &str) -> Result<Vec<RecordingLabels>, Fault> {
    let delimiter = delimiter(text);
    let mut reader = ::csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let broken = |error: &::csv::Error| {
        let line = error.position().map_or(1, |position| position.line() as usize);
        (line, LabelsFault::unexpected(&error.to_string(), "a row of the table"))
    };
    let head = reader.headers().map_err(|error| broken(&error))?.clone();
    let column = |names: &[&str]| {
        names.iter().find_map(|name| head.iter().position(|found| found.trim().eq_ignore_ascii_case(name)))
    };
    let needed = |names: &[&str], missing: &'static str| {
        let found = || head.iter().collect::<Vec<_>>().join(", ");
        column(names).ok_or_else(|| (1, LabelsFault::NoColumn { missing, found: found() }))
    };
    let (word, start) = (needed(WORD, "word (or label, text)")?, needed(START, "start_s (or start, onset)")?);
    let end = needed(END, "end_s (or end, offset)")?;
    let (file, score) = (column(FILE), column(SCORE));
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(1, |position| position.line() as usize);
        let at = |fault| (line, fault);
        let field = |column: usize| record.get(column).unwrap_or_default().trim();
        let seconds = |column: usize| -> Result<f64, Fault> {
            let text = field(column);
            text.parse().map_err(|_| at(LabelsFault::unexpected(text, "a time in seconds")))
        };
        let score = score.and_then(|column| field(column).parse().ok());
        let label = checked(seconds(start)?, seconds(end)?, field(word).to_owned(), score).map_err(at)?;
        found.push((file.map(field).filter(|name| !name.is_empty()).map(str::to_owned), label));
    }
    Ok(by_recording(found))
}

/// What the head has most of: commas, or what tables of other countries and tools have.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| head.bytes().filter(|byte| *byte == delimiter).count();
    // The last of equals is taken: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let found = parse("Onset;Label;end;comment\n1.5;\"view; glass\";2;x\n").unwrap();
        let expected = Label { start_s: 1.5, end_s: 2.0, text: "view; glass".into(), score: None };
        assert_eq!(found, [RecordingLabels { recording: None, labels: vec![expected] }]);
    }

    #[test]
    fn what_is_missing_is_named_with_what_there_is() {
        let (line, fault) = parse("file,start_s,end_s\n").unwrap_err();
        assert_eq!((line, fault.to_string().contains("file, start_s, end_s")), (1, true), "{fault}");
        assert_eq!(parse("word,start,end\nx,0,1\nx,,1\n").unwrap_err().0, 3);
    }
}
