//! What the texts of labels mean: a word to learn, something else, or nothing that is known.

use std::collections::BTreeMap;

use super::{LabelledError, LabelledRecordings};
use crate::names::{did_you_mean, plain};

/// A text that is there so often at most may be a slip of the keyboard.
const SLIP_MOST: usize = 2;

/// What a label's text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A word, by its place in [`Vocabulary::words`].
    Word(usize),
    /// Something that is none of the words.
    Other,
    /// It may be a word or not: neither is learned from it.
    Unclear,
}

/// One text in all its spellings.
struct Text {
    /// As it is spelled first.
    spelling: String,
    n_labels: usize,
    /// Where it is first.
    place: String,
}

/// The words, and what every other text means.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    words: Vec<String>,
    meanings: BTreeMap<String, Meaning>,
    /// What is unusual about the texts, in a sentence each.
    pub notes: Vec<String>,
}

impl Vocabulary {
    /// The words are those that were `asked` for; without such all `known` elsewhere and all texts of `n_needed` labels and more.
    ///
    /// # Errors
    /// When there is no word, one is not labelled, or not often enough.
    pub fn new(
        recordings: &LabelledRecordings,
        asked: &[String],
        known: &[String],
        n_needed: usize,
    ) -> Result<Self, LabelledError> {
        let (texts, n_empty) = texts(recordings);
        let listed = || texts.values().map(|text| format!("\"{}\" ({})", text.spelling, text.n_labels)).collect();
        let mut words = known.to_vec();
        for word in asked.iter().filter(|word| !known.iter().any(|other| plain(other) == plain(word))) {
            match texts.get(&plain(word)) {
                Some(Text { n_labels, .. }) if *n_labels < n_needed => {
                    return Err(LabelledError::TooFewLabels { word: word.clone(), found: *n_labels, needed: n_needed });
                }
                Some(_) => words.push(word.clone()),
                None => {
                    let hint = did_you_mean(word, texts.values().map(|text| text.spelling.as_str()));
                    return Err(LabelledError::UnknownWord { word: word.clone(), found: listed(), hint });
                }
            }
        }
        if asked.is_empty() {
            let is_word = |(key, text): &(&String, &Text)| {
                text.n_labels >= n_needed && !known.iter().any(|other| plain(other) == **key)
            };
            words.extend(texts.iter().filter(is_word).map(|(_, text)| text.spelling.clone()));
        }
        if words.is_empty() {
            return Err(LabelledError::NoWords { needed: n_needed, found: listed() });
        }
        let mut vocabulary = Self { words, meanings: BTreeMap::new(), notes: Vec::new() };
        vocabulary.note_empty(n_empty);
        let is_open = asked.is_empty();
        let mut unclear = Vec::new();
        for (key, text) in &texts {
            let meaning = vocabulary.meaning_of(key, text, is_open);
            if meaning == Meaning::Unclear {
                unclear.push(text);
            }
            vocabulary.meanings.insert(key.clone(), meaning);
        }
        vocabulary.note_unclear(&unclear, is_open);
        Ok(vocabulary)
    }

    /// The words, in the order that they are counted in.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn meaning(&self, text: &str) -> Meaning {
        self.meanings.get(&plain(text.trim())).copied().unwrap_or(Meaning::Unclear)
    }

    fn meaning_of(&self, key: &str, text: &Text, is_open: bool) -> Meaning {
        let is_like_a_word = || !did_you_mean(&text.spelling, self.words.iter().map(String::as_str)).is_empty();
        match self.words.iter().position(|word| plain(word) == key) {
            Some(word_idx) => Meaning::Word(word_idx),
            None if is_open => Meaning::Unclear,
            None if text.n_labels <= SLIP_MOST && is_like_a_word() => Meaning::Unclear,
            None => Meaning::Other,
        }
    }

    fn note_empty(&mut self, n_empty: usize) {
        if n_empty > 0 {
            self.notes.push(format!("{n_empty} labels have no text: what they mark is not learned from"));
        }
    }

    fn note_unclear(&mut self, texts: &[&Text], is_open: bool) {
        const SHOWN: usize = 5;
        for text in texts.iter().take(SHOWN) {
            let Text { spelling, n_labels, place } = text;
            let times = if *n_labels == 1 { "once".to_owned() } else { format!("{n_labels} times") };
            let hint = did_you_mean(spelling, self.words.iter().map(String::as_str));
            let hint = if *n_labels <= SLIP_MOST && hint.is_empty() { "; a slip?" } else { &hint };
            self.notes.push(format!(
                "\"{spelling}\" is labelled {times} only (first in {place}) and is not learned from, neither as a word nor as other sound{hint}"
            ));
        }
        let n_more = texts.len().saturating_sub(SHOWN);
        if n_more > 0 {
            self.notes.push(format!("{n_more} more texts are labelled too rarely and are not learned from"));
        }
        if is_open && !texts.is_empty() {
            self.notes.push("with --word for each word, labels of other texts teach what is no word".into());
        }
    }
}

