//! Which recordings are learned from and which test: whole ones on one side or the other, since in one recording a voice, a place and a
//! microphone are the same throughout.

use std::ops::Range;
use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::LabelledRecording;
use super::plan::{Plan, PlannedWord};
use crate::dataset::MIN_CLIPS_PER_WORD;
use crate::units::{Milliseconds, SampleRate};

/// Between the sides of a recording that is on both, so much belongs to neither where there is room: an echo, a sentence.
const GAP_MS: Milliseconds = Milliseconds(5000);

/// What is held out to test with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holding {
    /// Nothing: there are other recordings for that.
    Nothing,
    /// A part of the other sound; of words there are so few that all are on both sides.
    Others {
        /// How large a part.
        fraction: f64,
        /// Decides which.
        seed: u64,
    },
    /// A part of everything.
    All {
        /// How large a part.
        fraction: f64,
        /// Decides which.
        seed: u64,
    },
}

/// Where a piece belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Training,
    Validation,
    Both,
}

/// Where the pieces of a recording belong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Placement {
    /// All of them.
    Whole(Side),
    /// What is before the gap teaches, what is after it tests; in samples.
    Divided { gap: Range<u64> },
}

impl Placement {
    /// The side of what begins at `start`.
    pub(super) fn side(&self, start: u64) -> Side {
        match self {
            Self::Whole(side) => *side,
            Self::Divided { gap } if start < gap.end => Side::Training,
            Self::Divided { .. } => Side::Validation,
        }
    }
}

/// Where words and other sound of a recording belong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Division {
    pub(super) words: Placement,
    pub(super) others: Placement,
}

/// The channels of one file.
struct Group<'a> {
    path: &'a Path,
    members: Vec<usize>,
    /// In the order of time.
    words: Vec<&'a PlannedWord>,
    /// Labels of each word.
    n_labels: Vec<usize>,
}

/// Divides recordings; what is unusual about it is told in `notes`.
pub(super) fn divide(
    recordings: &[LabelledRecording],
    plans: &[Plan],
    words: &[String],
    holding: Holding,
    notes: &mut Vec<String>,
) -> Vec<Division> {
    let groups = groups(recordings, plans, words.len());
    let (word_side, placements) = match holding {
        Holding::Nothing => (None, vec![Placement::Whole(Side::Training); groups.len()]),
        Holding::Others { fraction, seed } => (Some(Side::Both), divide_others(&groups, fraction, seed)),
        Holding::All { fraction, seed } => (None, divide_all(&groups, words, fraction, seed, notes)),
    };
    let mut divisions = vec![None; recordings.len()];
    for (group, placement) in groups.iter().zip(placements) {
        for &member in &group.members {
            let of_words = word_side.map_or_else(|| placement.clone(), Placement::Whole);
            divisions[member] = Some(Division { words: of_words, others: placement.clone() });
        }
    }
    divisions.into_iter().map(|division| division.expect("each recording is in a group")).collect()
}

fn groups<'a>(recordings: &'a [LabelledRecording], plans: &'a [Plan], n_words: usize) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for (idx, (recording, plan)) in recordings.iter().zip(plans).enumerate() {
        let own = groups.iter().position(|group| group.path == recording.path).unwrap_or_else(|| {
            groups.push(Group {
                path: &recording.path,
                members: Vec::new(),
                words: Vec::new(),
                n_labels: vec![0; n_words],
            });
            groups.len() - 1
        });
        let group = &mut groups[own];
        group.members.push(idx);
        group.words.extend(&plan.words);
        plan.words.iter().for_each(|word| group.n_labels[word.word_idx] += 1);
    }
    groups.iter_mut().for_each(|group| group.words.sort_by_key(|word| word.span.start));
    groups
}

fn divide_others(groups: &[Group], fraction: f64, seed: u64) -> Vec<Placement> {
    if let [group] = groups {
        return vec![Placement::Divided { gap: gap(group, fraction) }];
    }
    let mut placements = vec![Placement::Whole(Side::Training); groups.len()];
    for idx in drawn((0..groups.len()).collect(), fraction, seed) {
        placements[idx] = Placement::Whole(Side::Validation);
    }
    placements
}

fn divide_all(groups: &[Group], words: &[String], fraction: f64, seed: u64, notes: &mut Vec<String>) -> Vec<Placement> {
    let mut order: Vec<usize> = (0..groups.len()).filter(|&idx| !groups[idx].words.is_empty()).collect();
    order.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
    let n_labels: Vec<usize> =
        (0..words.len()).map(|word| groups.iter().map(|group| group.n_labels[word]).sum()).collect();
    let mut draw = Draw {
        groups,
        n_wanted: n_labels.iter().map(|&n| (fraction * n as f64).ceil() as usize).collect(),
        n_held_out: vec![0; words.len()],
        n_labels,
        placements: vec![Placement::Whole(Side::Training); groups.len()],
    };
    draw.hold_out_recordings(&order);
    for (word, name) in words.iter().enumerate() {
        if draw.is_missing(word) {
            notes.extend(draw.divide_by_time(&order, word, name, fraction));
        }
    }
    let mut placements = draw.placements;
    let without_words = (0..groups.len()).filter(|&idx| groups[idx].words.is_empty()).collect();
    for idx in drawn(without_words, fraction, seed) {
        placements[idx] = Placement::Whole(Side::Validation);
    }
    placements
}

