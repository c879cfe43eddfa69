//! What a training folder holds: words, recordings of them, negatives, noises, rooms; nothing is read but names.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::manifest::RecordingTable;
use super::scan::{Found, sounds_below, sounds_in, subfolders};
use super::speaker::speaker_in_stem;
use super::{DatasetError, SkippedFile};
use crate::names::same_word;

/// Recordings a word needs: with fewer, nothing is left to learn from once some are held out.
pub const MIN_CLIPS_PER_WORD: usize = 5;

/// On which side of a split a file lies from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Part {
    /// The split decides.
    #[default]
    Open,
    /// Named by `validation_list.txt`, or in Precise's `test/`.
    Validation,
    /// Named by `testing_list.txt`: neither trained on nor validated on.
    Testing,
}

/// Where a file comes from, for the model's card.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Provenance {
    /// The collection: as the manifest says, else the folder's name.
    pub source: String,
    /// As the manifest says, else "unknown".
    pub license: String,
}

/// A recorded room response.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomFile {
    /// The file.
    pub path: PathBuf,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// A recording of one wake word.
#[derive(Debug, Clone, PartialEq)]
pub struct PositiveFile {
    /// The file.
    pub path: PathBuf,
    /// Into [`Inventory::words`].
    pub word_idx: usize,
    /// Speaker or session, if anything tells.
    pub speaker: Option<String>,
    /// Start and end of the word in seconds, if a manifest tells.
    pub span_s: Option<(f64, f64)>,
    /// Whether that span is a label in a long recording: it is taken as it is, however short or long.
    pub is_labelled: bool,
    /// Side of the split.
    pub part: Part,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// A recording without any wake word: speech, or with [`Inventory::noises`] noise.
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeFile {
    /// The file.
    pub path: PathBuf,
    /// The collection: its folder's name.
    pub source: String,
    /// Speaker or session, if anything tells.
    pub speaker: Option<String>,
    /// Side of the split.
    pub part: Part,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Folders of recordings from elsewhere that join those of a training folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Elsewhere {
    /// Other speech, and whatever else holds no wake word: a folder below such a folder is a source of its own.
    pub negatives: Vec<PathBuf>,
    /// Noise.
    pub noises: Vec<PathBuf>,
}

/// Everything in a training folder, sorted by path.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// The folder.
    pub root: PathBuf,
    /// Its layout.
    pub layout: Layout,
    /// The wake words; `word_idx` counts in this order.
    pub words: Vec<String>,
    /// Recordings of the words.
    pub positives: Vec<PositiveFile>,
    /// Recordings without them. Recordings of words that were not asked for are here, too.
    pub negatives: Vec<NegativeFile>,
    /// Recordings of noise.
    pub noises: Vec<NegativeFile>,
    /// Recorded room responses.
    pub rooms: Vec<RoomFile>,
    /// Sound files that take no part.
    pub skipped: Vec<SkippedFile>,
}

impl Inventory {
    /// Detects the layout of `root` and lists it. `words` chooses among the words of the folder; empty means all of them, or for
    /// a layout of one word the name of the root folder. Spelling is forgiven: "View Glass" finds `view_glass/`.
    ///
    /// # Errors
    /// When the layout is unclear, a word is missing or has fewer than [`MIN_CLIPS_PER_WORD`] files, or there are no negatives.
    pub fn read(root: &Path, words: &[String]) -> Result<Self, DatasetError> {
        Self::read_with(root, words, &Elsewhere::default())
    }

    /// The same with the recordings of `elsewhere` beside those of `root`.
    ///
    /// # Errors
    /// As [`read`](Self::read); when a folder of `elsewhere` holds no sound files.
    pub fn read_with(root: &Path, words: &[String], elsewhere: &Elsewhere) -> Result<Self, DatasetError> {
        let layout = Layout::detect(root)?;
        let root = std::fs::canonicalize(root).map_err(|source| DatasetError::Io { path: root.into(), source })?;
        let mut reader =
            Reader { manifest: RecordingTable::find(&root)?, inventory: Inventory::empty(root, layout, Vec::new()) };
        match layout {
            Layout::Precise => reader.precise(words)?,
            Layout::Coursera => reader.coursera(words)?,
            Layout::SpeechCommands => reader.speech_commands(words)?,
            Layout::NanoWakeWord => reader.nano_wake_word(words)?,
            Layout::Labelled => {}
        }
        reader.elsewhere(elsewhere)?;
        reader.finish()
    }

