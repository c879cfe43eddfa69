//! Audacity label tracks: `start⟶end⟶label`, tabs between, seconds with six decimals.
//!
//! A line that begins with a backslash has the frequencies of a spectral selection and belongs to the label above. The score stands
//! after the word; a reader takes it for one if it has a point and two decimals.

use super::error::Fault;
use super::{Label, LabelsFault, checked, sort};

/// The line of one label, with its end.
pub(super) fn line(label: &Label) -> String {
    // A tab or line break inside a word would read as another field.
    let text = label.text.replace(['\t', '\n', '\r'], " ");
    let score = label.score.map_or_else(String::new, |score| format!(" {score:.2}"));
    format!("{:.6}\t{:.6}\t{text}{score}\n", label.start_s, label.end_s)
}

pub(super) fn write(labels: &[Label]) -> String {
    labels.iter().map(line).collect()
}

pub(super) fn parse(text: &str) -> Result<Vec<Label>, Fault> {
    let mut labels = Vec::new();
    for (idx, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('\\') {
            continue;
        }
        let at = |fault| (idx + 1, fault);
        let mut fields = line.splitn(3, '\t');
        let (Some(start), Some(end)) = (fields.next(), fields.next()) else {
            return Err(at(LabelsFault::unexpected(line, "start, end and label with tabs between")));
        };
        let text = fields.next().unwrap_or_default().trim();
        let (text, score) = split_score(text);
        let label = checked(seconds(start).map_err(at)?, seconds(end).map_err(at)?, text.to_owned(), score);
        labels.push(label.map_err(at)?);
    }
    sort(&mut labels);
    Ok(labels)
}

/// Some countries' Audacity writes a comma for the point.
fn seconds(field: &str) -> Result<f64, LabelsFault> {
    let plain = field.trim().replace(',', ".");
    plain.parse().map_err(|_| LabelsFault::unexpected(field, "a time in seconds"))
}

fn split_score(text: &str) -> (&str, Option<f32>) {
    let split = text.rsplit_once(' ').filter(|(_, last)| {
        let digits = last.as_bytes();
        matches!(digits, [b'0'..=b'1', b'.', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
    });
    match split.and_then(|(word, last)| Some((word, last.parse::<f32>().ok().filter(|score| *score <= 1.0)?))) {
        Some((word, score)) => (word.trim_end(), Some(score)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_edits_is_read() {
        let edited =
            "0.500000\t1.250000\tview glass 0.93\r\n\\\t100.0\t2000.0\r\n\r\n2,5\t2,5\t\r\n0.1\t0.2\tversion 2\n";
        let labels = parse(edited).unwrap();
        let plain: Vec<_> = labels.iter().map(|l| (l.start_s, l.end_s, l.text.as_str(), l.score)).collect();
        let expected = [(0.1, 0.2, "version 2", None), (0.5, 1.25, "view glass", Some(0.93)), (2.5, 2.5, "", None)];
        assert_eq!(plain, expected);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (text, line) in
            [("1\t2\tx\nword", 2), ("1\tlater\tx", 1), ("\n\n3\t2\tx", 3), ("-1\t2\tx", 1), ("nan\t2\tx", 1)]
        {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
