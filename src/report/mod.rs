//! A track as one HTML page that needs neither a server nor a network: to look at, to listen to, to try thresholds on.
//!
//! `samples, feature blocks, scores → ReportBuilder (picture, sweep of thresholds, sound of what was found) → page`
//!
//! The page decides nothing by itself: what is found at a threshold was found by the same triggers while the track was heard.

mod archive;
mod builder;
mod data;
mod sound;
mod sweep;

pub use archive::{ARCHIVE_GENERATOR, ArchivePage, ArchiveTrack};
pub use builder::{ReportBuilder, ReportedTrack};
pub use sweep::{Found, Sweep};

use std::path::Path;

/// A page from its template, in which `{{name}}` stands for a part. Parts are taken as they are.
fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(parts.iter().find(|(part, _)| *part == name).map_or("", |(_, text)| text));
        rest = after;
    }
    page + rest
}

/// The address of a file as seen from a page in `folder`: relative, so that both can be moved together.
pub fn link(folder: &Path, file: &Path) -> String {
    let here = |path: &Path| if path.as_os_str().is_empty() { ".".into() } else { path.to_owned() };
    let whole = |path: &Path| std::path::absolute(here(path)).unwrap_or_else(|_| path.to_owned());
    let (folder, file) = (whole(folder), whole(file));
    // Another drive has no way between.
    let path = pathdiff::diff_paths(&file, &folder).unwrap_or(file);
    let parts: Vec<String> = path
        .components()
        .filter(|part| *part != std::path::Component::CurDir)
        .map(|part| percent_encoded(&part.as_os_str().to_string_lossy()))
        .collect();
    let link = parts.join("/");
    // A first part with a colon would be a scheme.
    if path.is_absolute() { format!("file://{}", link.trim_start_matches("%2F")) } else { format!("./{link}") }
}

/// Bytes that may stand in a part of an address, others as `%` and two digits (RFC 3986).
fn percent_encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_looks_like_a_place_is_left_as_it_is() {
        assert_eq!(filled("<{{a}}-{{b}}>", &[("a", "{{b}}"), ("b", "1")]), "<{{b}}-1>");
    }

    #[test]
    fn links_lead_from_the_page_to_the_file() {
        let link = |folder: &str, file: &str| super::link(Path::new(folder), Path::new(file));
        assert_eq!(link("/a/b", "/a/b/c d#1?.wav"), "./c%20d%231%3F.wav");
        assert_eq!(link("/out", "/a/ü.wav"), "./../a/%C3%BC.wav");
        assert_eq!(link("out/x", "talk.wav"), "./../../talk.wav");
        assert_eq!(link("", "a:b.wav"), "./a%3Ab.wav");
    }
}
