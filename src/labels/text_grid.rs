//! Praat TextGrid, long text form. Each word has an interval tier of its own, since intervals of a tier tile the recording; a tier of
//! points marks where words end. Read are both text forms, and of the tiers those of intervals; where there are none, the points.

use std::fmt::Write as _;

use super::error::Fault;
use super::text_grid_tokens::Tokens;
use super::{Label, LabelsFault, checked, sort};

/// Nothing that people label has more; a file that promises more is damaged.
const TIERS_MOST: f64 = 10_000.0;

pub(super) fn write(duration_s: f64, labels: &[Label]) -> String {
    let end_s = labels.iter().fold(duration_s, |end, label| end.max(label.end_s));
    let tiers = interval_tiers(labels);
    let n_tiers = tiers.len() + 1;
    let mut text = format!(
        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = {end_s:.6}\ntiers? <exists>\n\
         size = {n_tiers}\nitem []:\n"
    );
    let head = |text: &mut String, n: usize, class: &str, name: &str| {
        write!(
            text,
            "    item [{n}]:\n        class = \"{class}\"\n        name = {}\n        xmin = 0\n        xmax = {end_s:.6}\n",
            quoted(name)
        )
        .expect("a string takes all");
    };
    for (idx, tier) in tiers.iter().enumerate() {
        head(&mut text, idx + 1, "IntervalTier", tier[0].text.trim());
        let intervals = tiled(tier, end_s);
        writeln!(text, "        intervals: size = {}", intervals.len()).expect("a string takes all");
        for (n, (start_s, end_s, words)) in intervals.iter().enumerate() {
            write!(
                text,
                "        intervals [{}]:\n            xmin = {start_s:.6}\n            xmax = {end_s:.6}\n            text = {}\n",
                n + 1,
                quoted(words)
            )
            .expect("a string takes all");
        }
    }
    head(&mut text, n_tiers, "TextTier", "ends");
    writeln!(text, "        points: size = {}", labels.len()).expect("a string takes all");
    let mut ends: Vec<&Label> = labels.iter().collect();
    ends.sort_by(|a, b| a.end_s.total_cmp(&b.end_s));
    for (n, label) in ends.iter().enumerate() {
        let score = label.score.map_or_else(String::new, |score| format!(" {score:.2}"));
        let mark = quoted(&format!("{}{score}", label.text));
        write!(
            text,
            "        points [{}]:\n            number = {:.6}\n            mark = {mark}\n",
            n + 1,
            label.end_s
        )
        .expect("a string takes all");
    }
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Labels of one word that do not overlap, tier by tier. What has no length is a point only.
fn interval_tiers(labels: &[Label]) -> Vec<Vec<&Label>> {
    let mut tiers: Vec<Vec<&Label>> = Vec::new();
    for label in labels.iter().filter(|label| label.end_s > label.start_s) {
        let fits = |tier: &&mut Vec<&Label>| {
            let last = tier[tier.len() - 1];
            last.text == label.text && last.end_s <= label.start_s
        };
        match tiers.iter_mut().find(fits) {
            Some(tier) => tier.push(label),
            None => tiers.push(vec![label]),
        }
    }
    tiers
}

/// The whole recording: labels, and between them intervals without text.
fn tiled<'a>(tier: &[&'a Label], end_s: f64) -> Vec<(f64, f64, &'a str)> {
    let mut intervals = Vec::with_capacity(2 * tier.len() + 1);
    let mut at = 0.0;
    for label in tier {
        if label.start_s > at {
            intervals.push((at, label.start_s, ""));
        }
        intervals.push((label.start_s, label.end_s, label.text.as_str()));
        at = label.end_s;
    }
    if end_s > at {
        intervals.push((at, end_s, ""));
    }
    intervals
}

