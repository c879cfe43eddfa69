//! Layers of keys and values, laid over each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{ConfigError, DEFAULT_TOML, Settings};
use crate::names::same_word;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `config/default.toml`.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// A command-line flag, as the user wrote it.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// Below this key the names are the user's: one table for each word.
const WORDS_TABLE: &str = "trigger.words";
/// A table that is set as a whole: which keys it has depends on its `kind`.
const WHOLE_TABLE: &str = "train.features.compression";
/// Below this key the names are those of the user's folders, the values factors.
const SOURCES_TABLE: [&str; 3] = ["train", "mix", "source_weights"];

/// All values in force and where each came from.
#[derive(Debug, Clone)]
pub struct Layers {
    table: Table,
    origins: BTreeMap<String, Origin>,
}

impl Default for Layers {
    fn default() -> Self {
        let table = defaults();
        let origins = leaves("", &table).into_iter().map(|(key, _)| (key, Origin::Default)).collect();
        Self { table, origins }
    }
}

impl Layers {
    /// Lays a file over what is there.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or has an unknown key or a value of the wrong kind.
    pub fn merge_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let table: Table = toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.into(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        for (key, value) in leaves("", &table) {
            self.set(&key, value, Origin::File(path.into()))?;
        }
        Ok(())
    }

    /// Sets one key.
    ///
    /// # Errors
    /// When there is no such key, or the value is of the wrong kind.
    pub fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), ConfigError> {
        let key = &self.canonical(key);
        let value = match expected_like(key) {
            None => {
                return Err(ConfigError::UnknownKey {
                    origin: origin.to_string(),
                    nearest: nearest(key),
                    key: key.into(),
                });
            }
            Some(expected) => coerce(key, value, &expected, &origin)?,
        };
        let mut path = split_key(key);
        let last = path.pop().expect("a key has at least one part");
        let mut table = &mut self.table;
        for part in path {
            table = table
                .entry(part)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .expect("inner parts of a known key are tables");
        }
        table.insert(last, value);
        self.origins.insert(key.to_owned(), origin);
        self.drop_word_rules(key);
        Ok(())
    }

    /// The key as it is kept: a word that already has rules keeps its first spelling, and names are quoted only where they must be.
    fn canonical(&self, key: &str) -> String {
        let mut parts = split_key(key);
        if let [trigger, words, word, _] = &mut parts[..]
            && (trigger.as_str(), words.as_str()) == ("trigger", "words")
            && let Some(known) = self.table.get("trigger").and_then(|trigger| trigger.get("words"))
            && let Some(spelling) = known.as_table().and_then(|words| words.keys().find(|known| same_word(known, word)))
        {
            *word = spelling.clone();
        }
        parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".")
    }

    /// A rule for every word replaces those for single words that were laid earlier: what comes later wins. In a file the
    /// rules for single words come after those for all.
    fn drop_word_rules(&mut self, key: &str) {
        let Some(rule) = key.strip_prefix("trigger.").filter(|rule| !rule.contains('.')) else { return };
        let words = self.table.get_mut("trigger").and_then(|trigger| trigger.get_mut("words"));
        for rules in words.and_then(Value::as_table_mut).into_iter().flat_map(|words| words.iter_mut()) {
            if let Some(rules) = rules.1.as_table_mut() {
                rules.remove(rule);
            }
        }
        let is_replaced = |name: &str| name.starts_with(WORDS_TABLE) && name.ends_with(&format!(".{rule}"));
        self.origins.retain(|name, _| !is_replaced(name));
    }

    /// Sets a key from text as in `key=value`; a value that is not TOML is taken as a string.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_text(&mut self, key: &str, value: &str, origin: Origin) -> Result<(), ConfigError> {
        let parsed = toml::from_str::<Table>(&format!("value = {value}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.to_owned()));
        self.set(key, parsed, origin)
    }

    /// The settings in force.
    ///
    /// # Errors
    /// When a value is out of range; its origin is named.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let settings: Settings = Value::Table(self.table.clone()).try_into().map_err(|error: toml::de::Error| {
            ConfigError::Value { origin: "configuration".into(), reason: error.to_string().trim_end().to_owned() }
        })?;
        settings.validate().map_err(|(key, reason)| {
            // The key itself, or the key below it that the sentence names.
            let below =
                || self.origins.iter().find(|(name, _)| name.starts_with(key) && reason.contains(name.as_str()));
            let origin = self.origins.get(key).or_else(|| below().map(|(_, origin)| origin));
            ConfigError::Value { origin: origin.unwrap_or(&Origin::Default).to_string(), reason }
        })?;
        Ok(settings)
    }

    /// Every key with its value as TOML and its origin, sorted by key.
    pub fn entries(&self) -> Vec<(String, String, &Origin)> {
        let mut entries: Vec<_> = leaves("", &self.table)
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origins.get(&key).unwrap_or(&Origin::Default);
                (key, value.to_string(), origin)
            })
            .collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries
    }
}

