//! The end of a training: thresholds, timing, manifest, card.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::Trained;
use super::card::card;
use super::curve::{LearningCurve, Tally};
use super::expectation::{Expectation, TestedOn, WordExpectation};
use super::request::TrainRequest;
use super::validation::ValidationTraces;
use crate::bundle::{TrainingSummary, WordEntry, save};
use crate::detector::WordTiming;
use crate::model::Weights;
use crate::units::{Milliseconds, SampleRate};

/// What the loop knows of the run.
pub(super) struct ModelText {
    pub(super) n_steps: u64,
    pub(super) best_step: u64,
}

/// Chooses the thresholds on the validation streams, measures the timing, and writes the folder.
pub(super) fn finish(
    request: &TrainRequest,
    text: ModelText,
    weights: &Weights,
    traces: &ValidationTraces,
    curve: Option<LearningCurve>,
) -> Result<Trained> {
    let config = &request.config;
    let validation = traces.validate(request.words.len(), config.trigger, config.target_false_accepts_per_hour);
    let step_samples = config.network.samples_per_step(config.features.hop_length_samples);
    let step_ms = Milliseconds::from_samples(step_samples, SampleRate::MODEL).0;
    let n_conditions = request.validation.n_conditions.max(1);
    let tallies = tallies(request, traces, curve.as_ref());
    let mut notes = request.manifest.training.notes.clone();
    notes.extend(curve.is_some().then(|| CURVE_NOTE.to_owned()));
    let mut manifest = request.manifest.clone();
    manifest.words = request
        .words
        .iter()
        .enumerate()
        .zip(&validation.words)
        .map(|((word_idx, name), result)| WordEntry {
            name: name.clone(),
            trigger: config.trigger.with_threshold(result.point.threshold),
            timing: WordTiming {
                typical_duration_ms: typical_duration(request, word_idx),
                // The decision comes after the crossing by the minimum duration, less the step that crosses.
                crossing_delay_ms: result.outcome.median_latency_ms().map_or(
                    WordTiming::default().crossing_delay_ms,
                    |decision_ms| {
                        let held_ms = config.trigger.min_duration_ms.0.saturating_sub(step_ms);
                        Milliseconds((decision_ms - i64::from(held_ms)).max(0) as u32)
                    },
                ),
            },
        })
        .collect();
    let by_word = |value: &dyn Fn(usize) -> f64| {
        request.words.iter().enumerate().map(|(i, name)| (name.clone(), value(i))).collect()
    };
    let counts = |value: &dyn Fn(usize) -> usize| {
        request.words.iter().enumerate().map(|(i, name)| (name.clone(), value(i))).collect()
    };
    let example_s = config.mix.duration_s();
    manifest.training = TrainingSummary {
        tripword_version: env!("CARGO_PKG_VERSION").into(),
        finished_at: jiff::Timestamp::now().round(jiff::Unit::Second)?.to_string(),
        seed: config.seed,
        n_steps: text.n_steps,
        best_step: text.best_step,
        mixed_hours: round(text.n_steps as f64 * config.batch_size as f64 * example_s / 3600.0, 1),
        n_training_clips: counts(&|i| request.bank.n_clips(i)),
        n_validation_clips: counts(&|i| validation.words[i].outcome.n_spoken / n_conditions),
        n_validation_conditions: n_conditions,
        validation_negative_hours: round(request.validation.different_hours, 2),
        target_false_accepts_per_hour: config.target_false_accepts_per_hour,
        validation_miss_rate: by_word(&|i| {
            // What an adaptation has learned from tells nothing.
            let rate = match &request.adaptation {
                Some(_) => tallies[i].miss_rate(),
                None => validation.words[i].outcome.miss_rate(),
            };
            round(rate, 4)
        }),
        notes,
    };
    let words = request.words.iter().zip(&tallies).zip(&validation.words).enumerate();
    let expectation = Expectation {
        tested_on: if tallies.iter().all(|tally| tally.clean[1] == 0) { TestedOn::Nothing } else { request.tested_on },
        words: words
            .map(|(i, ((word, &missed), result))| WordExpectation {
                word: word.clone(),
                missed,
                n_false_accepts: result.point.n_false_accepts,
                n_clips: request.bank.n_clips(i),
                n_speakers: request.n_speakers.get(i).copied().flatten(),
            })
            .collect(),
        hours: manifest.training.validation_negative_hours,
        n_conditions,
        snr_db: request.validation.snr_db,
        target_per_hour: config.target_false_accepts_per_hour,
        curve,
    };
    let text = card(&manifest);
    let manifest = save(&request.destination, manifest, weights, &text)?;
    Ok(Trained { manifest, expectation })
}

/// How the miss rates of an adaptation came about, for the manifest.
const CURVE_NOTE: &str = "every recording of the words was learned from: the miss rates are those of shorter trainings with two thirds \
                          of them, tested on the rest";

/// What is missed of the recordings that were not learned from, word by word; where there are none, what two thirds of the
/// recordings taught to hear of the rest.
fn tallies(request: &TrainRequest, traces: &ValidationTraces, curve: Option<&LearningCurve>) -> Vec<Tally> {
    let learned: HashSet<&Path> = request.bank.positives.iter().map(|clip| clip.path.as_path()).collect();
    let n_words = request.words.len();
    let held_out = traces.tallies(&request.config, n_words, &|path| !learned.contains(path));
    let of_curve = curve.and_then(|curve| curve.points.last()).map_or(&[][..], |point| &point.words);
    // A clip that was no use to learn from is held out, too, but one alone tells less than the curve.
    let measured = |(i, tally): (usize, Tally)| match of_curve.get(i) {
        Some(curve) if curve.clean[1] > tally.clean[1] => *curve,
        _ => tally,
    };
    held_out.into_iter().enumerate().map(measured).collect()
}

/// The median length of the word's training clips.
fn typical_duration(request: &TrainRequest, word_idx: usize) -> Milliseconds {
    let mut durations = request.bank.word_durations_samples(word_idx);
    durations.sort_unstable();
    durations.get(durations.len() / 2).map_or(WordTiming::default().typical_duration_ms, |&samples| {
        Milliseconds::from_samples(samples, SampleRate::MODEL)
    })
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
