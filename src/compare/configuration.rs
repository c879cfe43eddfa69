//! The configurations that are compared, and which of their settings a comparison decides.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::vary::{Variation, combinations};
use crate::config::{Layers, Origin};
use crate::train::TrainConfig;

/// Seed of the variants of recordings, and of a split; that of a run decides its weights, mixes and dropout.
pub(super) const MATERIAL_SEED: u64 = 1;
/// The name where nothing tells configurations apart.
const DEFAULT_NAME: &str = "default";
/// Searching for hard negatives takes a time that depends on the recordings: it is left out unless it is asked for.
const MINE_EVERY: &str = "train.mine_every";
/// Folder names are no longer than this.
const MAX_FOLDER_LEN: usize = 80;

/// Keys that are the same for all, and what decides them.
const DECIDED: [(&str, &str); 7] = [
    ("train.seed", "--seeds gives all configurations the same seeds"),
    ("train.n_steps", "--minutes or --steps decides it for all configurations"),
    ("train.validate_every", "a comparison validates at the end alone"),
    ("train.patience", "a comparison does all steps"),
    ("train.validation_fraction", "all configurations are tested on the same recordings"),
    ("train.target_false_accepts_per_hour", "--target-fa-per-hour is the same for all configurations"),
    ("train.checkpoint_every", "it changes no result"),
];

/// One of those that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Configuration {
    /// As it is called in tables.
    pub name: String,
    /// How it is trained; what the comparison decides is neutral.
    pub config: TrainConfig,
}

/// All that are compared, and what is unusual about them.
pub struct Configurations {
    /// In the order they were given.
    pub all: Vec<Configuration>,
    /// Settings without effect.
    pub notes: Vec<String>,
}

impl Configurations {
    /// Lays each of `files` over `base`, whose flags win over the files, and then every combination of `variations`. Without
    /// files, `base` is the one configuration.
    ///
    /// # Errors
    /// When a file or a value cannot be used, a key may not differ, or two configurations are the same or have the same name.
    pub fn read(base: &Layers, files: &[PathBuf], variations: &[Variation]) -> Result<Self> {
        for (i, variation) in variations.iter().enumerate() {
            check_key(&variation.key)?;
            if variations[..i].iter().any(|other| other.key == variation.key) {
                bail!("--vary names {} twice; give all its values at once, separated by commas", variation.key);
            }
            if base.entries().iter().any(|(key, _, origin)| *key == variation.key && is_flag(origin)) {
                bail!("{} is given by --set and by --vary; leave one of them out", variation.key);
            }
        }
        let mut found: Vec<(Configuration, Layers)> = Vec::new();
        let mut notes = Vec::new();
        let files: Vec<Option<&Path>> =
            if files.is_empty() { vec![None] } else { files.iter().map(|file| Some(file.as_path())).collect() };
        for file in files {
            let mut layers = base.clone();
            if let Some(file) = file {
                layers.merge_file(file)?;
                for (key, value, origin) in base.entries().into_iter().filter(|(_, _, origin)| is_flag(origin)) {
                    layers.set_text(&key, &value, origin.clone())?;
                }
                notes.extend(idle_settings(&layers, file));
            }
            let stem = file.map(|file| file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            for choice in combinations(variations) {
                let mut layers = layers.clone();
                for (key, value) in &choice {
                    layers.set_text(key, value, Origin::Flag(format!("--vary {key}={value}")))?;
                }
                let configuration = Configuration { name: name(stem.as_deref(), &choice), config: neutral(&layers)? };
                found.push((configuration, layers));
            }
        }
        notes.extend(check_decided(&found)?);
        let all: Vec<Configuration> = found.into_iter().map(|(configuration, _)| configuration).collect();
        check_distinct(&all)?;
        Ok(Self { all, notes })
    }
}

impl Configuration {
    /// Its name as that of a folder.
    pub fn folder(&self) -> String {
        folder(&self.name)
    }
}

fn is_flag(origin: &Origin) -> bool {
    matches!(origin, Origin::Flag(_))
}

/// Whether `--vary` may name the key.
fn check_key(key: &str) -> Result<()> {
    if let Some((_, reason)) = DECIDED.iter().find(|(decided, _)| *decided == key) {
        bail!("{key} may not differ: {reason}");
    }
    if key.starts_with("train.adapt.") {
        bail!("{key} may not differ: it is for adaptations (train --from), and a comparison trains from the beginning");
    }
    let is_elsewhere =
        ["input.", "model.", "trigger.", "label.", "log."].iter().any(|section| key.starts_with(section));
    if is_elsewhere {
        bail!(
            "{key} has no effect on training; a comparison varies keys of [train], as in --vary train.network.cell=gru,lstm"
        );
    }
    Ok(())
}

/// What a file sets without effect here.
fn idle_settings(layers: &Layers, file: &Path) -> Vec<String> {
    let of_file = Origin::File(file.into());
    let is_idle = |key: &str| !key.starts_with("train.") || key.starts_with("train.adapt.");
    let entries = layers.entries().into_iter().filter(|(key, _, origin)| **origin == of_file && is_idle(key));
    entries
        .map(|(key, value, _)| format!("{}: {key} = {value} has no effect on a comparison", file.display()))
        .collect()
}

/// The training that `layers` describe, with what the comparison decides at values of its own.
fn neutral(layers: &Layers) -> Result<TrainConfig> {
    let train = layers.settings()?.train;
    let is_default =
        |wanted: &str| layers.entries().iter().any(|(key, _, origin)| key == wanted && **origin == Origin::Default);
    let mut config = TrainConfig {
        seed: MATERIAL_SEED,
        n_steps: 1,
        validate_every: 1,
        patience: 1,
        target_false_accepts_per_hour: 1.0,
        adapt: crate::train::AdaptConfig::default(),
        ..train
    };
    if is_default(MINE_EVERY) {
        config.mine_every = 0;
    }
    Ok(config)
}

/// Refuses configurations that differ in what they may not differ in; names what is set in vain.
fn check_decided(found: &[(Configuration, Layers)]) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (decided, reason) in DECIDED {
        let of = |layers: &Layers| {
            let entry = layers.entries().into_iter().find(|(key, ..)| key == decided);
            entry.map(|(_, value, origin)| (value, origin.clone()))
        };
        let mut values = found.iter().filter_map(|(configuration, layers)| Some((&configuration.name, of(layers)?)));
        let Some((first_name, (first, origin))) = values.next() else { continue };
        if let Some((name, (value, _))) = values.find(|(_, (value, _))| *value != first) {
            bail!("{decided} may not differ, but is {first} in {first_name} and {value} in {name}: {reason}");
        }
        if origin != Origin::Default && !matches!(decided, "train.validation_fraction" | "train.checkpoint_every") {
            notes.push(format!("{decided} = {first} ({origin}) has no effect: {reason}"));
        }
    }
    Ok(notes)
}

