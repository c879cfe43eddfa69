//! What a trained model misses on the validation streams, as `tripword eval` measures it.

use super::result::{Measured, WordMeasured};
use crate::bundle::Bundle;
use crate::eval::{Condition, StepTiming, Target, TracedStreams, WordScores, choose_threshold};
use crate::parallel;
use crate::train::ValidationSet;

/// Hears the streams and counts, at the lowest threshold of each word that keeps to `target_fa_per_hour` in all of them together.
pub(super) fn measure(bundle: &Bundle, set: &ValidationSet, target_fa_per_hour: f64) -> Measured {
    let timing = StepTiming::new(&bundle.manifest.features, &bundle.manifest.model);
    let mut conditions: Vec<Condition> = Vec::new();
    for condition in &set.positive_conditions {
        if !conditions.contains(condition) {
            conditions.push(*condition);
        }
    }
    let mut positives: Vec<TracedStreams> =
        conditions.iter().map(|_| TracedStreams { streams: Vec::new(), timing }).collect();
    let heard = TracedStreams::new(&bundle.network, timing, &set.positives);
    for (stream, of) in heard.streams.into_iter().zip(&set.positive_conditions) {
        let idx = conditions.iter().position(|condition| condition == of).expect("every condition is listed");
        positives[idx].streams.push(stream);
    }
    let negatives = TracedStreams::new(&bundle.network, timing, &set.negatives);
    let of_word = |_: &mut (), word_idx: &usize| {
        let word = &bundle.manifest.words[*word_idx];
        let spoken: Vec<WordScores> = positives.iter().map(|streams| streams.word(*word_idx, word.trigger)).collect();
        let other = negatives.word(*word_idx, word.trigger);
        let all: Vec<&WordScores> = spoken.iter().chain([&other]).collect();
        let point = choose_threshold(&all, word.trigger, Target::point(target_fa_per_hour));
        let trigger = word.trigger.with_threshold(point.threshold);
        let missed = |scores: &WordScores| {
            let outcome = scores.outcome(trigger);
            [outcome.n_missed, outcome.n_spoken]
        };
        WordMeasured {
            word: word.name.clone(),
            threshold: point.threshold,
            n_false_accepts: point.n_false_accepts,
            missed: spoken.iter().map(missed).collect(),
        }
    };
    let word_idxs: Vec<usize> = (0..bundle.manifest.words.len()).collect();
    let words = parallel::map("tw-measure", &word_idxs, parallel::n_cores(), || (), of_word, &|_, _| {});
    let hours = positives.iter().chain([&negatives]).map(TracedStreams::negative_hours).sum();
    Measured { conditions: conditions.iter().map(Condition::to_string).collect(), words, hours }
}