/// Recordings with words, while it is being decided.
struct Draw<'a> {
    groups: &'a [Group<'a>],
    /// By word.
    n_labels: Vec<usize>,
    n_wanted: Vec<usize>,
    n_held_out: Vec<usize>,
    placements: Vec<Placement>,
}

impl Draw<'_> {
    /// Whether there are labels of a word and none to test with.
    fn is_missing(&self, word: usize) -> bool {
        self.n_held_out[word] == 0 && self.n_labels[word] > 0
    }

    /// Holds out one recording after the other, each time the one that comes nearest to what is wanted of every word, of equal ones the
    /// first in `order`; ends when no other comes nearer.
    fn hold_out_recordings(&mut self, order: &[usize]) {
        loop {
            let choices = order.iter().map(|&idx| {
                let brings_new =
                    (0..self.n_labels.len()).any(|word| self.groups[idx].n_labels[word] > 0 && self.is_missing(word));
                (idx, brings_new, self.distance(&self.groups[idx].n_labels))
            });
            let is_spare = |&(idx, ..): &(usize, bool, f64)| self.is_spare(idx);
            let best = choices.filter(is_spare).min_by(|a, b| b.1.cmp(&a.1).then(a.2.total_cmp(&b.2)));
            let now = self.distance(&vec![0; self.n_labels.len()]);
            match best {
                Some((idx, brings_new, after)) if brings_new || after < now => {
                    self.placements[idx] = Placement::Whole(Side::Validation);
                    let own = &self.groups[idx].n_labels;
                    self.n_held_out.iter_mut().zip(own).for_each(|(held_out, own)| *held_out += own);
                }
                _ => return,
            }
        }
    }

    /// Whether enough of each word is left to learn from without this recording, which is still among those.
    fn is_spare(&self, idx: usize) -> bool {
        let is_enough = |(word, &own): (usize, &usize)| {
            own == 0 || self.n_held_out[word] + own + MIN_CLIPS_PER_WORD <= self.n_labels[word]
        };
        self.placements[idx] == Placement::Whole(Side::Training)
            && self.groups[idx].n_labels.iter().enumerate().all(is_enough)
    }

    /// How far from what is wanted it would be to hold out these labels, too.
    fn distance(&self, own: &[usize]) -> f64 {
        let of_word = |word: usize| {
            (self.n_held_out[word] + own[word]).abs_diff(self.n_wanted[word]) as f64 / self.n_labels[word].max(1) as f64
        };
        (0..own.len()).map(of_word).sum()
    }

    /// No recording with a word can be spared: the one that has most of it is divided; gives what there is to say about that.
    fn divide_by_time(&mut self, order: &[usize], word: usize, name: &str, fraction: f64) -> Option<String> {
        let idx = order.iter().copied().max_by_key(|&idx| (self.groups[idx].n_labels[word], std::cmp::Reverse(idx)))?;
        if self.placements[idx] != Placement::Whole(Side::Training) {
            return None;
        }
        let group = &self.groups[idx];
        let gap = gap(group, fraction);
        for held_out in group.words.iter().filter(|word| word.span.start >= gap.end) {
            self.n_held_out[held_out.word_idx] += 1;
        }
        let [from_s, to_s] = [gap.start, gap.end].map(|sample| SampleRate::MODEL.seconds(sample));
        self.placements[idx] = Placement::Divided { gap };
        Some(format!(
            "no recording with \"{name}\" can be spared to test with, so {} is divided by time: what comes before {from_s:.1} s teaches, what \
             comes after {to_s:.1} s tests, and will look too good, as it is the same voice, place and microphone",
            group.path.display()
        ))
    }
}

/// Some of `choices`, by chance, but never all of them.
fn drawn(mut choices: Vec<usize>, fraction: f64, seed: u64) -> Vec<usize> {
    choices.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
    let n_wanted = (fraction * choices.len() as f64).ceil() as usize;
    choices.truncate(n_wanted.min(choices.len().saturating_sub(1)));
    choices
}

