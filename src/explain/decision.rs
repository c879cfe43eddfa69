//! What the decision rule made of each step near the moment.

use std::ops::Range;

use serde::Serialize;

use crate::bundle::Manifest;
use crate::detector::{Trigger, TriggerConfig, Verdict};
use crate::events::WakeEvent;
use crate::label::{HeardTrack, LabelError, Observer};
use crate::pipeline::{StepScores, samples_per_step};
use crate::units::{Milliseconds, SampleRate};

/// What became of a word in the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The word.
    pub word: String,
    /// The rule in force.
    pub rule: TriggerConfig,
    /// Which part of the rule decided.
    pub reason: Reason,
    /// Highest score in the window, the probability after smoothing; 0 if no step ends there.
    pub best_score: f32,
    /// When it was, in seconds.
    pub best_score_at_s: f64,
    /// Highest probability in the window, before smoothing.
    pub best_probability: f32,
    /// When it was, in seconds.
    pub best_probability_at_s: f64,
}

/// Which part of the rule decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Reason {
    /// All of it agreed: there are events.
    Fired {
        /// Those decided in the window.
        events: Vec<WakeEvent>,
    },
    /// The score did not reach the threshold, nor did the probability before smoothing.
    Threshold,
    /// The probability reached the threshold, the mean over the smoothing window did not.
    Smoothing {
        /// For how long the probability was at or above it, in the window.
        above: Milliseconds,
    },
    /// The score reached the threshold, for a shorter time than it must.
    MinDuration {
        /// For how long at most.
        lasted: Milliseconds,
    },
    /// The score reached the threshold too soon after an event.
    Refractory {
        /// When that was decided, in seconds.
        event_at_s: f64,
        /// Until when nothing could trigger, in seconds.
        until_s: f64,
    },
    /// The score had not fallen below the release threshold since an event.
    Release {
        /// When that was decided, in seconds.
        event_at_s: f64,
    },
    /// The stream had only begun.
    WarmUp {
        /// Until when nothing could trigger, in seconds.
        until_s: f64,
    },
}

impl Decision {
    /// How near the word came to its threshold; beyond 1 it reached it.
    pub(super) fn nearness(&self) -> f32 {
        self.best_score / self.rule.threshold
    }

    /// Where the word is, or would be, at the model's rate.
    pub(super) fn word_samples(&self, manifest: &Manifest) -> Range<u64> {
        if let Reason::Fired { events } = &self.reason
            && let Some(event) = events.first()
        {
            return event.start_sample..event.end_sample;
        }
        let timing =
            manifest.words.iter().find(|word| word.name == self.word).map(|word| word.timing).unwrap_or_default();
        let rate = SampleRate::MODEL;
        let end = rate.samples(self.best_score_at_s).saturating_sub(timing.crossing_delay_ms.samples(rate));
        end.saturating_sub(timing.typical_duration_ms.samples(rate))..end
    }
}

/// The triggers of all words, run along, and what they made of the steps that end in the window.
pub(super) struct Decisions {
    words: Vec<WordSteps>,
    window: Range<u64>,
    warm_up_samples: u64,
    step_samples: u64,
}

struct WordSteps {
    trigger: Trigger,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    end_sample: u64,
    probability: f32,
    score: f32,
    /// None during the warm-up.
    verdict: Option<Verdict>,
}

impl Decisions {
    pub(super) fn new(manifest: &Manifest, window: Range<u64>) -> Self {
        let (rate, step_samples) = (manifest.features.sample_rate(), samples_per_step(manifest));
        let words = manifest.words.iter().map(|word| Trigger::new(word.trigger, rate, step_samples));
        Self {
            words: words.map(|trigger| WordSteps { trigger, steps: Vec::new() }).collect(),
            window,
            warm_up_samples: manifest.model.warm_up_ms.samples(rate),
            step_samples,
        }
    }