pub(super) fn parse(text: &str) -> Result<Vec<Label>, Fault> {
    let mut tokens = Tokens::new(text);
    for expected in ["ooTextFile", "TextGrid"] {
        let found = tokens.quoted("a Praat text file of the class TextGrid")?;
        // Praat itself takes both names of the file's kind.
        if found != expected && found != format!("{expected} short") {
            return Err((tokens.line(), LabelsFault::unexpected(&found, "a Praat text file of the class TextGrid")));
        }
    }
    tokens.number("the time where the recording begins")?;
    tokens.number("the time where the recording ends")?;
    if tokens.flag("<exists> or <absent>")? != "exists" {
        return Ok(Vec::new());
    }
    let n_tiers = count(&mut tokens, "the number of tiers")?;
    if n_tiers as f64 > TIERS_MOST {
        return Err((tokens.line(), LabelsFault::unexpected(&n_tiers.to_string(), "at most 10000 tiers")));
    }
    let (mut intervals, mut points) = (Vec::new(), Vec::new());
    for _ in 0..n_tiers {
        let class = tokens.quoted("the class of a tier")?;
        tokens.quoted("the name of a tier")?;
        tokens.number("the time where a tier begins")?;
        tokens.number("the time where a tier ends")?;
        let n_items = count(&mut tokens, "the number of intervals or points")?;
        for _ in 0..n_items {
            let start_s = tokens.number("a time in seconds")?;
            let end_s = match class.as_str() {
                "IntervalTier" => tokens.number("a time in seconds")?,
                "TextTier" => start_s,
                _ => return Err((tokens.line(), LabelsFault::unexpected(&class, "IntervalTier or TextTier"))),
            };
            let words = tokens.quoted("the text of an interval or point")?;
            let label =
                checked(start_s, end_s, words.trim().to_owned(), None).map_err(|fault| (tokens.line(), fault))?;
            let tier = if class == "IntervalTier" { &mut intervals } else { &mut points };
            if !label.text.is_empty() {
                tier.push(label);
            }
        }
    }
    let mut labels = if intervals.is_empty() { points } else { intervals };
    sort(&mut labels);
    Ok(labels)
}

fn count(tokens: &mut Tokens, expected: &'static str) -> Result<u64, Fault> {
    let found = tokens.number(expected)?;
    if found >= 0.0 && found.fract() == 0.0 && found < 1e15 {
        return Ok(found as u64);
    }
    Err((tokens.line(), LabelsFault::unexpected(&found.to_string(), expected)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(start_s: f64, end_s: f64, text: &str) -> Label {
        Label { start_s, end_s, text: text.into(), score: None }
    }

    #[test]
    fn intervals_tile_the_recording_and_a_word_twice_at_once_has_two_tiers() {
        let labels = [label(0.5, 1.0, "a"), label(0.75, 1.5, "a"), label(1.0, 1.25, "b"), label(1.0, 2.0, "a")];
        let text = write(3.0, &labels);
        assert_eq!(text.matches("IntervalTier").count(), 3);
        let mut read = parse(&text).unwrap();
        sort(&mut read);
        let mut expected = labels.to_vec();
        sort(&mut expected);
        assert_eq!(read, expected);
        for words in ["xmin = 0.000000\n            xmax = 0.500000", "xmin = 2.000000\n            xmax = 3.000000"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn the_short_form_and_points_alone_are_read() {
        let short = "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0\n2.5\n<exists>\n1\n\"IntervalTier\"\n\"w\"\n0\n2.5\n2\n0\n1.5\n\"\"\n1.5\n2.5\n\"say \"\"hey\"\"\"\n";
        assert_eq!(parse(short).unwrap(), [label(1.5, 2.5, "say \"hey\"")]);
        let points = "\"ooTextFile\" \"TextGrid\" 0 2 <exists> 1 \"TextTier\" \"p\" 0 2 1 0.5 \"hey\"";
        assert_eq!(parse(points).unwrap(), [label(0.5, 0.5, "hey")]);
        assert!(parse("\"ooTextFile\" \"TextGrid\" 0 2 <absent>").unwrap().is_empty());
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let cases = [
            ("\"ooTextFile\"\n\"Sound\" 0 2", 2),
            ("\"ooTextFile\" \"TextGrid\" 0 2 <exists>\n\n-1", 3),
            ("\"ooTextFile\" \"TextGrid\" 0 2 <exists> 1e9", 1),
            ("\"ooTextFile\" \"TextGrid\" 0 2 <exists> 1 \"TextTier\" \"p\" 0 2 99999999999 0.5 \"hey\"\n", 2),
        ];
        for (text, line) in cases {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
