//! Which of the folder layouts that people already have a training folder is in.

use std::path::Path;

use super::DatasetError;
use super::scan::{subfolders, visible_names};

/// A folder layout, recognised by the names at its top level, or long recordings with labels, which lie as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `wake-word/ not-wake-word/ test/{wake-word,not-wake-word}/`: one word.
    Precise,
    /// `activates/ negatives/ backgrounds/`: one word.
    Coursera,
    /// `<label>/*.wav`, `_background_noise_/`, `validation_list.txt`, `testing_list.txt`: the caller names the words.
    SpeechCommands,
    /// `positive/ negative/ noise/ rir/`: one word, or a folder a word below `positive/`.
    NanoWakeWord,
    /// Long recordings and files of labels that were named as such; never detected.
    Labelled,
}

impl Layout {
    /// Every layout that is detected, in the order they are described in messages.
    pub const ALL: [Layout; 4] = [Self::Precise, Self::Coursera, Self::SpeechCommands, Self::NanoWakeWord];

    /// Finds out which layout `root` has.
    ///
    /// # Errors
    /// When there are marks of none or of several; the message names what was found and the layouts there are.
    pub fn detect(root: &Path) -> Result<Self, DatasetError> {
        let names = visible_names(root)?;
        match Self::candidates(&names)[..] {
            [layout] => Ok(layout),
            [] => Err(DatasetError::UnknownLayout {
                root: root.into(),
                found: if names.is_empty() { "nothing".into() } else { abbreviated(&names) },
                hint: hint_below(root)?,
            }),
            ref several => Err(DatasetError::AmbiguousLayout { root: root.into(), candidates: several.to_vec() }),
        }
    }

    /// The folders of every layout, for messages.
    pub(super) fn catalogue() -> String {
        Self::ALL.map(|layout| format!("{layout} ({})", layout.folders())).join("; ")
    }

    fn candidates(names: &[String]) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|layout| names.iter().any(|name| layout.marks().contains(&name.as_str())))
            .collect()
    }

    /// Names that no other layout has at its top level.
    fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Precise => &["wake-word", "not-wake-word"],
            Self::Coursera => &["activates", "negatives", "backgrounds"],
            Self::SpeechCommands => &["_background_noise_", "validation_list.txt", "testing_list.txt"],
            Self::NanoWakeWord => &["positive", "negative"],
            Self::Labelled => &[],
        }
    }

    fn folders(self) -> &'static str {
        match self {
            Self::Precise => "wake-word/ not-wake-word/ test/",
            Self::Coursera => "activates/ negatives/ backgrounds/",
            Self::SpeechCommands => "<label>/ _background_noise_/ validation_list.txt testing_list.txt",
            Self::NanoWakeWord => "positive/ negative/ noise/ rir/",
            Self::Labelled => "recordings with labels beside them",
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Precise => "Mycroft Precise",
            Self::Coursera => "Coursera assignment",
            Self::SpeechCommands => "Speech Commands",
            Self::NanoWakeWord => "NanoWakeWord",
            Self::Labelled => "labelled recordings",
        })
    }
}

fn abbreviated(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// People often give the folder above the right one.
fn hint_below(root: &Path) -> Result<String, DatasetError> {
    for folder in subfolders(root)? {
        if let [layout] = Layout::candidates(&visible_names(&folder)?)[..] {
            return Ok(format!("; {} looks like {layout}", folder.display()));
        }
    }
    Ok(String::new())
}
