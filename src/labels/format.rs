//! The formats, told apart by the names of their files.

use std::path::Path;

use super::error::Fault;
use super::{Label, LabelsError, LabelsFault, RecordingLabels, audacity, csv, json_lines, rttm, text_grid, web_vtt};

/// A way to write labels down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelFormat {
    /// Audacity label track: `start⟶end⟶label`.
    Audacity,
    /// Praat TextGrid.
    TextGrid,
    /// Rich Transcription Time Marked, as NIST's tools and pyannote read it.
    Rttm,
    /// Web Video Text Tracks (W3C), subtitles of a browser.
    WebVtt,
    /// One JSON object a line.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// A table with a head.
    Csv,
}

impl LabelFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Audacity, Self::TextGrid, Self::Rttm, Self::WebVtt, Self::JsonLines, Self::Csv];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audacity => "audacity",
            Self::TextGrid => "textgrid",
            Self::Rttm => "rttm",
            Self::WebVtt => "webvtt",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// How the names of its files end, without the dot; the first is what is written.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Audacity => &["labels.txt", "txt"],
            Self::TextGrid => &["TextGrid"],
            Self::Rttm => &["rttm"],
            Self::WebVtt => &["vtt"],
            Self::JsonLines => &["jsonl", "ndjson"],
            Self::Csv => &["csv"],
        }
    }

    /// The format that the name of `path` tells, and the name without its ending. A table of scores is none.
    pub fn of_path(path: &Path) -> Option<(Self, String)> {
        let name = path.file_name()?.to_str()?;
        let lower = name.to_ascii_lowercase();
        if lower.ends_with(".scores.csv") {
            return None;
        }
        Self::ALL.into_iter().find_map(|format| {
            let ending = format.endings().iter().find(|ending| {
                lower
                    .strip_suffix(&ending.to_ascii_lowercase())
                    .is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
            })?;
            Some((format, name[..name.len() - ending.len() - 1].to_owned()))
        })
    }

    pub(super) fn choices() -> String {
        let endings: Vec<String> = Self::ALL.iter().map(|format| format!(".{}", format.endings()[0])).collect();
        endings.join(", ")
    }

    /// The text of the labels of one recording, which is `duration_s` long.
    pub fn write(self, recording: &str, duration_s: f64, labels: &[Label]) -> String {
        match self {
            Self::Audacity => audacity::write(labels),
            Self::TextGrid => text_grid::write(duration_s, labels),
            Self::Rttm => rttm::write(recording, labels),
            Self::WebVtt => web_vtt::write(labels),
            Self::JsonLines => json_lines::write(recording, labels),
            Self::Csv => csv::write(recording, labels),
        }
    }

    /// Reads what a file of this format holds.
    ///
    /// # Errors
    /// The first line that is not of the format.
    pub fn parse(self, bytes: &[u8]) -> Result<Vec<RecordingLabels>, (usize, LabelsFault)> {
        let text = decode(bytes)?;
        let alone = |labels| vec![RecordingLabels { recording: None, labels }];
        match self {
            Self::Audacity => audacity::parse(&text).map(alone),
            Self::TextGrid => text_grid::parse(&text).map(alone),
            Self::Rttm => rttm::parse(&text),
            Self::WebVtt => web_vtt::parse(&text).map(alone),
            Self::JsonLines => json_lines::parse(&text),
            Self::Csv => csv::parse(&text),
        }
    }
}

impl std::str::FromStr for LabelFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let choices: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("there is no format '{name}'; choose among {}", choices.join(", "))
        })
    }
}

/// UTF-8, or UTF-16 with its mark, as Praat writes it where a text has other letters than English.
fn decode(bytes: &[u8]) -> Result<String, Fault> {
    let not_text = || (1, LabelsFault::NotText);
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| not_text())
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| not_text()),
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| not_text()),
    }
}

/// Reads the labels in `path`, whose name tells the format.
///
/// # Errors
/// When the name tells none, the disk refuses, or a line is not of the format.
pub fn read_labels(path: &Path) -> Result<Vec<RecordingLabels>, LabelsError> {
    let (format, _) = LabelFormat::of_path(path).ok_or_else(|| LabelsError::UnknownFormat { path: path.into() })?;
    let bytes = std::fs::read(path).map_err(|source| LabelsError::Read { path: path.into(), source })?;
    format.parse(&bytes).map_err(|(line, fault)| LabelsError::Content { path: path.into(), line, fault })
}