fn check_distinct(all: &[Configuration]) -> Result<()> {
    for (i, one) in all.iter().enumerate() {
        for other in &all[..i] {
            if one.name == other.name {
                bail!("two configurations are named {}; give their files different names", one.name);
            }
            if one.folder().to_lowercase() == other.folder().to_lowercase() {
                bail!("{} and {} would share the folder {}; rename one of them", other.name, one.name, one.folder());
            }
            if one.config == other.config {
                bail!("{} and {} are the same configuration; leave one of them out", other.name, one.name);
            }
        }
    }
    Ok(())
}

/// The file's stem, and the last part of each key that is varied with its value.
fn name(stem: Option<&str>, choice: &[(&str, &str)]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let varied = choice.iter().map(|(key, value)| {
        let is_ambiguous = choice.iter().filter(|(other, _)| last(other) == last(key)).count() > 1;
        let key = if is_ambiguous { key.trim_start_matches("train.").to_owned() } else { last(key) };
        format!("{key}={}", short(value))
    });
    let parts: Vec<String> = stem.map(str::to_owned).into_iter().chain(varied).collect();
    if parts.is_empty() { DEFAULT_NAME.into() } else { parts.join(" ") }
}

/// A value as it stands in a name: words without quotes, of a table that has a kind only that, lists without spaces.
fn short(value: &str) -> String {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    match parsed.as_ref().and_then(|table| table.get("value")) {
        Some(toml::Value::String(text)) => text.clone(),
        Some(toml::Value::Table(table)) if table.get("kind").is_some_and(toml::Value::is_str) => {
            table["kind"].as_str().unwrap_or_default().to_owned()
        }
        _ => value.chars().filter(|c| !c.is_whitespace()).collect(),
    }
}

/// A name that any file system takes and that no shell changes. What had to be changed beyond spaces, or cut, is told apart by a hash.
fn folder(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '=' | '-' | '_' | '.' | '+');
    let mut folder: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let is_safe = name.chars().all(|c| is_plain(c) || c == ' ') && !name.starts_with(['.', '-']);
    if is_safe && folder.len() <= MAX_FOLDER_LEN {
        return folder;
    }
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    folder.truncate(MAX_FOLDER_LEN - hash.len() - 1);
    format!("{}-{hash}", folder.trim_start_matches(['.', '-']))
}

