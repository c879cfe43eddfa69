//! WebVTT (W3C): cues `hh:mm:ss.mmm --> hh:mm:ss.mmm` with their text, as browsers and players show beside the sound.

use std::fmt::Write as _;

use super::error::Fault;
use super::{Label, LabelsFault, checked, sort};

const HEAD: &str = "WEBVTT";
const ARROW: &str = "-->";

pub(super) fn write(labels: &[Label]) -> String {
    let mut text = format!("{HEAD}\n");
    for label in labels {
        let start_ms = milliseconds(label.start_s);
        // A cue without length is none.
        let end_ms = milliseconds(label.end_s).max(start_ms + 1);
        let words =
            label.text.replace(['\n', '\r'], " ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        write!(text, "\n{} {ARROW} {}\n{words}\n", clock(start_ms), clock(end_ms)).expect("a string takes all");
    }
    text
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

fn clock(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

pub(super) fn parse(text: &str) -> Result<Vec<Label>, Fault> {
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, head)) if head == HEAD || head.starts_with("WEBVTT ") || head.starts_with("WEBVTT\t") => {}
        found => {
            let found = found.map_or("", |(_, line)| line);
            return Err((1, LabelsFault::unexpected(found, "WEBVTT in the first line")));
        }
    }
    let mut labels = Vec::new();
    while let Some((idx, line)) = lines.next() {
        // What is no cue is a comment, a style, or a cue's name.
        let Some((start, rest)) = line.split_once(ARROW) else { continue };
        let at = |fault| (idx + 1, fault);
        let end = rest.split_whitespace().next().unwrap_or_default();
        let (start_s, end_s) = (seconds(start.trim()).map_err(at)?, seconds(end).map_err(at)?);
        let mut words = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| !line.trim().is_empty()) {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(line.trim());
        }
        labels.push(checked(start_s, end_s, plain(&words), None).map_err(at)?);
    }
    sort(&mut labels);
    Ok(labels)
}

/// `hh:mm:ss.mmm`, the hours may be missing.
fn seconds(field: &str) -> Result<f64, LabelsFault> {
    let bad = || LabelsFault::unexpected(field, "a time as hh:mm:ss.mmm");
    let parts: Vec<&str> = field.split(':').collect();
    let (hours, minutes, rest) = match parts.as_slice() {
        [hours, minutes, rest] => (*hours, *minutes, *rest),
        [minutes, rest] => ("0", *minutes, *rest),
        _ => return Err(bad()),
    };
    let (whole, part) = rest.split_once('.').ok_or_else(bad)?;
    let number = |digits: &str| -> Result<u64, LabelsFault> {
        let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        if is_number { digits.parse().map_err(|_| bad()) } else { Err(bad()) }
    };
    if part.len() != 3 {
        return Err(bad());
    }
    let s = number(hours)? * 3600 + number(minutes)? * 60 + number(whole)?;
    Ok((s * 1000 + number(part)?) as f64 / 1000.0)
}

/// Without tags, and with the characters that stand behind their names.
fn plain(words: &str) -> String {
    let mut text = String::new();
    let mut rest = words;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        rest = rest[open..].find('>').map_or("", |close| &rest[open + close + 1..]);
    }
    text.push_str(rest);
    // The ampersand last: what it gives is no name of another.
    [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (name, character)| text.replace(name, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_players_and_people_write_is_read() {
        let text = "WEBVTT - made by hand\n\nNOTE a comment\n\nSTYLE\n::cue { color: red }\n\nfirst\n\
                    00:01.500 --> 01:00:02.000 align:start\n<v Ann>view</v>\n<i>glass</i> &amp;lt;\n";
        let labels = parse(text).unwrap();
        assert_eq!(labels, [Label { start_s: 1.5, end_s: 3602.0, text: "view glass &lt;".into(), score: None }]);
    }

    #[test]
    fn what_is_none_is_named() {
        assert_eq!(parse("1\n00:00:01,000 --> 00:00:02,000\nx").unwrap_err().0, 1);
        assert_eq!(parse("WEBVTT\n\n00:01 --> 00:02.000\nx").unwrap_err().0, 3);
        assert_eq!(parse("WEBVTT\n\n00:03.000 --> 00:02.000\nx").unwrap_err().0, 3);
    }

    #[test]
    fn a_cue_has_length_and_no_markup() {
        let label = Label { start_s: 3661.5, end_s: 3661.5, text: "a<b>&\nc".into(), score: None };
        assert_eq!(write(&[label]), "WEBVTT\n\n01:01:01.500 --> 01:01:01.501\na&lt;b&gt;&amp; c\n");
    }
}
