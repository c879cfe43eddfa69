//! What of a recording becomes which piece: words with what surrounds them, and all that is far enough from every word.

use std::ops::Range;

use super::LabelledRecording;
use super::texts::{Meaning, Vocabulary};
use crate::labels::Label;
use crate::units::{Milliseconds, SampleRate};

/// Sound so near to a word is not taught as other sound: whoever draws a label cuts off some of a soft beginning or end, rooms go on
/// ringing, and a network that hears the end of a word is right to answer. Nothing is lost, as words' own pieces teach what surrounds them.
const APART_MS: Milliseconds = Milliseconds(500);
/// Two words that overlap by less are two words said in one breath.
const OVERLAP_MS: Milliseconds = Milliseconds(100);
/// A label that is shorter marks a moment and no span.
const SHORTEST_MS: Milliseconds = Milliseconds(20);

/// What is in a piece.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// One word.
    Word {
        /// Into the words.
        word_idx: usize,
        /// Where it lies, in samples of the piece.
        span: Range<u64>,
    },
    /// No word.
    Other,
}

/// A word that is to be cut out, in samples of the recording at the model's rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedWord {
    pub(super) word_idx: usize,
    /// The label.
    pub(super) span: Range<u64>,
    /// The piece: the word and what surrounds it. Its end may lie beyond the recording's.
    pub(super) piece: Range<u64>,
}

/// What is to be cut out of a recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// In the order of time.
    pub(super) words: Vec<PlannedWord>,
    /// What is other sound, in the order of time; the last one goes on to the recording's end.
    pub(super) other: Vec<Range<u64>>,
}

impl Plan {
    /// Labels that cannot be used are told in `notes`; neither they nor what surrounds them is learned from.
    pub(super) fn new(
        recording: &LabelledRecording,
        vocabulary: &Vocabulary,
        margin: Milliseconds,
        notes: &mut Vec<String>,
    ) -> Self {
        let mut spans: Vec<(Meaning, Range<u64>)> = Vec::new();
        for label in &recording.labels {
            let meaning = match vocabulary.meaning(&label.text) {
                Meaning::Other => continue,
                Meaning::Word(_) if samples(label).end - samples(label).start < length(SHORTEST_MS) => {
                    notes.push(format!(
                        "{}: the label \"{}\" at {:.3} s has no length and is not learned from; draw it from the sound's beginning to its end",
                        recording.labels_path.display(),
                        label.text,
                        label.start_s
                    ));
                    Meaning::Unclear
                }
                meaning => meaning,
            };
            let span = (meaning, samples(label));
            // The same word twice at the same place is one word.
            if spans.last() != Some(&span) {
                spans.push(span);
            }
        }
        drop_overlapping(&mut spans, recording, notes);
        let margin = length(margin);
        let (mut words, mut reached) = (Vec::new(), 0);
        for (i, (meaning, span)) in spans.iter().enumerate() {
            if let Meaning::Word(word_idx) = *meaning {
                let next = spans.get(i + 1).map_or(u64::MAX, |(_, next)| next.start.max(span.end));
                let before = span.start.saturating_sub(margin).max(span.start.min(reached));
                let piece = before..(span.end + margin).min(next);
                words.push(PlannedWord { word_idx, span: span.clone(), piece });
            }
            reached = reached.max(span.end);
        }
        Self { words, other: far_from(spans.into_iter().map(|(_, span)| span)) }
    }

    /// The same without what lies in `gap`.
    pub(super) fn without(&self, gap: &Range<u64>) -> Vec<Range<u64>> {
        let parts = |range: &Range<u64>| [range.start..range.end.min(gap.start), range.start.max(gap.end)..range.end];
        self.other.iter().flat_map(parts).filter(|range| range.start < range.end).collect()
    }
}

/// All that is far enough from every span; the spans begin in the order of time.
fn far_from(spans: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let apart = length(APART_MS);
    let (mut other, mut at) = (Vec::new(), 0);
    for span in spans {
        if span.start.saturating_sub(apart) > at {
            other.push(at..span.start - apart);
        }
        at = at.max(span.end + apart);
    }
    other.push(at..u64::MAX);
    other
}

/// Of words that overlap nobody can say where one ends without the other.
fn drop_overlapping(spans: &mut [(Meaning, Range<u64>)], recording: &LabelledRecording, notes: &mut Vec<String>) {
    let mut farthest: Option<usize> = None;
    for i in 0..spans.len() {
        if let Some(j) = farthest {
            let overlap = spans[j].1.end.min(spans[i].1.end).saturating_sub(spans[i].1.start);
            let are_words = [i, j].iter().any(|&k| matches!(spans[k].0, Meaning::Word(_)));
            if overlap > length(OVERLAP_MS).min((spans[i].1.end - spans[i].1.start) / 2) && are_words {
                let seconds = |sample| SampleRate::MODEL.seconds(sample);
                notes.push(format!(
                    "{}: the labels from {:.3} s and from {:.3} s overlap by {:.3} s and are not learned from; draw them one after the other",
                    recording.labels_path.display(),
                    seconds(spans[j].1.start),
                    seconds(spans[i].1.start),
                    seconds(overlap)
                ));
                (spans[i].0, spans[j].0) = (Meaning::Unclear, Meaning::Unclear);
            }
        }
        if farthest.is_none_or(|j| spans[i].1.end > spans[j].1.end) {
            farthest = Some(i);
        }
    }
}

