//! Two sets of labels of the same recordings, event by event.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Label;
use crate::names::same_word;

/// When two labels mean the same event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiffOptions {
    /// Labels that do not overlap are one event if their ends are at most so far apart, in seconds.
    pub tolerance_s: f64,
}

/// A label of the reference and the one that was found for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The recording.
    pub recording: String,
    /// Start of the reference, in seconds.
    pub start_s: f64,
    /// End of the reference, in seconds.
    pub end_s: f64,
    /// How much later the found label starts, in seconds.
    pub start_offset_s: f64,
    /// How much later it ends.
    pub end_offset_s: f64,
}

/// A label without its like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Single {
    /// The recording.
    pub recording: String,
    /// In seconds.
    pub start_s: f64,
    /// In seconds.
    pub end_s: f64,
    /// The other word that the other set has there, if it has one.
    pub instead: Option<String>,
}

/// What became of one word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordDiff {
    /// As it is first written.
    pub word: String,
    /// Labels of both sets.
    pub hits: Vec<Pair>,
    /// Labels of the reference alone.
    pub misses: Vec<Single>,
    /// Found labels alone.
    pub false_accepts: Vec<Single>,
}

impl WordDiff {
    /// Hits among what was found; none if nothing was.
    pub fn precision(&self) -> Option<f64> {
        share(self.hits.len(), self.hits.len() + self.false_accepts.len())
    }

    /// Hits among the reference; none if that is empty.
    pub fn recall(&self) -> Option<f64> {
        share(self.hits.len(), self.hits.len() + self.misses.len())
    }

    /// Median and 95 % quantile of how far the ends are apart, in seconds; none without hits.
    pub fn end_offsets_s(&self) -> Option<[f64; 2]> {
        let mut apart: Vec<f64> = self.hits.iter().map(|pair| pair.end_offset_s.abs()).collect();
        apart.sort_unstable_by(f64::total_cmp);
        let quantile =
            |share: f64| apart.get(((apart.len() as f64 * share) as usize).min(apart.len().saturating_sub(1)));
        Some([*quantile(0.5)?, *quantile(0.95)?])
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// All words, in the order of their names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelDiff {
    /// Each word of either set.
    pub words: Vec<WordDiff>,
}

impl LabelDiff {
    /// All words taken together.
    pub fn total(&self) -> WordDiff {
        let mut total =
            WordDiff { word: "all".into(), hits: Vec::new(), misses: Vec::new(), false_accepts: Vec::new() };
        for word in &self.words {
            total.hits.extend(word.hits.iter().cloned());
            total.misses.extend(word.misses.iter().cloned());
            total.false_accepts.extend(word.false_accepts.iter().cloned());
        }
        total
    }

    /// Whether both sets have the same events.
    pub fn is_same(&self) -> bool {
        self.words.iter().all(|word| word.misses.is_empty() && word.false_accepts.is_empty())
    }
}

/// Compares labels by recording. Each label is paired with at most one of the same word: first those whose ends are nearest.
pub fn diff_labels(
    reference: &BTreeMap<String, Vec<Label>>,
    found: &BTreeMap<String, Vec<Label>>,
    options: DiffOptions,
) -> LabelDiff {
    let mut words: BTreeMap<String, WordDiff> = BTreeMap::new();
    let recordings: std::collections::BTreeSet<&String> = reference.keys().chain(found.keys()).collect();
    let none = Vec::new();
    for recording in recordings {
        let (a, b) = (reference.get(recording).unwrap_or(&none), found.get(recording).unwrap_or(&none));
        let pairs = pair(a, b, options);
        for (i, label) in a.iter().enumerate() {
            let word = of_word(&mut words, label);
            match pairs.iter().find(|(of_a, _)| *of_a == i) {
                Some((_, j)) => word.hits.push(Pair {
                    recording: recording.clone(),
                    start_s: label.start_s,
                    end_s: label.end_s,
                    start_offset_s: b[*j].start_s - label.start_s,
                    end_offset_s: b[*j].end_s - label.end_s,
                }),
                None => word.misses.push(single(recording, label, b)),
            }
        }
        for (j, label) in b.iter().enumerate() {
            if !pairs.iter().any(|(_, of_b)| *of_b == j) {
                of_word(&mut words, label).false_accepts.push(single(recording, label, a));
            }
        }
    }
    LabelDiff { words: words.into_values().collect() }
}

/// The entry of the label's word.
fn of_word<'w>(words: &'w mut BTreeMap<String, WordDiff>, label: &Label) -> &'w mut WordDiff {
    let known = words.keys().find(|known| same_word(known, &label.text)).cloned();
    let word = known.unwrap_or_else(|| label.text.clone());
    let empty = WordDiff { word: word.clone(), hits: Vec::new(), misses: Vec::new(), false_accepts: Vec::new() };
    words.entry(word).or_insert(empty)
}

