//! The recordings of a training: which there are, which side each is on, whose voices they are, where they come from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use super::{TestedOn, TrainConfig};
use crate::bundle::{FORMAT_VERSION, Manifest, ProvenanceEntry, TrainingSummary, WeightsEntry};
use crate::dataset::{
    CutRecordings, DatasetError, Elsewhere, Holding, Inventory, LabelledRecordings, MIN_CLIPS_PER_WORD, Split,
    Vocabulary,
};
use crate::names::same_word;

/// Where the recordings are.
#[derive(Debug, Clone, PartialEq)]
pub struct Folders {
    /// The folder to learn from; none: what is labelled.
    pub data: Option<PathBuf>,
    /// The folder to test on; none: what is held out of all others.
    pub validation: Option<PathBuf>,
    /// Other speech and noise from elsewhere.
    pub elsewhere: Elsewhere,
    /// Long recordings with labels.
    pub labelled: Option<LabelledFolders>,
}

/// Where long recordings with labels are.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFolders {
    /// Folders and files.
    pub paths: Vec<PathBuf>,
    /// A folder in which a new one is made for the pieces; it is gone with the [`Sides`].
    pub scratch: PathBuf,
}

/// What is learned from, and what it is tested on.
pub struct Sides {
    /// What is learned from.
    pub training: Inventory,
    /// What it is tested on.
    pub validation: Inventory,
    /// Whose voices those are.
    pub tested_on: TestedOn,
    /// What is unusual about them.
    pub notes: Vec<String>,
    /// Pieces of labelled recordings.
    _pieces: Option<TempDir>,
}

impl Sides {
    /// Lists the recordings of the data folder, cuts those with labels, and lists the validation folder or what is held out. An adaptation
    /// holds back other speech only: it learns from every recording of its words.
    ///
    /// # Errors
    /// When a folder cannot be used, or training and validation hold different words.
    pub fn read(folders: &Folders, words: &[String], config: &TrainConfig, is_adapting: bool) -> Result<Self> {
        let found = folders.labelled.as_ref().map(|labelled| LabelledRecordings::find(&labelled.paths)).transpose()?;
        let inventory = read_data(folders, words, found.as_ref())?;
        let is_whole = folders.validation.is_some() || is_adapting;
        // One more than can teach, to test with.
        let n_needed = MIN_CLIPS_PER_WORD + usize::from(!is_whole);
        let vocabulary =
            found.as_ref().map(|found| Vocabulary::new(found, words, &inventory.words, n_needed)).transpose()?;
        let words = match &vocabulary {
            Some(vocabulary) => in_order_asked(vocabulary.words(), words),
            None => inventory.words.clone(),
        };
        let inventory = inventory.with_words(&words);

        let (fraction, seed) = (config.validation_fraction, config.seed);
        let mut split = match (&folders.validation, is_adapting) {
            (Some(folder), _) => Split {
                training: inventory.without_testing(),
                validation: read_validation(folder, &words)?,
                notes: Vec::new(),
            },
            (None, true) => inventory.divide_others(fraction, seed),
            (None, false) => inventory.divide(fraction, seed),
        };
        let holding = match (&folders.validation, is_adapting) {
            (Some(_), _) => Holding::Nothing,
            (None, true) => Holding::Others { fraction, seed },
            (None, false) => Holding::All { fraction, seed },
        };
        let mut pieces = None;
        if let (Some(labelled), Some(found), Some(vocabulary)) = (&folders.labelled, &found, &vocabulary) {
            let folder = pieces.insert(pieces_folder(&labelled.scratch)?);
            let margin = config.mix.bank.margin_ms;
            let cut = found.cut(vocabulary, holding, margin, folder.path())?;
            report(&cut, vocabulary.words());
            warn_of_long(found, vocabulary, config, &mut split.notes);
            split.notes.extend(found.notes.iter().chain(&vocabulary.notes).cloned());
            let Split { training, validation, notes } = cut.split;
            split.join(Split {
                training: training.with_words(&words),
                validation: validation.with_words(&words),
                notes,
            });
        }
        let Split { training, validation, notes } = split.checked().map_err(naming_options)?;
        Ok(Self::new(training, validation, notes, is_adapting, pieces))
    }