/// The gap between two words after which about `fraction` of the words lie, and some of each word if that can be.
fn gap(group: &Group, fraction: f64) -> Range<u64> {
    let n = group.words.len();
    let wanted = n - ((fraction * n as f64).ceil() as usize).clamp(1.min(n), n);
    let has_all = |words: &[&PlannedWord]| {
        (0..group.n_labels.len())
            .filter(|&word| group.n_labels[word] > 0)
            .all(|word| words.iter().any(|own| own.word_idx == word))
    };
    let is_fair = |&n_before: &usize| {
        let (before, after) = group.words.split_at(n_before);
        has_all(before) && has_all(after)
    };
    let n_before = (1..n).filter(is_fair).min_by_key(|n_before| n_before.abs_diff(wanted)).unwrap_or(wanted);
    let (before, after) = group.words.split_at(n_before);
    let from = before.iter().map(|word| word.span.end).max().unwrap_or(0);
    let to = after.first().map_or(from, |word| word.span.start.max(from));
    let (middle, half) = (from + (to - from) / 2, GAP_MS.samples(SampleRate::MODEL) / 2);
    from.max(middle.saturating_sub(half))..to.min(middle + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::ChannelChoice;

    /// Recordings with words at these seconds, half a second each.
    fn recordings(words: &[&[(usize, u64)]]) -> (Vec<LabelledRecording>, Vec<Plan>) {
        let recording = |idx: usize| LabelledRecording {
            path: format!("talk-{idx}.wav").into(),
            channels: ChannelChoice::Mix,
            labels_path: format!("talk-{idx}.txt").into(),
            labels: Vec::new(),
        };
        let word = |&(word_idx, second): &(usize, u64)| {
            let span = second * 16_000..second * 16_000 + 8_000;
            PlannedWord { word_idx, span: span.clone(), piece: span }
        };
        let plan = |words: &&[(usize, u64)]| Plan {
            words: words.iter().map(word).collect(),
            other: std::iter::once(0..u64::MAX).collect(),
        };
        ((0..words.len()).map(recording).collect(), words.iter().map(plan).collect())
    }

    fn divided(words: &[&[(usize, u64)]], names: &[&str], seed: u64) -> (Vec<Placement>, Vec<String>) {
        let (recordings, plans) = recordings(words);
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let mut notes = Vec::new();
        let divisions = divide(&recordings, &plans, &names, Holding::All { fraction: 0.2, seed }, &mut notes);
        assert!(divisions.iter().all(|division| division.words == division.others));
        (divisions.into_iter().map(|division| division.words).collect(), notes)
    }

    #[test]
    fn whole_recordings_are_held_out_and_each_word_is_on_both_sides() {
        let two: Vec<(usize, u64)> = (0..4).map(|i| (i % 2, 10 * i as u64)).collect();
        for seed in 0..20 {
            let (placements, notes) = divided(&[&two, &two, &two, &two, &two, &[], &[]], &["a", "b"], seed);
            let n_held_out = |range: Range<usize>| {
                placements[range].iter().filter(|&placement| *placement == Placement::Whole(Side::Validation)).count()
            };
            assert_eq!((n_held_out(0..5), n_held_out(5..7)), (1, 1), "{placements:?}");
            assert!(notes.is_empty() && placements.iter().all(|placement| matches!(placement, Placement::Whole(_))));
        }
    }

    #[test]
    fn a_lone_recording_is_divided_by_time_with_a_gap() {
        let words: Vec<(usize, u64)> = (0..10).map(|i| (0, 10 + 10 * i)).collect();
        let (placements, notes) = divided(&[&words, &[]], &["a"], 1);
        // Between the words at 80.0 to 80.5 s and at 90 s: five seconds around the middle.
        assert_eq!(placements[0], Placement::Divided { gap: 82_750 * 16..87_750 * 16 });
        assert_eq!(placements[1], Placement::Whole(Side::Training), "the only one without words");
        assert_eq!(
            (placements[0].side(80 * 16_000), placements[0].side(90 * 16_000)),
            (Side::Training, Side::Validation)
        );
        assert!(notes.len() == 1 && notes[0].contains("talk-0.wav is divided by time"), "{notes:?}");
    }

    #[test]
    fn the_gap_leaves_each_word_on_both_sides_and_cuts_none() {
        let words: Vec<(usize, u64)> = (0..10).map(|i| (usize::from(i == 1 || i == 2), 10 + i)).collect();
        let (placements, _) = divided(&[&words], &["a", "b"], 1);
        assert_eq!(placements[0], Placement::Divided { gap: 11_500 * 16..12_000 * 16 });
    }

    #[test]
    fn channels_of_a_recording_stay_together() {
        let words: Vec<(usize, u64)> = (0..6).map(|i| (0, 10 * i)).collect();
        let (mut recordings, plans) = recordings(&[&words, &words, &words]);
        recordings[1].path = recordings[0].path.clone();
        recordings[1].channels = ChannelChoice::One(1);
        for seed in 0..10 {
            let holding = Holding::All { fraction: 0.2, seed };
            let divisions = divide(&recordings, &plans, &["a".into()], holding, &mut Vec::new());
            assert_eq!(divisions[0], divisions[1]);
            assert_ne!(divisions[0], divisions[2]);
        }
    }

    #[test]
    fn where_only_other_sound_is_held_out_words_are_on_both_sides() {
        let words: Vec<(usize, u64)> = (0..6).map(|i| (0, 10 * i)).collect();
        let (recordings, plans) = recordings(&[&words, &words, &words]);
        let holding = Holding::Others { fraction: 0.3, seed: 1 };
        let divisions = divide(&recordings, &plans, &["a".into()], holding, &mut Vec::new());
        assert!(divisions.iter().all(|division| division.words == Placement::Whole(Side::Both)));
        let n = divisions.iter().filter(|division| division.others == Placement::Whole(Side::Validation)).count();
        assert_eq!(n, 1);
    }
}