    /// The recordings of `elsewhere` alone, to be joined by labelled recordings below `root`.
    ///
    /// # Errors
    /// When a folder of `elsewhere` holds no sound files.
    pub fn read_elsewhere(root: &Path, elsewhere: &Elsewhere) -> Result<Self, DatasetError> {
        let inventory = Self::empty(root.into(), Layout::Labelled, Vec::new());
        let mut reader = Reader { manifest: RecordingTable::default(), inventory };
        reader.elsewhere(elsewhere)?;
        Ok(reader.sorted())
    }

    /// One without any recordings.
    pub(super) fn empty(root: PathBuf, layout: Layout, words: Vec<String>) -> Self {
        Self {
            root,
            layout,
            words,
            positives: Vec::new(),
            negatives: Vec::new(),
            noises: Vec::new(),
            rooms: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// The same recordings with their words counted in `words`, which must have them all.
    ///
    /// # Panics
    /// When a word is not in `words`.
    pub fn with_words(mut self, words: &[String]) -> Self {
        let place = |own: &String| words.iter().position(|word| same_word(word, own)).expect("words has them all");
        let places: Vec<usize> = self.words.iter().map(place).collect();
        self.positives.iter_mut().for_each(|file| file.word_idx = places[file.word_idx]);
        self.words = words.to_vec();
        self.sort();
        self
    }

    /// Takes the recordings of `other`, too, which has the same words.
    ///
    /// # Panics
    /// When it has others.
    pub fn join(&mut self, other: Self) {
        assert_eq!(self.words, other.words, "both were given the same words");
        self.positives.extend(other.positives);
        self.negatives.extend(other.negatives);
        self.noises.extend(other.noises);
        self.rooms.extend(other.rooms);
        self.skipped.extend(other.skipped);
        self.sort();
    }

    fn sort(&mut self) {
        self.positives.sort_by(|a, b| (a.word_idx, &a.path).cmp(&(b.word_idx, &b.path)));
        self.negatives.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
    }

    /// The role (`word`, `negative`, `noise`, `room`), source and licence of every file.
    pub fn sources(&self) -> impl Iterator<Item = (&'static str, String, String)> + '_ {
        let words = self.positives.iter().map(|file| ("word", &file.provenance));
        let negatives = self.negatives.iter().map(|file| ("negative", &file.provenance));
        let noises = self.noises.iter().map(|file| ("noise", &file.provenance));
        let rooms = self.rooms.iter().map(|file| ("room", &file.provenance));
        let all = words.chain(negatives).chain(noises).chain(rooms);
        all.map(|(role, provenance)| (role, provenance.source.clone(), provenance.license.clone()))
    }

    /// The same without what an official list keeps for testing.
    pub fn without_testing(mut self) -> Self {
        self.positives.retain(|file| file.part != Part::Testing);
        self.negatives.retain(|file| file.part != Part::Testing);
        self.noises.retain(|file| file.part != Part::Testing);
        self
    }

    /// Where this layout keeps recordings of a word.
    pub fn positive_folder(&self, word_idx: usize) -> PathBuf {
        match self.layout {
            Layout::Labelled => self.root.clone(),
            Layout::Precise => self.root.join("wake-word"),
            Layout::Coursera => self.root.join("activates"),
            Layout::SpeechCommands => self.root.join(&self.words[word_idx]),
            Layout::NanoWakeWord => {
                let of_word = self.root.join("positive").join(&self.words[word_idx]);
                if of_word.is_dir() { of_word } else { self.root.join("positive") }
            }
        }
    }

    /// Where this layout keeps recordings without a wake word.
    pub fn negative_folder(&self) -> PathBuf {
        match self.layout {
            Layout::Labelled => self.root.clone(),
            Layout::Precise => self.root.join("not-wake-word"),
            Layout::Coursera => self.root.join("negatives"),
            Layout::SpeechCommands => self.root.join("<another label>"),
            Layout::NanoWakeWord => self.root.join("negative"),
        }
    }
}

struct Reader {
    manifest: RecordingTable,
    inventory: Inventory,
}

impl Reader {
    fn precise(&mut self, words: &[String]) -> Result<(), DatasetError> {
        self.name_the_one_word(words)?;
        for (folder, part) in [("", Part::Open), ("test", Part::Validation)] {
            let folder = self.inventory.root.join(folder);
            self.positives(&folder.join("wake-word"), 0, |_| part)?;
            self.negatives(&folder.join("not-wake-word"), |_| part)?;
        }
        Ok(())
    }

    fn coursera(&mut self, words: &[String]) -> Result<(), DatasetError> {
        self.name_the_one_word(words)?;
        self.positives(&self.inventory.root.join("activates"), 0, |_| Part::Open)?;
        self.negatives(&self.inventory.root.join("negatives"), |_| Part::Open)?;
        self.noises("backgrounds")
    }

    fn speech_commands(&mut self, words: &[String]) -> Result<(), DatasetError> {
        const BACKGROUND: &str = "_background_noise_";
        let root = self.inventory.root.clone();
        let labels: Vec<PathBuf> =
            subfolders(&root)?.into_iter().filter(|folder| folder_name(folder) != BACKGROUND).collect();
        if words.is_empty() {
            let choices = labels.iter().map(|folder| folder_name(folder)).collect();
            return Err(DatasetError::WordsNotNamed { root, choices });
        }
        let listed = |name: &str| listed_files(&root, name);
        let (validation, testing) = (listed("validation_list.txt")?, listed("testing_list.txt")?);
        let part = |path: &Path| match path {
            path if validation.contains(path) => Part::Validation,
            path if testing.contains(path) => Part::Testing,
            _ => Part::Open,
        };
        self.chosen_among(labels, words, &part)?;
        self.noises(BACKGROUND)
    }

    fn nano_wake_word(&mut self, words: &[String]) -> Result<(), DatasetError> {
        let folder = self.inventory.root.join("positive");
        let (loose, word_folders) = (sounds_in(&folder)?, subfolders(&folder)?);
        match (loose.sounds.first(), word_folders.first()) {
            (Some(file), Some(subfolder)) => {
                return Err(DatasetError::LooseAmongWords {
                    file: file.file_name().map(PathBuf::from).unwrap_or_default(),
                    subfolder: subfolder.file_name().map(PathBuf::from).unwrap_or_default(),
                    folder,
                });
            }
            (None, Some(_)) => self.chosen_among(word_folders, words, &|_| Part::Open)?,
            _ => {
                self.name_the_one_word(words)?;
                self.positives(&folder, 0, |_| Part::Open)?;
            }
        }
        self.negatives(&self.inventory.root.join("negative"), |_| Part::Open)?;
        self.noises("noise")?;
        let folder = self.inventory.root.join("rir");
        let found = sounds_below(&folder)?;
        for path in self.keep_skipped(found) {
            let provenance = self.provenance(&folder, &path);
            self.inventory.rooms.push(RoomFile { path, provenance });
        }
        Ok(())
    }

    fn name_the_one_word(&mut self, words: &[String]) -> Result<(), DatasetError> {
        let root = &self.inventory.root;
        let word = match words {
            [] => folder_name(root),
            [word] => word.clone(),
            several => {
                return Err(DatasetError::OneWordLayout {
                    root: root.clone(),
                    layout: self.inventory.layout,
                    words: several.to_vec(),
                });
            }
        };
        self.inventory.words = vec![word];
        Ok(())
    }

    /// One folder a word: the chosen ones become positives in the order they were asked for, the others negatives.
    fn chosen_among(
        &mut self,
        folders: Vec<PathBuf>,
        words: &[String],
        part: &dyn Fn(&Path) -> Part,
    ) -> Result<(), DatasetError> {
        let names: Vec<String> = folders.iter().map(|folder| folder_name(folder)).collect();
        refuse_twins(&names)?;
        refuse_twins(words)?;
        let mut word_of_folder = vec![None; folders.len()];
        if words.is_empty() {
            self.inventory.words = names;
            word_of_folder = (0..folders.len()).map(Some).collect();
        } else {
            for (word_idx, word) in words.iter().enumerate() {
                let folder_idx =
                    names.iter().position(|name| same_word(name, word)).ok_or_else(|| DatasetError::UnknownWord {
                        word: word.clone(),
                        root: self.inventory.root.clone(),
                        choices: names.clone(),
                    })?;
                word_of_folder[folder_idx] = Some(word_idx);
                self.inventory.words.push(names[folder_idx].clone());
            }
        }
        for (folder, word_idx) in folders.iter().zip(word_of_folder) {
            match word_idx {
                Some(word_idx) => self.positives(folder, word_idx, part)?,
                None => {
                    let found = sounds_below(folder)?;
                    self.negatives_from(folder, found, folder, part);
                }
            }
        }
        Ok(())
    }

    fn positives(&mut self, folder: &Path, word_idx: usize, part: impl Fn(&Path) -> Part) -> Result<(), DatasetError> {
        let found = sounds_below(folder)?;
        for path in self.keep_skipped(found) {
            let row = self.manifest.row(&path).cloned().unwrap_or_default();
            let speaker = row
                .speaker
                .or_else(|| first_folder_below(folder, &path))
                .or_else(|| stem_speaker(&path, &self.inventory.words[word_idx]));
            let (part, provenance) = (part(&path), self.provenance(folder, &path));
            self.inventory.positives.push(PositiveFile {
                path,
                word_idx,
                speaker,
                span_s: row.span_s,
                is_labelled: false,
                part,
                provenance,
            });
        }
        Ok(())
    }

    /// A folder below `folder` is a source of its own; loose files are a source named after `folder`.
    fn negatives(&mut self, folder: &Path, part: impl Fn(&Path) -> Part) -> Result<(), DatasetError> {
        let loose = sounds_in(folder)?;
        self.negatives_from(folder, loose, folder, &part);
        for source in subfolders(folder)? {
            let found = sounds_below(&source)?;
            self.negatives_from(&source, found, &source, &part);
        }
        Ok(())
    }

    fn negatives_from(&mut self, folder: &Path, found: Found, source: &Path, part: &dyn Fn(&Path) -> Part) {
        let source = folder_name(source);
        for path in self.keep_skipped(found) {
            let part = part(&path);
            let file = self.negative(folder, path, &source, part);
            self.inventory.negatives.push(file);
        }
    }

    fn noises(&mut self, name: &str) -> Result<(), DatasetError> {
        self.noises_in(&self.inventory.root.join(name))
    }

    fn noises_in(&mut self, folder: &Path) -> Result<(), DatasetError> {
        let found = sounds_below(folder)?;
        for path in self.keep_skipped(found) {
            let source = first_folder_below(folder, &path).unwrap_or_else(|| folder_name(folder));
            let provenance = self.provenance(folder, &path);
            let file = NegativeFile { path, source, speaker: None, part: Part::Open, provenance };
            self.inventory.noises.push(file);
        }
        Ok(())
    }

    /// Each folder comes with the manifest that lies nearest to it.
    fn elsewhere(&mut self, elsewhere: &Elsewhere) -> Result<(), DatasetError> {
        let folders = elsewhere.negatives.iter().map(|folder| (folder, false));
        for (folder, is_noise) in folders.chain(elsewhere.noises.iter().map(|folder| (folder, true))) {
            let folder =
                std::fs::canonicalize(folder).map_err(|source| DatasetError::Io { path: folder.clone(), source })?;
            self.manifest.extend(RecordingTable::find(&folder)?);
            let n_files = |inventory: &Inventory| inventory.negatives.len() + inventory.noises.len();
            let n_before = n_files(&self.inventory);
            if is_noise {
                self.noises_in(&folder)?;
            } else {
                self.negatives(&folder, |_| Part::Open)?;
            }
            if n_files(&self.inventory) == n_before {
                return Err(DatasetError::NothingElsewhere { folder });
            }
        }
        Ok(())
    }

    fn negative(&self, folder: &Path, path: PathBuf, source: &str, part: Part) -> NegativeFile {
        let row = self.manifest.row(&path).cloned().unwrap_or_default();
        let speaker = row.speaker.or_else(|| first_folder_below(folder, &path)).or_else(|| stem_speaker(&path, source));
        let provenance = self.provenance(folder, &path);
        NegativeFile { path, source: source.to_owned(), speaker, part, provenance }
    }

    fn provenance(&self, folder: &Path, path: &Path) -> Provenance {
        let row = self.manifest.row(path).cloned().unwrap_or_default();
        let source = row.source.or_else(|| first_folder_below(folder, path)).unwrap_or_else(|| folder_name(folder));
        Provenance { source, license: row.license.unwrap_or_else(|| "unknown".into()) }
    }

    fn keep_skipped(&mut self, found: Found) -> Vec<PathBuf> {
        self.inventory.skipped.extend(found.skipped);
        found.sounds
    }

    fn finish(self) -> Result<Inventory, DatasetError> {
        let inventory = &self.inventory;
        if inventory.positives.is_empty() {
            let folder =
                if inventory.words.is_empty() { inventory.root.join("positive") } else { inventory.positive_folder(0) };
            return Err(DatasetError::NoPositives { folder, expected: MIN_CLIPS_PER_WORD });
        }
        for word_idx in 0..inventory.words.len() {
            let found = inventory.positives.iter().filter(|file| file.word_idx == word_idx).count();
            if found < MIN_CLIPS_PER_WORD {
                return Err(DatasetError::TooFewPositives {
                    word: inventory.words[word_idx].clone(),
                    folder: inventory.positive_folder(word_idx),
                    found,
                    expected: MIN_CLIPS_PER_WORD,
                    skipped: inventory.skipped.clone(),
                });
            }
        }
        if inventory.negatives.is_empty() {
            let (folder, skipped) = (inventory.negative_folder(), inventory.skipped.clone());
            return Err(DatasetError::NoNegatives { folder, skipped });
        }
        Ok(self.sorted())
    }

    fn sorted(self) -> Inventory {
        let mut inventory = self.inventory;
        forget_single_stems(&mut inventory);
        inventory.sort();
        inventory
    }
}

/// A name that one recording has is no speaker but the recording's own name, unless a folder or a manifest says otherwise; two
/// clips of one person could have two such names.
fn forget_single_stems(inventory: &mut Inventory) {
    let mut n_clips: HashMap<String, usize> = HashMap::new();
    let speakers = inventory.positives.iter().map(|file| &file.speaker);
    for speaker in speakers.chain(inventory.negatives.iter().map(|file| &file.speaker)).flatten() {
        *n_clips.entry(speaker.clone()).or_default() += 1;
    }
    let forget = |path: &Path, speaker: &mut Option<String>| {
        if speaker.as_ref().is_some_and(|name| n_clips[name] == 1 && stem_speaker(path, "").as_ref() == Some(name)) {
            *speaker = None;
        }
    };
    inventory.positives.iter_mut().for_each(|file| forget(&file.path, &mut file.speaker));
    inventory.negatives.iter_mut().for_each(|file| forget(&file.path, &mut file.speaker));
}

fn refuse_twins(names: &[String]) -> Result<(), DatasetError> {
    for (i, second) in names.iter().enumerate() {
        if let Some(first) = names[..i].iter().find(|first| same_word(first, second)) {
            return Err(DatasetError::SameWordTwice { first: first.clone(), second: second.clone() });
        }
    }
    Ok(())
}

/// The files that one of Speech Commands' lists names; none if there is no such list.
fn listed_files(root: &Path, name: &str) -> Result<HashSet<PathBuf>, DatasetError> {
    let path = root.join(name);
    if !path.is_file() {
        return Ok(HashSet::new());
    }
    let text = std::fs::read_to_string(&path).map_err(|source| DatasetError::Io { path, source })?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| root.join(line)).collect())
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "word".into(), |name| name.to_string_lossy().into_owned())
}

fn first_folder_below(folder: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(folder).ok()?;
    let first = below.components().next()?.as_os_str();
    (below.components().count() > 1).then(|| first.to_string_lossy().into_owned())
}

fn stem_speaker(path: &Path, word: &str) -> Option<String> {
    speaker_in_stem(&path.file_stem()?.to_string_lossy(), word)
}
