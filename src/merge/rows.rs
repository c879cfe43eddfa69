//! Rows of text that each name their recording: JSON lines, CSV, RTTM.
//!
//! The rows of all inputs, in the order that one run over all recordings gives: by recording, as folders and names are sorted, then by
//! channel and time. A row that is there twice is taken once.

use std::cmp::Ordering;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::MergeError;
use crate::files::WholeFile;

/// Formats whose rows can be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowsKind {
    /// One JSON object a line.
    JsonLines,
    /// A table with a head, the same one in all inputs.
    Csv,
    /// Rich Transcription Time Marked.
    Rttm,
}

/// Names that a column may have, as those who read labels know them.
const FILE: &[&str] = &["file", "recording", "path", "filename"];
const TIME: &[&str] = &["time_s", "start_s", "start", "onset", "begin"];
const CHANNEL: &[&str] = &["channel"];

impl RowsKind {
    /// The kind that the name of `path` tells. A table of scores is none: its rows name no recording.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        match name.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" if !name.ends_with(".scores.csv") => Some(Self::Csv),
            "rttm" => Some(Self::Rttm),
            _ => None,
        }
    }

    /// Whether a table with this head has what its rows are sorted by.
    pub(super) fn is_head(line: &str) -> bool {
        let head = csv_reader(line.as_bytes()).headers().cloned().unwrap_or_default();
        column(&head, FILE).is_some() && column(&head, TIME).is_some()
    }

    /// Puts the rows of `sources` together in `out`; gives how many there are.
    ///
    /// # Errors
    /// When a row is none, the tables have different heads, or the disk refuses.
    pub(super) fn merge(self, sources: &[PathBuf], out: &Path) -> Result<usize, MergeError> {
        let mut head: Option<String> = None;
        let mut rows = Vec::new();
        for path in sources {
            let bytes = std::fs::read(path).map_err(MergeError::disk(path))?;
            let text =
                String::from_utf8(bytes).map_err(|_| MergeError::line(path, 1, "bytes that are no text", "UTF-8"))?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            match self {
                Self::JsonLines => read_json_lines(path, text, &mut rows)?,
                Self::Rttm => read_rttm(path, text, &mut rows)?,
                Self::Csv => {
                    let found = read_csv(path, text, &mut rows)?;
                    if head.as_ref().is_some_and(|first| *first != found) {
                        return Err(MergeError::line(path, 1, &found, "the columns that the other tables have"));
                    }
                    head = Some(found);
                }
            }
        }
        let rows = in_order(rows);
        let failed = MergeError::disk(out);
        let mut file = WholeFile::create(out).map_err(&failed)?;
        let lines = head.iter().chain(rows.iter().map(|row| &row.text));
        for line in lines {
            writeln!(file, "{line}").map_err(&failed)?;
        }
        file.finish().map_err(&failed)?;
        Ok(rows.len())
    }
}

/// A row with what it is sorted by.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    recording: PathBuf,
    channel: u64,
    time_s: f64,
    text: String,
}

impl Row {
    fn order(&self, other: &Self) -> Ordering {
        self.recording
            .cmp(&other.recording)
            .then(self.channel.cmp(&other.channel))
            .then(self.time_s.total_cmp(&other.time_s))
    }
}

/// Sorted, each once; what is of one moment stays as it came.
fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(Row::order);
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let of_this_moment = kept.iter().rev().take_while(|other| other.order(&row).is_eq());
        if !of_this_moment.into_iter().any(|other| other.text == row.text) {
            kept.push(row);
        }
    }
    kept
}

fn read_json_lines(path: &Path, text: &str, rows: &mut Vec<Row>) -> Result<(), MergeError> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default, alias = "recording", alias = "path")]
        file: PathBuf,
        #[serde(default)]
        channel: u64,
        time_s: Option<f64>,
        #[serde(alias = "start")]
        start_s: Option<f64>,
    }
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let expected = "a JSON object of an event or label, with file and time_s or start_s";
        let found: Line = serde_json::from_str(line).map_err(|_| MergeError::line(path, idx + 1, line, expected))?;
        let time_s = found.time_s.or(found.start_s).ok_or_else(|| MergeError::line(path, idx + 1, line, expected))?;
        rows.push(Row { recording: found.file, channel: found.channel, time_s, text: line.to_owned() });
    }
    Ok(())
}

/// Comments go: they are of a file that is no longer there.
fn read_rttm(path: &Path, text: &str, rows: &mut Vec<Row>) -> Result<(), MergeError> {
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with(";;")) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let expected = "fields: TYPE file channel onset duration ...";
        let &[_, file, channel, onset, _, ..] = fields.as_slice() else {
            return Err(MergeError::line(path, idx + 1, line, expected));
        };
        // Lines on speakers have no times and come first.
        let time_s = onset.parse().unwrap_or(-1.0);
        rows.push(Row { recording: file.into(), channel: channel.parse().unwrap_or(0), time_s, text: line.to_owned() });
    }
    Ok(())
}

