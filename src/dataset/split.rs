//! Training and validation: whole speakers on one side or the other, since a model that has heard a voice knows more
//! than it will of a stranger's.

use std::collections::{BTreeMap, HashSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::inventory::Part;
use super::{DatasetError, Inventory};

/// Both sides of a split, and what was unusual about it.
#[derive(Debug, Clone)]
pub struct Split {
    /// To learn from.
    pub training: Inventory,
    /// To choose by.
    pub validation: Inventory,
    /// Sentences for the user, such as that no speakers could be told apart.
    pub notes: Vec<String>,
}

impl Inventory {
    /// Holds out about `fraction` of the recordings of every word, source and kind of noise, by whole speakers. A list or a test
    /// folder that comes with the data decides where there is one. Room responses are on both sides.
    ///
    /// # Errors
    /// When a side is left without recordings of a word or without negatives.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<Split, DatasetError> {
        self.divide(fraction, seed).checked()
    }

    /// The same, whatever a side is left without.
    pub fn divide(&self, fraction: f64, seed: u64) -> Split {
        split_by_speaker(self, fraction, seed)
    }

    /// The same for everything but the words: where there are so few recordings of them that none can be spared, all are on both
    /// sides. Only what comes with the data as a test folder or list stays on its own side.
    ///
    /// # Errors
    /// When a side is left without negatives.
    pub fn split_others(&self, fraction: f64, seed: u64) -> Result<Split, DatasetError> {
        self.divide_others(fraction, seed).checked()
    }

    /// The same, whatever a side is left without.
    pub fn divide_others(&self, fraction: f64, seed: u64) -> Split {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let (none, files) = (HashSet::new(), [&self.negatives, &self.noises]);
        let [negatives, noises] =
            files.map(|files| hold_out(&other_recordings(files), fraction, &none, &none, &mut rng).sides);
        let has_official = |word_idx: usize| {
            self.positives.iter().any(|file| file.word_idx == word_idx && file.part == Part::Validation)
        };
        let side = |side: Side, of_words: &dyn Fn(&super::PositiveFile) -> bool| Inventory {
            positives: self.positives.iter().filter(|file| of_words(file)).cloned().collect(),
            negatives: pick(&self.negatives, &negatives, side),
            noises: pick(&self.noises, &noises, side),
            ..self.clone()
        };
        Split {
            training: side(Side::Train, &|file| file.part == Part::Open),
            validation: side(Side::Validation, &|file| match file.part {
                Part::Open => !has_official(file.word_idx),
                Part::Validation => true,
                Part::Testing => false,
            }),
            notes: Vec::new(),
        }
    }
}

impl Split {
    /// Itself, if there is enough on both sides.
    ///
    /// # Errors
    /// When a side is left without recordings of a word or without negatives.
    pub fn checked(self) -> Result<Self, DatasetError> {
        refuse_empty("training", &self.training)?;
        refuse_empty("validation", &self.validation)?;
        Ok(self)
    }

    /// Takes both sides of `other`, too, which has the same words.
    ///
    /// # Panics
    /// When it has others.
    pub fn join(&mut self, other: Self) {
        self.training.join(other.training);
        self.validation.join(other.validation);
        self.notes.extend(other.notes);
    }
}

fn split_by_speaker(inventory: &Inventory, fraction: f64, seed: u64) -> Split {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut notes = Vec::new();

    let positives: Vec<Recording> = inventory
        .positives
        .iter()
        .map(|file| Recording {
            class: &inventory.words[file.word_idx],
            speaker: file.speaker.as_deref(),
            part: file.part,
        })
        .collect();
    let words = hold_out(&positives, fraction, &HashSet::new(), &HashSet::new(), &mut rng);
    note_testing(&positives, &mut notes);
    note_shared_speakers(&positives, &words.sides, &mut notes);
    for word in &words.split_by_file {
        notes.push(format!(
            "the recordings of \"{word}\" name fewer than two speakers: the last ones in name order are held out, so \
             validation hears voices it knows and will look too good"
        ));
    }

    let speakers_on = |side: Side| -> HashSet<&str> {
        positives.iter().zip(&words.sides).filter(|(_, s)| **s == side).filter_map(|(r, _)| r.speaker).collect()
    };
    let (trained, held_out) = (speakers_on(Side::Train), speakers_on(Side::Validation));
    let sides_of = |files: &[super::NegativeFile], rng: &mut Pcg64Mcg| {
        hold_out(&other_recordings(files), fraction, &trained, &held_out, rng).sides
    };
    let negatives = sides_of(&inventory.negatives, &mut rng);
    let noises = sides_of(&inventory.noises, &mut rng);

    let side = |side: Side| Inventory {
        positives: pick(&inventory.positives, &words.sides, side),
        negatives: pick(&inventory.negatives, &negatives, side),
        noises: pick(&inventory.noises, &noises, side),
        ..inventory.clone()
    };
    Split { training: side(Side::Train), validation: side(Side::Validation), notes }
}

fn other_recordings(files: &[super::NegativeFile]) -> Vec<Recording<'_>> {
    files
        .iter()
        .map(|file| Recording { class: &file.source, speaker: file.speaker.as_deref(), part: file.part })
        .collect()
}