    fn new(
        training: Inventory,
        validation: Inventory,
        mut notes: Vec<String>,
        is_adapting: bool,
        pieces: Option<TempDir>,
    ) -> Self {
        let tests_itself = is_adapting && training.positives == validation.positives;
        notes.extend(if tests_itself { None } else { shared_speakers(&training, &validation) });
        let tested_on = tested_on(&training, &validation);
        Self { training, validation, tested_on, notes, _pieces: pieces }
    }

    /// How many speakers each word is learned from; none where some recording does not tell.
    pub fn n_speakers(&self) -> Vec<Option<usize>> {
        let of_word = |word_idx: usize| {
            let files = self.training.positives.iter().filter(|file| file.word_idx == word_idx);
            let names: Option<BTreeSet<&str>> = files.map(|file| file.speaker.as_deref()).collect();
            names.map(|names| names.len())
        };
        (0..self.training.words.len()).map(of_word).collect()
    }

    /// The manifest of a model that is to be trained on these recordings: all of it that is known before.
    pub fn manifest(
        &self,
        name: String,
        description: String,
        license: String,
        config: &TrainConfig,
        notes: Vec<String>,
    ) -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            name,
            description,
            license,
            weights: WeightsEntry { file: String::new(), sha256: String::new(), n_parameters: 0 },
            features: config.features.clone(),
            model: config.network.clone(),
            second_look: None,
            words: Vec::new(),
            training: TrainingSummary { notes, ..TrainingSummary::default() },
            provenance: self.provenance(),
        }
    }

    fn provenance(&self) -> Vec<ProvenanceEntry> {
        let mut entries: Vec<ProvenanceEntry> = Vec::new();
        for (inventory, purpose) in [(&self.training, "training"), (&self.validation, "validation")] {
            for (role, source, license) in inventory.sources() {
                let role = format!("{purpose}, {role}");
                match entries
                    .iter_mut()
                    .find(|entry| entry.source == source && entry.license == license && entry.role == role)
                {
                    Some(entry) => entry.n_files += 1,
                    None => entries.push(ProvenanceEntry { source, license, role, n_files: 1 }),
                }
            }
        }
        entries
    }
}

/// The data folder's recordings, or those from elsewhere alone. Words that only `found` may have are not asked of the folder.
fn read_data(folders: &Folders, words: &[String], found: Option<&LabelledRecordings>) -> Result<Inventory> {
    let elsewhere = &folders.elsewhere;
    let Some(data) = &folders.data else {
        let root = found.map(|found| found.root.clone()).context("there is neither a folder of clips nor labels")?;
        return Ok(Inventory::read_elsewhere(&root, elsewhere)?);
    };
    let is_labelled = |word: &str| {
        let mut labels = found.iter().flat_map(|found| &found.recordings).flat_map(|recording| &recording.labels);
        labels.any(|label| same_word(&label.text, word))
    };
    let mut asked = words.to_vec();
    let inventory = loop {
        match Inventory::read_with(data, &asked, elsewhere) {
            Err(DatasetError::UnknownWord { word, .. }) if asked.len() > 1 && is_labelled(&word) => {
                asked.retain(|other| *other != word);
            }
            read => break read.map_err(naming_options)?,
        }
    };
    tracing::info!(
        folder = %data.display(),
        layout = %inventory.layout,
        words = inventory.words.join(", "),
        positives = inventory.positives.len(),
        negatives = inventory.negatives.len(),
        "recordings found"
    );
    Ok(inventory)
}

fn read_validation(folder: &Path, words: &[String]) -> Result<Inventory> {
    let validation = Inventory::read(folder, words)?.without_testing();
    if validation.words != words {
        bail!(
            "the words to train are {}, those to validate {}; both folders need the same",
            words.join(", "),
            validation.words.join(", ")
        );
    }
    Ok(validation)
}