/// The texts in the order of their spelling, and how many labels have none.
fn texts(recordings: &LabelledRecordings) -> (BTreeMap<String, Text>, usize) {
    let (mut texts, mut n_empty) = (BTreeMap::new(), 0);
    for recording in &recordings.recordings {
        for label in &recording.labels {
            let spelling = label.text.trim();
            if spelling.is_empty() {
                n_empty += 1;
                continue;
            }
            let text = texts.entry(plain(spelling)).or_insert_with(|| Text {
                spelling: spelling.to_owned(),
                n_labels: 0,
                place: format!("{}, {:.3} s", recording.labels_path.display(), label.start_s),
            });
            text.n_labels += 1;
        }
    }
    (texts, n_empty)
}

#[cfg(test)]
mod tests {
    use super::super::LabelledRecording;
    use super::*;
    use crate::audio::ChannelChoice;
    use crate::labels::Label;

    fn recordings(texts: &[(&str, usize)]) -> LabelledRecordings {
        let label = |text: &str| Label { start_s: 1.0, end_s: 2.0, text: text.into(), score: None };
        let labels = texts.iter().flat_map(|&(text, n)| (0..n).map(move |_| label(text))).collect();
        let recording = LabelledRecording {
            path: "talk.wav".into(),
            channels: ChannelChoice::Mix,
            labels_path: "talk.txt".into(),
            labels,
        };
        LabelledRecordings { root: ".".into(), recordings: vec![recording], notes: Vec::new() }
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.into()).collect()
    }

    #[test]
    fn all_frequent_texts_are_words_and_rare_ones_are_reported() {
        let found =
            recordings(&[("view glass", 4), ("View_Glass", 3), ("clap", 5), ("clapp", 1), ("cough", 2), ("", 1)]);
        let vocabulary = Vocabulary::new(&found, &[], &[], 5).unwrap();
        assert_eq!(vocabulary.words(), ["clap", "view glass"]);
        assert_eq!(vocabulary.meaning(" VIEW-glass"), Meaning::Word(1));
        for text in ["clapp", "cough", ""] {
            assert_eq!(vocabulary.meaning(text), Meaning::Unclear, "{text}");
        }
        let notes = vocabulary.notes.join("\n");
        assert!(notes.contains("\"clapp\" is labelled once only (first in talk.txt, 1.000 s)"), "{notes}");
        assert!(notes.contains("did you mean 'clap'?") && notes.contains("\"cough\" is labelled 2 times"), "{notes}");
        assert!(notes.contains("1 labels have no text"), "{notes}");
    }

    #[test]
    fn of_words_that_were_asked_for_other_texts_are_other_sound_but_slips() {
        let found = recordings(&[("clap", 5), ("clapp", 1), ("clappp", 3), ("cough", 1)]);
        let vocabulary = Vocabulary::new(&found, &owned(&["Clap"]), &[], 5).unwrap();
        assert_eq!(vocabulary.words(), ["Clap"]);
        assert_eq!(vocabulary.meaning("clap"), Meaning::Word(0));
        assert_eq!(vocabulary.meaning("clapp"), Meaning::Unclear);
        assert_eq!(vocabulary.meaning("clappp"), Meaning::Other);
        assert_eq!(vocabulary.meaning("cough"), Meaning::Other);
    }

    #[test]
    fn words_that_are_known_elsewhere_need_fewer_labels() {
        let found = recordings(&[("clap", 1), ("knock", 5)]);
        let vocabulary = Vocabulary::new(&found, &[], &owned(&["clap"]), 5).unwrap();
        assert_eq!(vocabulary.words(), ["clap", "knock"]);
        assert_eq!(vocabulary.meaning("clap"), Meaning::Word(0));
    }

    #[test]
    fn a_word_that_is_not_there_or_too_rare_is_told_with_the_choices() {
        let found = recordings(&[("clap", 5), ("knock", 3)]);
        let complaint = |asked: &[&str]| Vocabulary::new(&found, &owned(asked), &[], 5).unwrap_err().to_string();
        let unknown = complaint(&["klap"]);
        assert!(unknown.contains("\"klap\"") && unknown.contains("\"knock\" (3)"), "{unknown}");
        assert!(unknown.contains("did you mean 'clap'?"), "{unknown}");
        assert!(complaint(&["knock"]).contains("labelled 3 times; expected at least 5"));
        let none = Vocabulary::new(&recordings(&[("knock", 3)]), &[], &[], 5).unwrap_err().to_string();
        assert!(none.contains("no text is labelled 5 times"), "{none}");
    }
}
