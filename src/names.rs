//! When two spellings mean the same word, and which name may have been meant.

/// Whether two names differ only in capitals, spaces, hyphens and underscores: "View Glass" and `view_glass` are one word.
pub fn same_word(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

/// The end of a message about a name that does not exist: the one of `choices` that may have been meant, if any is like it.
pub fn did_you_mean<'a>(asked: &str, choices: impl IntoIterator<Item = &'a str>) -> String {
    /// Less alike, by Jaro and Winkler's measure, are other names, not slips.
    const LEAST_LIKENESS: f64 = 0.75;
    let likeness = |choice: &str| strsim::jaro_winkler(&plain(asked), &plain(choice));
    let nearest = choices.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|choice| likeness(choice) >= LEAST_LIKENESS) {
        Some(choice) => format!("; did you mean '{choice}'?"),
        None => String::new(),
    }
}

/// What two spellings of the same word have in common.
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_spaces_hyphens_and_underscores_do_not_count() {
        assert!(same_word("View Glass", "view_glass") && same_word("hey-you", "HeyYou"));
        assert!(!same_word("view glass", "view glasses"));
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant_and_nonsense_is_not() {
        let words = ["alexa", "jarvis", "view_glass"];
        assert_eq!(did_you_mean("Jervis", words), "; did you mean 'jarvis'?");
        assert_eq!(did_you_mean("viewglas", words), "; did you mean 'view_glass'?");
        assert_eq!(did_you_mean("okonomiyaki", words), "");
        assert_eq!(did_you_mean("jarvis", []), "");
    }
}
