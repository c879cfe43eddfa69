//! When two spellings mean the same word.

/// Whether two names differ only in capitals, spaces, hyphens and underscores: "View Glass" and `view_glass` are one word.
pub fn same_word(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

fn plain(name: &str) -> String {
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
}