fn refuse_empty(side: &'static str, inventory: &Inventory) -> Result<(), DatasetError> {
    let missing = (0..inventory.words.len())
        .find(|&word_idx| inventory.positives.iter().all(|file| file.word_idx != word_idx))
        .map(|word_idx| format!("recordings of \"{}\"", inventory.words[word_idx]))
        .or_else(|| inventory.negatives.is_empty().then(|| "recordings without a wake word".into()));
    missing.map_or(Ok(()), |missing| Err(DatasetError::EmptySide { side, missing }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Train,
    Validation,
    Neither,
}

struct Recording<'a> {
    /// Word or source: every one is to be on both sides.
    class: &'a str,
    speaker: Option<&'a str>,
    part: Part,
}

struct HeldOut {
    sides: Vec<Side>,
    /// Classes without two speakers.
    split_by_file: Vec<String>,
}

/// What is left to do for one class.
#[derive(Default)]
struct Class<'a> {
    members: Vec<usize>,
    speakers: HashSet<&'a str>,
    n_wanted: usize,
    n_held_out: usize,
}

fn hold_out<'a>(
    recordings: &[Recording<'a>],
    fraction: f64,
    trained: &HashSet<&str>,
    held_out: &HashSet<&str>,
    rng: &mut Pcg64Mcg,
) -> HeldOut {
    let has_official = recordings.iter().any(|recording| recording.part == Part::Validation);
    let mut sides: Vec<Side> = recordings
        .iter()
        .map(|recording| match recording.part {
            Part::Validation => Side::Validation,
            Part::Testing => Side::Neither,
            Part::Open if recording.speaker.is_some_and(|speaker| held_out.contains(speaker)) => Side::Validation,
            Part::Open => Side::Train,
        })
        .collect();
    if has_official {
        return HeldOut { sides, split_by_file: Vec::new() };
    }

    let mut classes: BTreeMap<&str, Class> = BTreeMap::new();
    for (i, recording) in recordings.iter().enumerate().filter(|(_, recording)| recording.part == Part::Open) {
        let class = classes.entry(recording.class).or_default();
        class.members.push(i);
        class.speakers.extend(recording.speaker);
        class.n_held_out += usize::from(sides[i] == Side::Validation);
    }
    for class in classes.values_mut() {
        class.n_wanted = (fraction * class.members.len() as f64).ceil() as usize;
    }

    for (speaker, clips) in shuffled_speakers(recordings, rng) {
        if trained.contains(speaker) || held_out.contains(speaker) {
            continue;
        }
        let mut n_clips: BTreeMap<&str, usize> = BTreeMap::new();
        for &i in &clips {
            *n_clips.entry(recordings[i].class).or_default() += 1;
        }
        let is_wanted = n_clips.keys().any(|class| classes[class].n_held_out < classes[class].n_wanted);
        // Somebody must be left to learn each word from.
        let is_spare = n_clips.iter().all(|(class, n)| {
            let class = &classes[class];
            class.speakers.len() > 1 && class.n_held_out + n < class.members.len()
        });
        if is_wanted && is_spare {
            for i in clips {
                sides[i] = Side::Validation;
            }
            for (class, n) in n_clips {
                classes.get_mut(class).expect("every class was entered above").n_held_out += n;
            }
        }
    }

    let mut split_by_file = Vec::new();
    for (name, class) in classes.iter().filter(|(_, class)| class.n_held_out == 0 && class.n_wanted > 0) {
        let n_held_out = class.n_wanted.min(class.members.len().saturating_sub(1));
        for &i in class
            .members
            .iter()
            .rev()
            .filter(|&&i| recordings[i].speaker.is_none_or(|s| !trained.contains(s)))
            .take(n_held_out)
        {
            sides[i] = Side::Validation;
        }
        split_by_file.push((*name).to_owned());
    }
    HeldOut { sides, split_by_file }
}

/// Every speaker with the places of their clips whose side is open.
fn shuffled_speakers<'a>(recordings: &[Recording<'a>], rng: &mut Pcg64Mcg) -> Vec<(&'a str, Vec<usize>)> {
    let mut clips: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, recording) in recordings.iter().enumerate().filter(|(_, recording)| recording.part == Part::Open) {
        if let Some(speaker) = recording.speaker {
            clips.entry(speaker).or_default().push(i);
        }
    }
    let mut speakers: Vec<_> = clips.into_iter().collect();
    speakers.shuffle(rng);
    speakers
}

fn pick<T: Clone>(files: &[T], sides: &[Side], side: Side) -> Vec<T> {
    files.iter().zip(sides).filter(|(_, found)| **found == side).map(|(file, _)| file.clone()).collect()
}

fn note_testing(recordings: &[Recording], notes: &mut Vec<String>) {
    let n_testing = recordings.iter().filter(|recording| recording.part == Part::Testing).count();
    if n_testing > 0 {
        notes.push(format!("{n_testing} recordings of wake words are on the testing list and take no part"));
    }
}

/// Lists and folders that come with the data are taken at their word, but not in silence.
fn note_shared_speakers(recordings: &[Recording], sides: &[Side], notes: &mut Vec<String>) {
    if recordings.iter().all(|recording| recording.part != Part::Validation) {
        return;
    }
    let on = |side: Side| -> HashSet<&str> {
        recordings.iter().zip(sides).filter(|(_, s)| **s == side).filter_map(|(r, _)| r.speaker).collect()
    };
    let mut shared: Vec<&str> = on(Side::Train).intersection(&on(Side::Validation)).copied().collect();
    shared.sort_unstable();
    if !shared.is_empty() {
        notes.push(format!(
            "{} speaker(s) are in both the training and the validation recordings as they were given, such as {}",
            shared.len(),
            shared[0]
        ));
    }
}