    pub(super) fn observer(&mut self) -> Box<dyn Observer + '_> {
        Box::new(Watching(self))
    }

    fn push(&mut self, step: StepScores) {
        let end_sample = step.end_sample;
        let is_in_window = self.window.contains(&end_sample);
        let of_words = step.probabilities.iter().zip(step.scores);
        for (word, (&probability, &score)) in self.words.iter_mut().zip(of_words) {
            let verdict = (end_sample > self.warm_up_samples).then(|| word.trigger.decide(end_sample, score));
            if is_in_window {
                word.steps.push(Step { end_sample, probability, score, verdict });
            }
        }
    }

    /// What became of each word; `events` are those of the whole track.
    pub(super) fn explained(&self, manifest: &Manifest, events: &[WakeEvent]) -> Vec<Decision> {
        let seconds = |sample| SampleRate::MODEL.seconds(sample);
        let words = manifest.words.iter().zip(&self.words);
        words
            .map(|(word, WordSteps { steps, .. })| {
                let of_word: Vec<&WakeEvent> = events.iter().filter(|event| event.word == word.name).collect();
                let best = |value: fn(&Step) -> f32| steps.iter().max_by(|a, b| value(a).total_cmp(&value(b)));
                let (score, probability) = (best(|step| step.score), best(|step| step.probability));
                let at = |step: Option<&Step>| seconds(step.map_or(self.window.start, |step| step.end_sample));
                Decision {
                    word: word.name.clone(),
                    rule: word.trigger,
                    reason: self.reason(steps, &of_word, &word.trigger),
                    best_score: score.map_or(0.0, |step| step.score),
                    best_score_at_s: at(score),
                    best_probability: probability.map_or(0.0, |step| step.probability),
                    best_probability_at_s: at(probability),
                }
            })
            .collect()
    }

    fn reason(&self, steps: &[Step], events: &[&WakeEvent], rule: &TriggerConfig) -> Reason {
        let rate = SampleRate::MODEL;
        let in_window = events.iter().filter(|event| self.window.contains(&event.time_sample));
        let fired: Vec<WakeEvent> = in_window.map(|&event| event.clone()).collect();
        if !fired.is_empty() {
            return Reason::Fired { events: fired };
        }
        // The moment that was nearest to an event tells what stood against one.
        let reached = steps.iter().filter(|step| step.score >= rule.threshold);
        let Some(best) = reached.max_by(|a, b| a.score.total_cmp(&b.score)) else {
            let n_above = steps.iter().filter(|step| step.probability >= rule.threshold).count() as u64;
            let above = Milliseconds::from_samples(n_above * self.step_samples, rate);
            return if n_above > 0 { Reason::Smoothing { above } } else { Reason::Threshold };
        };
        let event_before = events.iter().rev().find(|event| event.time_sample <= best.end_sample);
        let event_at_s = event_before.map_or(0.0, |event| event.time_s);
        match best.verdict {
            None => Reason::WarmUp { until_s: rate.seconds(self.warm_up_samples) },
            Some(Verdict::Refractory { until }) => Reason::Refractory { event_at_s, until_s: rate.seconds(until) },
            Some(Verdict::TooShort { .. }) => {
                let lasted = steps.iter().filter_map(|step| match step.verdict {
                    Some(Verdict::TooShort { lasted_samples }) => Some(lasted_samples),
                    _ => None,
                });
                Reason::MinDuration { lasted: Milliseconds::from_samples(lasted.max().unwrap_or(0), rate) }
            }
            // A score at the threshold that is neither of these belongs to an event before the window.
            Some(Verdict::Held | Verdict::Fired(_) | Verdict::Below) => Reason::Release { event_at_s },
        }
    }
}

/// Runs the triggers along.
struct Watching<'a>(&'a mut Decisions);

impl Observer for Watching<'_> {
    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        self.0.push(step);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut HeardTrack) -> Result<(), LabelError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 1280;

    fn reason(rule: TriggerConfig, scores: &[f32], window: Range<u64>, events: &[u64]) -> Reason {
        let word = Trigger::new(rule, SampleRate::MODEL, STEP);
        let mut decisions = Decisions {
            words: vec![WordSteps { trigger: word, steps: Vec::new() }],
            window,
            warm_up_samples: 2 * STEP,
            step_samples: STEP,
        };
        for (i, &score) in scores.iter().enumerate() {
            let end_sample = (i as u64 + 1) * STEP;
            decisions.push(StepScores { end_sample, probabilities: &[score.sqrt()], scores: &[score] });
        }
        let events: Vec<WakeEvent> = events.iter().map(|&time_sample| event(time_sample)).collect();
        decisions.reason(&decisions.words[0].steps, &events.iter().collect::<Vec<_>>(), &rule)
    }

    fn event(time_sample: u64) -> WakeEvent {
        let time_s = SampleRate::MODEL.seconds(time_sample);
        serde_json::from_value(serde_json::json!({
            "version": 1, "file": "a", "word": "w", "score": 0.9, "start_s": 0.0, "end_s": 0.0, "time_s": time_s,
            "start_sample": 0, "end_sample": 0, "time_sample": time_sample, "detection_latency_ms": 0, "model": "m",
        }))
        .unwrap()
    }

    #[test]
    fn each_part_of_the_rule_is_named_when_it_decides() {
        let rule = TriggerConfig { refractory_ms: Milliseconds(800), ..TriggerConfig::default() };
        let all = 0..u64::MAX;
        let step_s = 0.08;
        assert_eq!(reason(rule, &[0.0, 0.0, 0.2, 0.1], all.clone(), &[]), Reason::Threshold);
        let above = Milliseconds(160);
        assert_eq!(reason(rule, &[0.0, 0.0, 0.3, 0.4], all.clone(), &[]), Reason::Smoothing { above });
        assert_eq!(reason(rule, &[0.9, 0.9, 0.0], all.clone(), &[]), Reason::WarmUp { until_s: 2.0 * step_s });
        let patient = TriggerConfig { min_duration_ms: Milliseconds(300), ..rule };
        let lasted = Milliseconds(160);
        assert_eq!(reason(patient, &[0.0, 0.0, 0.9, 0.9, 0.0], all.clone(), &[]), Reason::MinDuration { lasted });
        // Fires at step 3 and is released at 5.
        let twice = [0.0, 0.0, 0.9, 0.9, 0.1, 0.0, 0.8, 0.1];
        let event_at_s = 3.0 * step_s;
        let until_s = event_at_s + 0.8;
        let after = reason(rule, &twice, 5 * STEP..u64::MAX, &[3 * STEP]);
        assert_eq!(after, Reason::Refractory { event_at_s, until_s });
        let held = reason(rule, &[0.0, 0.0, 0.9, 0.9, 0.9], 4 * STEP..u64::MAX, &[3 * STEP]);
        assert_eq!(held, Reason::Release { event_at_s });
        let Reason::Fired { events } = reason(rule, &twice, all, &[3 * STEP]) else { panic!("it fired") };
        assert_eq!(events[0].time_sample, 3 * STEP);
    }
}