/// A label's span at the model's rate.
fn samples(label: &Label) -> Range<u64> {
    SampleRate::MODEL.samples(label.start_s)..SampleRate::MODEL.samples(label.end_s)
}

fn length(time: Milliseconds) -> u64 {
    time.samples(SampleRate::MODEL)
}

#[cfg(test)]
mod tests {
    use super::super::LabelledRecordings;
    use super::*;
    use crate::audio::ChannelChoice;

    /// A plan of labels in milliseconds; "w" is a word, anything else is not; and what there is to say about it.
    fn plan(labels: &[(u32, u32, &str)]) -> (Plan, Vec<String>) {
        let label = |&(start, end, text): &(u32, u32, &str)| Label {
            start_s: f64::from(start) / 1000.0,
            end_s: f64::from(end) / 1000.0,
            text: text.into(),
            score: None,
        };
        let recording = LabelledRecording {
            path: "talk.wav".into(),
            channels: ChannelChoice::Mix,
            labels_path: "talk.txt".into(),
            labels: labels.iter().map(label).collect(),
        };
        let all = LabelledRecordings { root: ".".into(), recordings: vec![recording.clone()], notes: Vec::new() };
        let vocabulary = Vocabulary::new(&all, &["w".into()], &["w".into()], 1).unwrap();
        let mut notes = Vec::new();
        let plan = Plan::new(&recording, &vocabulary, Milliseconds(800), &mut notes);
        (plan, notes)
    }

    fn ms(range: &Range<u64>) -> (u64, u64) {
        (range.start / 16, if range.end == u64::MAX { u64::MAX } else { range.end / 16 })
    }

    fn pieces(plan: &Plan) -> Vec<(u64, u64)> {
        plan.words.iter().map(|word| ms(&word.piece)).collect()
    }

    #[test]
    fn other_sound_keeps_away_from_words_and_other_texts_belong_to_it() {
        let (plan, notes) = plan(&[(2000, 2500, "w"), (4000, 4500, "speech"), (6000, 6400, "w"), (6800, 7000, "w")]);
        assert_eq!(plan.other.iter().map(ms).collect::<Vec<_>>(), [(0, 1500), (3000, 5500), (7500, u64::MAX)]);
        assert_eq!(
            plan.words.iter().map(|word| ms(&word.span)).collect::<Vec<_>>(),
            [(2000, 2500), (6000, 6400), (6800, 7000)]
        );
        assert_eq!(pieces(&plan), [(1200, 3300), (5200, 6800), (6400, 7800)], "no piece holds part of another word");
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_gap_is_taken_out_of_what_is_other_sound() {
        let (plan, _) = plan(&[(2000, 2500, "w")]);
        let left = plan.without(&(1000 * 16..4000 * 16));
        assert_eq!(left.iter().map(ms).collect::<Vec<_>>(), [(0, 1000), (4000, u64::MAX)]);
    }

    #[test]
    fn words_that_overlap_are_told_and_left_out_with_what_surrounds_them() {
        let (plan, notes) = plan(&[(2000, 3000, "w"), (2500, 3500, "w"), (9000, 9500, "w"), (9450, 9900, "w")]);
        assert_eq!(pieces(&plan), [(8200, 9500), (9450, 10700)], "a short overlap is one breath");
        assert_eq!(plan.other.iter().map(ms).collect::<Vec<_>>(), [(0, 1500), (4000, 8500), (10400, u64::MAX)]);
        assert!(
            notes.len() == 1
                && notes[0].contains("talk.txt: the labels from 2.000 s and from 2.500 s overlap by 0.500 s")
        );
    }

    #[test]
    fn a_label_twice_is_one_and_a_moment_is_none() {
        let (plan, notes) = plan(&[(2000, 2500, "w"), (2000, 2500, "W"), (5000, 5000, "w")]);
        assert_eq!(pieces(&plan), [(1200, 3300)]);
        assert_eq!(plan.other.iter().map(ms).collect::<Vec<_>>(), [(0, 1500), (3000, 4500), (5500, u64::MAX)]);
        assert!(notes.len() == 1 && notes[0].contains("at 5.000 s has no length"), "{notes:?}");
    }
}