fn single(recording: &str, label: &Label, others: &[Label]) -> Single {
    let instead = others.iter().find(|other| other.overlaps(label) && !same_word(&other.text, &label.text));
    Single {
        recording: recording.to_owned(),
        start_s: label.start_s,
        end_s: label.end_s,
        instead: instead.map(|other| other.text.clone()),
    }
}

/// Places in `a` and `b` of labels that mean the same event.
fn pair(a: &[Label], b: &[Label], DiffOptions { tolerance_s }: DiffOptions) -> Vec<(usize, usize)> {
    let mut near: Vec<(f64, usize, usize)> = Vec::new();
    // Both are in the order of their starts: what starts after everything near has ended need not be looked at.
    for (i, label) in a.iter().enumerate() {
        let reach = label.end_s + tolerance_s;
        for (j, other) in b.iter().enumerate().take_while(|(_, other)| other.start_s <= reach) {
            let apart = (other.end_s - label.end_s).abs();
            if (apart <= tolerance_s || label.overlaps(other)) && same_word(&label.text, &other.text) {
                near.push((apart, i, j));
            }
        }
    }
    near.sort_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    let (mut is_a_taken, mut is_b_taken) = (vec![false; a.len()], vec![false; b.len()]);
    let mut pairs = Vec::new();
    for (_, i, j) in near {
        if !is_a_taken[i] && !is_b_taken[j] {
            (is_a_taken[i], is_b_taken[j]) = (true, true);
            pairs.push((i, j));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(start_s: f64, end_s: f64, text: &str) -> Label {
        Label { start_s, end_s, text: text.into(), score: None }
    }

    fn diff(a: &[Label], b: &[Label]) -> LabelDiff {
        let set = |labels: &[Label]| BTreeMap::from([("r".to_owned(), labels.to_vec())]);
        diff_labels(&set(a), &set(b), DiffOptions { tolerance_s: 0.2 })
    }

    #[test]
    fn hits_misses_and_false_accepts_are_told_apart() {
        let reference = [label(1.0, 1.5, "hey"), label(5.0, 5.5, "hey"), label(7.0, 8.0, "view glass")];
        let found = [label(1.1, 1.75, "Hey"), label(5.6, 6.5, "hey"), label(7.2, 7.9, "hey")];
        let diff = diff(&reference, &found);
        let counts: Vec<_> =
            diff.words.iter().map(|word| (word.hits.len(), word.misses.len(), word.false_accepts.len())).collect();
        assert_eq!(counts, [(1, 1, 2), (0, 1, 0)]);
        let hey = &diff.words[0];
        assert_eq!((hey.hits[0].end_offset_s, hey.precision(), hey.recall()), (0.25, Some(1.0 / 3.0), Some(0.5)));
        assert_eq!(hey.false_accepts[1].instead.as_deref(), Some("view glass"));
        assert_eq!(diff.words[1].precision(), None);
        assert!(!diff.is_same() && diff_of_itself(&reference).is_same());
    }

    fn diff_of_itself(labels: &[Label]) -> LabelDiff {
        diff(labels, labels)
    }

    #[test]
    fn the_nearest_of_two_is_the_pair_and_none_is_paired_twice() {
        let diff = diff(&[label(1.0, 2.0, "x")], &[label(0.5, 1.5, "x"), label(1.0, 1.9, "x")]);
        assert_eq!((diff.words[0].hits.len(), diff.words[0].false_accepts.len()), (1, 1));
        assert!((diff.words[0].hits[0].end_offset_s + 0.1).abs() < 1e-9);
    }
}
