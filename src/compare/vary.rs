//! Keys with several values, and every combination of them.

use anyhow::{Result, bail};

/// A key of the configuration and the values that it is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variation {
    /// The dotted key.
    pub key: String,
    /// As written: TOML, or a bare word.
    pub values: Vec<String>,
}

impl Variation {
    /// Parses `KEY=A,B,C`. Commas within brackets, braces and quotes belong to a value.
    ///
    /// # Errors
    /// When there is no key or a value is empty.
    pub fn parse(text: &str) -> Result<Self> {
        let expected = "expected KEY=A,B,C, as in --vary train.network.hidden_size=32,64";
        let Some((key, values)) = text.split_once('=') else { bail!("--vary {text}: {expected}") };
        let variation = Self { key: key.trim().to_owned(), values: split_values(values) };
        if variation.key.is_empty() || variation.values.iter().any(String::is_empty) {
            bail!("--vary {text}: {expected}");
        }
        Ok(variation)
    }
}

/// The parts between the commas that are in no bracket, brace or quotes.
fn split_values(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0usize, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(c);
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// Every choice of one value for each key, the last key changing fastest; one empty choice where there are no keys.
pub fn combinations(variations: &[Variation]) -> Vec<Vec<(&str, &str)>> {
    variations.iter().fold(vec![Vec::new()], |choices, variation| {
        let with = |choice: &Vec<(_, _)>, value| [choice.as_slice(), &[(variation.key.as_str(), value)]].concat();
        choices
            .iter()
            .flat_map(|choice| variation.values.iter().map(move |value| with(choice, value.as_str())))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_key_meets_every_value_of_the_others() {
        let variations = ["a.x=1,2", "b= p, q ,r"].map(|text| Variation::parse(text).unwrap());
        let found = combinations(&variations);
        assert_eq!(found.len(), 6);
        assert_eq!(found[0], [("a.x", "1"), ("b", "p")]);
        assert_eq!(found[5], [("a.x", "2"), ("b", "r")]);
        assert_eq!(combinations(&[]), [vec![]]);
    }

    #[test]
    fn commas_within_lists_tables_and_quotes_are_part_of_a_value() {
        let parse = |text| Variation::parse(text).unwrap().values;
        assert_eq!(parse("k=[1,2],[3, [4,5]]"), ["[1,2]", "[3, [4,5]]"]);
        assert_eq!(parse("k={a=1,b=2},\"x,y\",z"), ["{a=1,b=2}", "\"x,y\"", "z"]);
    }

    #[test]
    fn what_is_no_variation_is_shown_one() {
        for text in ["k", "=1,2", "k=", "k=1,,2"] {
            let message = Variation::parse(text).unwrap_err().to_string();
            assert!(message.contains(text) && message.contains("KEY=A,B,C"), "{message}");
        }
    }
}
