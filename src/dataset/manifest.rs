//! `manifest.tsv`: who speaks in a file and where the word lies in it, for collections that know.
//!
//! Tab-separated with a heading; the columns `path` (relative to the manifest's own folder), `speaker`, `source`,
//! `license`, `speech_start_s` and `speech_end_s` are used, any others are not. Empty cells mean unknown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::DatasetError;

/// What a manifest says of one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ManifestRow {
    pub(super) speaker: Option<String>,
    pub(super) source: Option<String>,
    pub(super) license: Option<String>,
    pub(super) span_s: Option<(f64, f64)>,
}

/// The rows of a manifest by the full path of their file.
#[derive(Debug, Default)]
pub(super) struct RecordingTable {
    rows: HashMap<PathBuf, ManifestRow>,
}

impl RecordingTable {
    /// The nearest `manifest.tsv` in `root` or up to two folders above it that has a column `path`; empty if there is none.
    pub(super) fn find(root: &Path) -> Result<Self, DatasetError> {
        let io = |path: &Path, source| DatasetError::Io { path: path.into(), source };
        let absolute = std::fs::canonicalize(root).map_err(|source| io(root, source))?;
        for folder in absolute.ancestors().take(3) {
            let path = folder.join("manifest.tsv");
            if !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|source| io(&path, source))?;
            if let Some(manifest) = Self::parse(&text, &path)? {
                return Ok(manifest);
            }
        }
        Ok(Self::default())
    }

    /// Takes the rows of another table, too.
    pub(super) fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }

    /// What is known of `path`, which must be absolute.
    pub(super) fn row(&self, path: &Path) -> Option<&ManifestRow> {
        self.rows.get(path)
    }

    /// `None` for a table of another kind.
    fn parse(text: &str, path: &Path) -> Result<Option<Self>, DatasetError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').map(str::trim).collect();
        let column = |name: &str| columns.iter().position(|&found| found == name);
        let Some(path_column) = column("path") else { return Ok(None) };
        let (source, license) = (column("source"), column("license").or_else(|| column("licence")));
        let (speaker, start, end) = (column("speaker"), column("speech_start_s"), column("speech_end_s"));

        let mut rows = HashMap::new();
        for (line_idx, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let complain = |problem: String| DatasetError::Manifest { path: path.into(), line: line_idx + 2, problem };
            let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
            let cell =
                |column: Option<usize>| column.and_then(|i| cells.get(i)).copied().filter(|cell| !cell.is_empty());
            let seconds = |column: Option<usize>| {
                cell(column)
                    .map(|text| match text.parse::<f64>() {
                        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
                        _ => Err(complain(format!("\"{text}\" is no time; expected seconds such as 1.250"))),
                    })
                    .transpose()
            };
            let span_s = match (seconds(start)?, seconds(end)?) {
                (Some(start_s), Some(end_s)) if end_s <= start_s => {
                    return Err(complain(format!("the word ends at {end_s} s, before it begins at {start_s} s")));
                }
                (Some(start_s), Some(end_s)) => Some((start_s, end_s)),
                _ => None,
            };
            let file = cell(Some(path_column)).ok_or_else(|| complain("no path".into()))?;
            let text = |column| cell(column).map(str::to_owned);
            let row = ManifestRow { speaker: text(speaker), source: text(source), license: text(license), span_s };
            rows.insert(folder.join(file), row);
        }
        Ok(Some(Self { rows }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_empty_cells_are_unknown() {
        let text = "word\tpath\tspeech_end_s\tspeech_start_s\tspeaker\nx\ta/b.wav\t1.5\t1.0\tanna\n\ty.wav\t\t\t\n";
        let manifest = RecordingTable::parse(text, Path::new("/data/manifest.tsv")).unwrap().unwrap();
        let row = manifest.row(Path::new("/data/a/b.wav")).unwrap();
        assert_eq!(
            row,
            &ManifestRow { speaker: Some("anna".into()), span_s: Some((1.0, 1.5)), ..ManifestRow::default() }
        );
        assert_eq!(manifest.row(Path::new("/data/y.wav")), Some(&ManifestRow::default()));
    }

    #[test]
    fn a_bad_time_is_named_with_its_line() {
        let text = "path\tspeech_start_s\tspeech_end_s\na.wav\t0\t1\nb.wav\tsoon\t1\n";
        let message = RecordingTable::parse(text, Path::new("m.tsv")).unwrap_err().to_string();
        assert!(message.contains("line 3") && message.contains("\"soon\""), "{message}");
    }

    #[test]
    fn a_table_of_another_kind_is_left_alone() {
        assert!(RecordingTable::parse("client_id\tsentence\n", Path::new("m.tsv")).unwrap().is_none());
    }
}