fn defaults() -> Table {
    toml::from_str(DEFAULT_TOML).expect("config/default.toml is valid TOML")
}

/// Every value that is not a table, and the table that is set as a whole, with its dotted key. Empty tables have no leaves.
fn leaves(prefix: &str, table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let name = quoted(name);
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if key != WHOLE_TABLE => found.extend(leaves(&key, inner)),
            value => found.push((key, value.clone())),
        }
    }
    found
}

/// A name as part of a dotted key.
fn quoted(name: &str) -> String {
    if name.is_empty() || name.contains(['.', ' ']) { format!("\"{name}\"") } else { name.to_owned() }
}

/// The parts of a dotted key; parts with dots or spaces are quoted.
fn split_key(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for c in key.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            c => parts.last_mut().expect("never empty").push(c),
        }
    }
    parts
}

/// The default value of `key`, whose kind a new value must have; `None` when there is no such key.
fn expected_like(key: &str) -> Option<Value> {
    let parts = split_key(key);
    let look_up = |parts: &[&str]| {
        let mut value = Value::Table(defaults());
        for part in parts {
            value = value.as_table()?.get(*part)?.clone();
        }
        (!value.is_table() || parts.join(".") == WHOLE_TABLE).then_some(value)
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        // A word's own rule has the keys of the general one.
        ["trigger", "words", _, rule] => look_up(&["trigger", rule]),
        [a, b, c, _] if [a, b, c] == SOURCES_TABLE => Some(Value::Float(1.0)),
        _ => look_up(&parts),
    }
}

fn nearest(key: &str) -> String {
    let defaults = defaults();
    let mut keys: Vec<String> = leaves("", &defaults).into_iter().map(|(key, _)| key).collect();
    if let ["trigger", "words", word, _] = split_key(key).iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let rules = defaults["trigger"].as_table().expect("a table").keys();
        keys = rules.filter(|rule| *rule != "words").map(|rule| format!("{WORDS_TABLE}.{word}.{rule}")).collect();
    }
    // A key alone is likely to be meant without its section: compare with the last part, too.
    let similarity = |known: &String| {
        let last = known.rsplit('.').next().unwrap_or(known);
        let asked_last = key.rsplit('.').next().unwrap_or(key);
        strsim::jaro_winkler(known, key).max(0.95 * strsim::jaro_winkler(last, asked_last))
    };
    keys.into_iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b))).expect("there are keys")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
        Value::Datetime(_) => "a date",
    }
}

/// The word by which a trigger setting leaves the decision to the model.
const FROM_MODEL: &str = "model";

