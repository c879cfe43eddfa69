//! Whatever reads a file answers damage with an error, never with a panic. (WAV files: `audio_wav.rs`.)

mod common;

use common::{manifest, random_weights};
use proptest::prelude::*;
use tripword::bundle::{Bundle, Location, save};
use tripword::config::{Layers, Origin};
use tripword::model::WeightsFile;

/// Changes, removes or doubles stretches of `bytes`.
fn damage(bytes: &mut Vec<u8>, edits: &[(usize, u8, u8)]) {
    for &(place, kind, value) in edits {
        let at = place % (bytes.len() + 1);
        let end = (at + usize::from(value) % 16).min(bytes.len());
        match kind % 4 {
            0 if at < bytes.len() => bytes[at] = value,
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, value),
            _ => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..12)
}

fn read_weights(bytes: &[u8]) {
    if let Ok((file, _)) = WeightsFile::read(bytes.to_vec().into()) {
        let _ = file.all();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_model_is_refused_or_sound(on_manifest in edits(), on_weights in edits(), which in 0u8..3) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let original = manifest(&["alpha", "beta"]);
        let weights = random_weights(&original.model, original.features.n_mels, 2, 1);
        save(&path, original, &weights, "").unwrap();
        if which != 1 {
            let file = path.join("manifest.toml");
            let mut bytes = std::fs::read(&file).unwrap();
            damage(&mut bytes, &on_manifest);
            std::fs::write(&file, bytes).unwrap();
        }
        if which != 0 {
            let file = path.join("weights.safetensors");
            let mut bytes = std::fs::read(&file).unwrap();
            damage(&mut bytes, &on_weights);
            std::fs::write(&file, bytes).unwrap();
        }
        if let Err(error) = Bundle::load(&Location::Folder(path)) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn damaged_weights_are_no_weights(bytes in prop::collection::vec(any::<u8>(), 0..400), on_real in edits()) {
        read_weights(&bytes);
        let original = manifest(&["alpha"]);
        let weights = random_weights(&original.model, original.features.n_mels, 1, 1);
        let mut real = weights.to_safetensors(Default::default()).unwrap();
        damage(&mut real, &on_real);
        read_weights(&real);
    }

    #[test]
    fn any_configuration_text_is_settings_or_an_error(on_text in edits(), key in ".{0,40}", value in ".{0,40}") {
        let mut bytes = tripword::config::DEFAULT_TOML.as_bytes().to_vec();
        damage(&mut bytes, &on_text);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut layers = Layers::default();
        if layers.merge_file(file.path()).is_ok() {
            let _ = layers.settings();
        }
        let _ = layers.set_text(&key, &value, Origin::Flag("--set".into()));
        let _ = layers.settings();
    }
}