/// Words in the order that they were asked for, as they are spelled where they were found.
fn in_order_asked(words: &[String], asked: &[String]) -> Vec<String> {
    let place = |word: &String| asked.iter().position(|other| same_word(other, word)).unwrap_or(asked.len());
    let mut words = words.to_vec();
    words.sort_by_key(place);
    words
}

fn naming_options(error: DatasetError) -> anyhow::Error {
    match error {
        DatasetError::NoNegatives { .. } => anyhow!("{error}; or name folders that hold some with --negatives DIR"),
        error => error.into(),
    }
}

fn pieces_folder(scratch: &Path) -> Result<TempDir> {
    let make = || -> std::io::Result<TempDir> {
        std::fs::create_dir_all(scratch)?;
        tempfile::Builder::new().prefix(".tripword-pieces-").tempdir_in(scratch)
    };
    make().with_context(|| format!("{}: a folder for pieces of the recordings cannot be made in it", scratch.display()))
}

fn report(cut: &CutRecordings, words: &[String]) {
    let labels: Vec<String> = words.iter().zip(&cut.n_labels).map(|(word, n)| format!("{word} {n}")).collect();
    let n_held_out = cut.split.validation.positives.len();
    tracing::info!(
        recordings = cut.n_recordings,
        hours = format!("{:.2}", cut.hours),
        labels = labels.join(", "),
        held_out = n_held_out,
        other_hours = format!("{:.2}", cut.other_hours),
        silent_hours = format!("{:.2}", cut.silent_hours),
        "labelled recordings read"
    );
}

/// A sound that fills more than half of a mix is seldom laid into one, and one that fills it all never is.
fn warn_of_long(found: &LabelledRecordings, vocabulary: &Vocabulary, config: &TrainConfig, notes: &mut Vec<String>) {
    let most_s = config.mix.duration_s() / 2.0;
    let labels = found.recordings.iter().flat_map(|recording| &recording.labels);
    let is_word = |text: &str| vocabulary.words().iter().any(|word| same_word(word, text));
    let long: Vec<f64> = labels
        .filter(|label| is_word(&label.text))
        .map(|label| label.end_s - label.start_s)
        .filter(|&s| s > most_s)
        .collect();
    let longest = long.iter().copied().fold(0.0, f64::max);
    if !long.is_empty() {
        notes.push(format!(
            "{} labels are longer than {most_s:.1} s, half of the mixes that are learned from, the longest {longest:.1} s: they are seldom \
             heard in training; set train.mix.duration_ms to {:.0} or more",
            long.len(),
            (2.0 * longest).ceil() * 1000.0
        ));
    }
}

/// Whose voices the words are tested on.
fn tested_on(training: &Inventory, validation: &Inventory) -> TestedOn {
    let speakers = |inventory: &Inventory| -> Vec<Option<String>> {
        inventory.positives.iter().map(|file| file.speaker.clone()).collect()
    };
    let (trained, tested) = (speakers(training), speakers(validation));
    if trained.iter().chain(&tested).any(Option::is_none) {
        TestedOn::UnknownVoices
    } else if tested.iter().any(|speaker| trained.contains(speaker)) {
        TestedOn::KnownVoices
    } else {
        TestedOn::NewVoices
    }
}

/// What there is to say about voices that are on both sides.
fn shared_speakers(training: &Inventory, validation: &Inventory) -> Option<String> {
    let speakers = |inventory: &Inventory| -> BTreeSet<String> {
        let of_words = inventory.positives.iter().filter_map(|file| file.speaker.clone());
        let of_others = inventory.negatives.iter().filter_map(|file| file.speaker.clone());
        of_words.chain(of_others).collect()
    };
    let shared: Vec<String> = speakers(training).intersection(&speakers(validation)).cloned().collect();
    (!shared.is_empty()).then(|| {
        format!("speakers both trained and validated on, so that validation looks too good: {}", shared.join(", "))
    })
}