fn coerce(key: &str, value: Value, expected: &Value, origin: &Origin) -> Result<Value, ConfigError> {
    let from_model = expected.as_str() == Some(FROM_MODEL);
    let negative = || ConfigError::Value {
        origin: origin.to_string(),
        reason: format!("{key} is {value}; expected a number from 0 on"),
    };
    match (&value, expected) {
        (Value::Integer(..0), Value::Integer(_)) => Err(negative()),
        (Value::Integer(..0), Value::String(_)) if from_model => Err(negative()),
        (Value::Float(number), Value::String(_)) if from_model && *number < 0.0 => Err(negative()),
        (Value::Integer(number), Value::Float(_)) => Ok(Value::Float(*number as f64)),
        (Value::Integer(_) | Value::Float(_), Value::String(_)) if from_model => Ok(value),
        (Value::String(text), _) if from_model && text == FROM_MODEL => Ok(value),
        _ if !from_model && value.same_type(expected) => Ok(value),
        _ => Err(ConfigError::WrongType {
            origin: origin.to_string(),
            key: key.into(),
            found: kind(&value),
            expected: if from_model { "a number or \"model\"" } else { kind(expected) },
            example: expected.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag() -> Origin {
        Origin::Flag("--set".into())
    }

    #[test]
    fn the_defaults_are_settings() {
        Layers::default().settings().unwrap();
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = Layers::default().set_text("trigger.treshold", "0.5", flag()).unwrap_err().to_string();
        assert!(error.contains("'trigger.treshold'") && error.contains("'trigger.threshold'"), "{error}");
        let error = Layers::default().set_text("trigger.words.alexa.smothing_ms", "5", flag()).unwrap_err();
        assert!(error.to_string().contains("'trigger.words.alexa.smoothing_ms'"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_shows_the_right_one() {
        let error = Layers::default().set_text("label.n_jobs", "many", flag()).unwrap_err().to_string();
        assert_eq!(error, "--set: label.n_jobs is text; expected a whole number, as in 'label.n_jobs = 0'");
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let mut layers = Layers::default();
        layers.set_text("trigger.threshold", "1", flag()).unwrap();
        layers.set_text("trigger.words.\"view glass\".threshold", "0.7", flag()).unwrap();
        let settings = layers.settings().unwrap();
        assert_eq!(settings.trigger.words["view glass"].threshold, Some(super::super::Override::Value(0.7)));
        let entries = layers.entries();
        let (_, value, origin) = entries.iter().find(|(key, ..)| key == "trigger.threshold").unwrap();
        assert_eq!((value.as_str(), *origin), ("1", &flag()));
    }

    #[cfg(feature = "train")]
    #[test]
    fn the_file_of_defaults_says_what_the_code_says() {
        assert_eq!(Layers::default().settings().unwrap().train, crate::train::TrainConfig::default());
    }

    #[cfg(feature = "train")]
    #[test]
    fn the_kind_of_compression_decides_its_keys() {
        let mut layers = Layers::default();
        let pcen = "{ kind = \"pcen\", smoothing = 0.025, gain = 0.98, bias = 2.0, power = 0.5, epsilon = 1e-9 }";
        layers.set_text("train.features.compression", pcen, flag()).unwrap();
        let compression = layers.settings().unwrap().train.features.compression;
        assert!(format!("{compression:?}").starts_with("Pcen"), "{compression:?}");
        layers.set_text("train.features.compression", "{ kind = \"pcen\", floor = 1e-8 }", flag()).unwrap();
        assert!(layers.settings().is_err());
    }

    #[test]
    fn names_of_the_users_own_folders_are_taken() {
        let mut layers = Layers::default();
        layers.set_text("train.mix.source_weights.radio", "2", flag()).unwrap();
        assert!(
            layers.entries().iter().any(|(key, value, _)| key == "train.mix.source_weights.radio" && value == "2.0")
        );
    }

    #[test]
    fn a_rule_for_every_word_replaces_earlier_ones_for_single_words() {
        let mut layers = Layers::default();
        layers.set_text("trigger.words.alexa.threshold", "0.1", flag()).unwrap();
        layers.set_text("trigger.words.alexa.refractory_ms", "500", flag()).unwrap();
        layers.set_text("trigger.threshold", "0.9", flag()).unwrap();
        let settings = layers.settings().unwrap();
        assert_eq!(settings.trigger.words["alexa"].threshold, None);
        assert_eq!(settings.trigger.words["alexa"].refractory_ms, Some(super::super::Override::Value(500)));
        layers.set_text("trigger.words.alexa.threshold", "0.3", flag()).unwrap();
        assert!(layers.settings().unwrap().trigger.words["alexa"].threshold.is_some(), "what comes later wins");
    }

    #[test]
    fn spellings_of_a_word_are_one_entry() {
        let mut layers = Layers::default();
        layers.set_text("trigger.words.\"view glass\".threshold", "0.9", flag()).unwrap();
        layers.set_text("trigger.words.View_Glass.threshold", "0.1", flag()).unwrap();
        let words = layers.settings().unwrap().trigger.words;
        assert_eq!(words.len(), 1);
        assert_eq!(words["view glass"].threshold, Some(super::super::Override::Value(0.1)));
    }

    #[test]
    fn negative_numbers_are_refused_with_their_origin() {
        for (key, value) in [("label.n_jobs", "-1"), ("trigger.smoothing_ms", "-1"), ("trigger.threshold", "-0.5")] {
            let error = Layers::default().set_text(key, value, flag()).unwrap_err().to_string();
            assert!(error.contains(&format!("--set: {key} is {value}")), "{error}");
        }
    }

    #[cfg(feature = "train")]
    #[test]
    fn training_settings_are_checked_before_anything_is_read() {
        for (key, value) in [
            ("train.features.hop_length_samples", "0"),
            ("train.features.n_mels", "0"),
            ("train.network.convolutions", "[{ channels = 4, kernel = 2, stride = 0 }]"),
            ("train.patience", "0"),
            ("train.clip_norm", "-1.0"),
            ("train.n_shards", "1000"),
            ("train.mix.snr_db", "[10.0, -10.0]"),
        ] {
            let mut layers = Layers::default();
            layers.set_text(key, value, flag()).unwrap();
            let error = layers.settings().unwrap_err().to_string();
            assert!(error.starts_with("--set: ") || error.contains("convolutions"), "{key}: {error}");
        }
    }

    #[test]
    fn a_value_out_of_range_names_its_origin() {
        let mut layers = Layers::default();
        layers.set_text("input.pcm_rate_hz", "0", flag()).unwrap();
        let error = layers.settings().unwrap_err().to_string();
        assert!(error.starts_with("--set: input.pcm_rate_hz is 0"), "{error}");
    }
}
