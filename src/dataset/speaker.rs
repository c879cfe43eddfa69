//! Who speaks, as far as names of folders and files tell.

use crate::names::same_word;

/// The speaker in a file-name stem: what precedes Speech Commands' `_nohash_`, or the stem without its trailing counter
/// (`anna-03` → `anna`). A stem without a counter says nothing, nor does one that is only the word's own name.
pub(super) fn speaker_in_stem(stem: &str, word: &str) -> Option<String> {
    if let Some((speaker, _)) = stem.split_once("_nohash_") {
        return Some(speaker.to_owned());
    }
    const SEPARATORS: [char; 6] = ['-', '_', '.', ' ', '(', ')'];
    let base = stem.trim_end_matches(SEPARATORS).trim_end_matches(|c: char| c.is_ascii_digit());
    let n_digits = stem.trim_end_matches(SEPARATORS).len() - base.len();
    let is_separated = base.ends_with(SEPARATORS) || base.chars().all(char::is_alphabetic);
    let name = base.trim_end_matches(SEPARATORS);
    let is_name = (1..=5).contains(&n_digits) && is_separated && !name.is_empty() && !same_word(name, word);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailing_counter_is_not_part_of_the_speaker() {
        let speaker = |stem| speaker_in_stem(stem, "view_glass");
        assert_eq!(speaker("anna-03").as_deref(), Some("anna"));
        assert_eq!(speaker("anna12").as_deref(), Some("anna"));
        assert_eq!(speaker("anna (2)").as_deref(), Some("anna"));
        assert_eq!(speaker("0a7c2a8d_nohash_1").as_deref(), Some("0a7c2a8d"));
    }

    #[test]
    fn counters_words_and_random_ids_are_no_speakers() {
        for stem in ["007", "View Glass 12", "recording", "98bf9fef-e9d5-4e86-994e-1b7aee2f1417"] {
            assert_eq!(speaker_in_stem(stem, "view_glass"), None, "{stem}");
        }
    }
}
