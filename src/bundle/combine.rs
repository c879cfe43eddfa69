//! Several models as one.

use serde_json::{Value, json};

use super::{Bundle, BundleError, Manifest};
use crate::difference::first_difference;
use crate::model::{SecondLookConfig, Weights};

/// One model whose networks are those of all `models`, given with their places: the mean of their logits decides, always or, with
/// a second look, around what the first takes for a word. Features, shape and words must be the same. Thresholds and timing are
/// those of the first and suit the mean only roughly; measured figures are left out.
///
/// # Errors
/// When two models differ; what differs is named. When the second look is not possible.
pub fn combine(
    models: &[(String, Bundle)],
    second_look: Option<SecondLookConfig>,
) -> Result<(Manifest, Weights), BundleError> {
    let essence = |manifest: &Manifest| -> Value {
        let words: Vec<&str> = manifest.words.iter().map(|word| word.name.as_str()).collect();
        json!({ "features": manifest.features, "model": manifest.model, "words": words })
    };
    let (first_place, first) = &models[0];
    for (place, model) in &models[1..] {
        let difference = first_difference("", &essence(&first.manifest), &essence(&model.manifest));
        if let Some((key, expected, found)) = difference {
            let other = first_place.clone();
            return Err(BundleError::Combine { place: place.clone(), other, key, found, expected });
        }
    }
    if let Some(look) = &second_look {
        let error = |source| BundleError::Model { place: "the second look".into(), source };
        look.validate(&first.manifest.model).map_err(error)?;
    }
    let mut networks = Vec::new();
    for (place, model) in models {
        for network in model.weights.networks() {
            let weights = network.and_then(|network| network.weights());
            networks.push(weights.map_err(|source| BundleError::Weights { place: place.clone(), source })?);
        }
    }
    let mut manifest = first.manifest.clone();
    manifest.second_look = second_look;
    let training = &mut manifest.training;
    training.validation_miss_rate.clear();
    training.notes.clear();
    let mut provenance = Vec::new();
    for (_, model) in models {
        let Manifest { name, training: own, .. } = &model.manifest;
        training
            .notes
            .push(format!("{name}: seed {}, {} steps, weights of step {}", own.seed, own.n_steps, own.best_step));
        training.notes.extend(own.notes.iter().map(|note| format!("{name}: {note}")));
        for entry in &model.manifest.provenance {
            if !provenance.contains(entry) {
                provenance.push(entry.clone());
            }
        }
    }
    let who = match second_look {
        Some(look) => format!(
            "; all but the first listen only around what it takes for a word (probability {})",
            look.proposal_probability
        ),
        None => String::new(),
    };
    let note = format!("the mean of {} networks decides{who}; the thresholds were the first one's", networks.len());
    training.notes.insert(0, note);
    manifest.provenance = provenance;
    Ok((manifest, Weights::joined(&networks)))
}
