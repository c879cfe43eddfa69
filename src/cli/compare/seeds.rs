//! Seeds as they are given: how many, or which.

/// At least one, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Vec<u64>);

/// `N` means 1 to N; with a comma, the seeds themselves.
pub(super) fn parse(text: &str) -> Result<Seeds, String> {
    let wrong = || "expected how many, as 3, or which, as 1,2,5".to_owned();
    // Configurations keep them in 32 bits.
    let number = |text: &str| text.trim().parse::<u32>().map(u64::from).map_err(|_| wrong());
    if !text.contains(',') {
        let n = number(text)?;
        return if (1..=1000).contains(&n) {
            Ok(Seeds((1..=n).collect()))
        } else {
            Err("expected 1 to 1000 seeds".into())
        };
    }
    let mut seeds: Vec<u64> = Vec::new();
    for part in text.trim_end_matches(',').split(',') {
        let seed = number(part)?;
        if seeds.contains(&seed) {
            return Err(format!("the seed {seed} is there twice"));
        }
        seeds.push(seed);
    }
    Ok(Seeds(seeds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_how_many_and_a_list_is_which() {
        assert_eq!(parse("3"), Ok(Seeds(vec![1, 2, 3])));
        assert_eq!(parse("1, 2,5"), Ok(Seeds(vec![1, 2, 5])));
        assert_eq!(parse("7,"), Ok(Seeds(vec![7])));
        for text in ["0", "x", "", ",", "1,1", "1,x", "-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