/// Gives the head.
fn read_csv(path: &Path, text: &str, rows: &mut Vec<Row>) -> Result<String, MergeError> {
    let mut reader = csv_reader(text.as_bytes());
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(1, |position| position.line() as usize);
        MergeError::line(path, line, &error.to_string(), "a row of the table, with all columns")
    };
    let head = reader.headers().map_err(|error| broken(&error))?.clone();
    let needed = |names: &[&str], expected| {
        column(&head, names)
            .ok_or_else(|| MergeError::line(path, 1, &head.iter().collect::<Vec<_>>().join(","), expected))
    };
    let file = needed(FILE, "a column for the recording (file)")?;
    let time = needed(TIME, "a column for the time (time_s or start_s)")?;
    let channel = column(&head, CHANNEL);
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(1, |position| position.line() as usize);
        let field = |column: usize| record.get(column).unwrap_or_default();
        rows.push(Row {
            recording: field(file).into(),
            channel: channel.and_then(|column| field(column).parse().ok()).unwrap_or(0),
            time_s: field(time).parse().map_err(|_| MergeError::line(path, line, field(time), "a time in seconds"))?,
            text: csv_line(&record),
        });
    }
    Ok(csv_line(&head))
}

fn csv_reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::Reader::from_reader(bytes)
}

fn column(head: &csv::StringRecord, names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| head.iter().position(|found| found.trim().eq_ignore_ascii_case(name)))
}

/// A record as one line, without its end; a field may still have line breaks in quotes.
fn csv_line(record: &csv::StringRecord) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(record).expect("memory takes all");
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges files of these contents and this ending.
    fn merged(ending: &str, contents: &[&str]) -> Result<String, MergeError> {
        let folder = tempfile::tempdir().unwrap();
        let sources: Vec<PathBuf> = (0..contents.len()).map(|i| folder.path().join(format!("{i}.{ending}"))).collect();
        sources.iter().zip(contents).for_each(|(path, content)| std::fs::write(path, content).unwrap());
        let out = folder.path().join("out");
        RowsKind::of_path(&sources[0]).unwrap().merge(&sources, &out)?;
        Ok(std::fs::read_to_string(out).unwrap())
    }

    #[test]
    fn json_lines_come_in_the_order_of_one_run_and_once() {
        let a = r#"{"file":"x/b.wav","word":"one","time_s":1.5}"#;
        let (b, c) = (r#"{"file":"x.wav","word":"two","time_s":9}"#, r#"{"file":"x/a.wav","word":"z","time_s":2}"#);
        let (d, e) = (r#"{"file":"x/a.wav","word":"y","time_s":2}"#, r#"{"file":"x/a.wav","channel":2,"time_s":0}"#);
        let text = merged("jsonl", &[&format!("{a}\n{e}\n"), &format!("{b}\n\n{c}\n{d}"), &format!("{c}\n")]).unwrap();
        // A folder comes before the file whose name goes on with a dot; what is of one moment stays as it came.
        assert_eq!(text.lines().collect::<Vec<_>>(), [c, d, e, a, b]);
        let error = merged("jsonl", &["{\"file\":\"a\",\"time_s\":1}\n[]\n"]).unwrap_err().to_string();
        assert!(error.contains("0.jsonl, line 2: found '[]'"), "{error}");
    }

    #[test]
    fn tables_have_one_head() {
        let text = merged(
            "csv",
            &["file,word,start_s\nb.wav,\"a, b\",1\n", "file,word,start_s\na.wav,x,2\nb.wav,\"a, b\",1\n"],
        );
        assert_eq!(text.unwrap(), "file,word,start_s\na.wav,x,2\nb.wav,\"a, b\",1\n");
        let error = merged("csv", &["file,start_s\n", "file,word,start_s\n"]).unwrap_err().to_string();
        assert!(error.contains("1.csv, line 1") && error.contains("file,word,start_s"), "{error}");
        let error = merged("csv", &["file,start_s\na,soon\n"]).unwrap_err().to_string();
        assert!(error.contains("line 2: found 'soon'"), "{error}");
        assert!(RowsKind::of_path("talk.scores.csv".as_ref()).is_none());
    }

    #[test]
    fn rttm_lines_are_sorted_by_recording_and_onset() {
        let line = |file: &str, onset: &str| format!("SPEAKER {file} 1 {onset} 0.5 <NA> <NA> x <NA> <NA>\n");
        let text =
            merged("rttm", &[&(line("b", "10.0") + &line("b", "9.5")), &(";; by hand\n".to_owned() + &line("a", "3"))]);
        assert_eq!(text.unwrap(), line("a", "3") + &line("b", "9.5") + &line("b", "10.0"));
        assert!(merged("rttm", &["SPEAKER a\n"]).is_err());
    }
}