/// Where `configuration` differs from the first of `all`, or for the first from any other: `key = value`.
pub(super) fn what_differs(all: &[(&str, &TrainConfig)]) -> Result<Vec<Vec<(String, serde_json::Value)>>> {
    let flat = |config: &TrainConfig| -> Result<std::collections::BTreeMap<String, serde_json::Value>> {
        let mut leaves = std::collections::BTreeMap::new();
        flatten("train", &serde_json::to_value(config).map_err(|error| anyhow!(error))?, &mut leaves);
        Ok(leaves)
    };
    let flat: Vec<_> = all.iter().map(|(_, config)| flat(config)).collect::<Result<_>>()?;
    let differs = |key: &String| flat.iter().any(|other| other.get(key) != flat[0].get(key));
    Ok(flat
        .iter()
        .map(|leaves| leaves.iter().filter(|(key, _)| differs(key)).map(|(k, v)| (k.clone(), v.clone())).collect())
        .collect())
}

fn flatten(key: &str, value: &serde_json::Value, leaves: &mut std::collections::BTreeMap<String, serde_json::Value>) {
    match value {
        serde_json::Value::Object(object) => {
            object.iter().for_each(|(name, value)| flatten(&format!("{key}.{name}"), value, leaves));
        }
        value => {
            leaves.insert(key.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(base: &Layers, files: &[PathBuf], vary: &[&str]) -> Result<Configurations> {
        let variations: Vec<Variation> = vary.iter().map(|text| Variation::parse(text).unwrap()).collect();
        Configurations::read(base, files, &variations)
    }

    #[test]
    fn every_file_meets_every_combination_and_flags_win_over_both() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let wide = file("wide.toml", "[train]\nbatch_size = 7\n[train.network]\nhidden_size = 200\n");
        let deep = file("deep.toml", "[trigger]\nthreshold = 0.4\n[train.network]\nn_layers = 4\n");
        let mut base = Layers::default();
        base.set_text("train.batch_size", "9", Origin::Flag("--set".into())).unwrap();
        let found = read(&base, &[wide, deep], &["train.network.cell=gru,lstm"]).unwrap();
        let names: Vec<&str> = found.all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["wide cell=gru", "wide cell=lstm", "deep cell=gru", "deep cell=lstm"]);
        let shapes: Vec<_> =
            found.all.iter().map(|one| (one.config.network.hidden_size, one.config.network.n_layers)).collect();
        assert_eq!(shapes, [(200, 2), (200, 2), (96, 4), (96, 4)]);
        assert!(found.all.iter().all(|one| one.config.batch_size == 9 && one.config.mine_every == 0));
        assert!(found.notes.len() == 1 && found.notes[0].contains("trigger.threshold = 0.4"), "{:?}", found.notes);
    }

    #[test]
    fn hard_negatives_are_searched_for_when_asked() {
        let found = read(&Layers::default(), &[], &["train.mine_every=0,500"]).unwrap();
        assert_eq!(found.all.iter().map(|one| one.config.mine_every).collect::<Vec<_>>(), [0, 500]);
        assert_eq!(read(&Layers::default(), &[], &[]).unwrap().all[0].name, "default");
    }

    #[test]
    fn names_are_short_and_folders_safe() {
        let table = "{ kind = \"pcen\", gain = 0.9 }";
        let choice = [("train.features.compression", table), ("train.network.cell", "\"gru\"")];
        assert_eq!(name(Some("own"), &choice), "own compression=pcen cell=gru");
        assert_eq!(folder("own compression=pcen cell=gru"), "own_compression=pcen_cell=gru");
        let two = [("train.mix.warp", "[0.9, 1.1]"), ("train.adapt.warp", "[1, 2]")];
        assert_eq!(name(None, &two), "mix.warp=[0.9,1.1] adapt.warp=[1,2]");
        for hard in ["../up", ".hidden", "a/b", "warp=[1,2]", &"long ".repeat(40)] {
            let safe = folder(hard);
            assert!(safe.len() <= MAX_FOLDER_LEN && !safe.starts_with('.') && !safe.contains('/'), "{safe}");
            assert_ne!(safe, folder(&format!("{hard}!")), "changed names stay apart");
        }
    }
}
