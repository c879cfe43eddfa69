//! The scores of one word over a set of streams, kept only where they could matter.
//!
//! Nearly always a score is near zero, where no threshold of interest can be reached. Of each such stretch only the first step is
//! kept: it releases the trigger as all of them would. So trying a threshold costs a hundredth of running the detector again.

use super::operating_point::LOWEST_THRESHOLD;
use super::{Matched, Outcome, StreamLayout, TracedStreams, match_events};
use crate::detector::{MovingAverage, Trigger, TriggerConfig};
use crate::units::SampleRate;

/// An event of the word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredEvent {
    /// End of the step at which the decision fell, in samples of the stream.
    pub decision_sample: u64,
    /// Highest score from the crossing of the threshold to the decision.
    pub score: f32,
}

/// The scores of one word.
pub struct WordScores<'a> {
    word_idx: usize,
    samples_per_step: u64,
    negative_hours: f64,
    streams: Vec<StreamScores<'a>>,
}

struct StreamScores<'a> {
    layout: &'a StreamLayout,
    /// End of the step and the score there; see the module.
    steps: Vec<(u64, f32)>,
}

impl<'a> WordScores<'a> {
    pub(super) fn new(traced: &'a TracedStreams, word_idx: usize, trigger: TriggerConfig) -> Self {
        let rate = SampleRate::MODEL;
        let timing = traced.timing;
        // Scores below this neither reach a threshold nor differ in releasing it.
        let lowest = trigger.with_threshold(LOWEST_THRESHOLD.min(trigger.threshold));
        let floor = lowest.release_threshold.min(lowest.threshold);
        let streams = traced
            .streams
            .iter()
            .map(|(layout, trace)| {
                let mut average = MovingAverage::new(trigger.smoothed_steps(rate, timing.samples_per_step));
                let mut steps = Vec::new();
                let mut was_low = false;
                for (step, probability) in trace.word(word_idx).enumerate() {
                    let step_end = (step as u64 + 1) * timing.samples_per_step;
                    let score = average.push(if probability.is_nan() { 0.0 } else { probability });
                    let is_low = score < floor;
                    if step_end > timing.warm_up_samples && !(is_low && was_low) {
                        steps.push((step_end, score));
                        was_low = is_low;
                    }
                }
                StreamScores { layout, steps }
            })
            .collect();
        Self { word_idx, samples_per_step: timing.samples_per_step, negative_hours: traced.negative_hours(), streams }
    }

    /// What a trigger of the same smoothing makes of each stream, matched with the truth; its threshold is at least
    /// [`LOWEST_THRESHOLD`] or that of the trigger the scores were made with.
    pub fn events(
        &self,
        trigger: TriggerConfig,
    ) -> impl Iterator<Item = (&StreamLayout, Vec<ScoredEvent>, Matched)> + '_ {
        self.streams.iter().map(move |stream| {
            let mut state = Trigger::new(trigger, SampleRate::MODEL, self.samples_per_step);
            let events: Vec<ScoredEvent> = stream
                .steps
                .iter()
                .filter_map(|&(step_end, score)| {
                    let firing = state.push(step_end, score)?;
                    Some(ScoredEvent { decision_sample: step_end, score: firing.peak })
                })
                .collect();
            let decisions: Vec<u64> = events.iter().map(|event| event.decision_sample).collect();
            let matched = match_events(&decisions, self.word_idx, &stream.layout.truths, SampleRate::MODEL);
            (stream.layout, events, matched)
        })
    }

    /// The same, counted over all streams.
    pub fn outcome(&self, trigger: TriggerConfig) -> Outcome {
        let mut total = Outcome::default();
        self.events(trigger).for_each(|(_, _, matched)| total.add(&matched));
        total
    }

    /// The highest score in stream `stream_idx` at steps that end within `samples`; 0 if it was never worth keeping.
    pub fn highest(&self, stream_idx: usize, samples: std::ops::RangeInclusive<u64>) -> f32 {
        let steps = &self.streams[stream_idx].steps;
        let first = steps.partition_point(|(step_end, _)| step_end < samples.start());
        steps[first..].iter().take_while(|(end, _)| end <= samples.end()).fold(0.0, |best, (_, score)| best.max(*score))
    }

    /// Length of what counts as hours in which events are false.
    pub fn negative_hours(&self) -> f64 {
        self.negative_hours
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detector::{WordDetector, WordTiming};
    use crate::eval::{StepTiming, Trace};
    use crate::units::Milliseconds;

    proptest! {
        #[test]
        fn the_scores_that_are_kept_decide_as_all_of_them_would(
            // Mostly near zero, as real ones.
            raw in prop::collection::vec((0.0f32..1.0, 0u32..4), 0..400),
            threshold in 0.05f32..1.0,
            release_share in 0.0f32..1.0,
            min_duration_ms in 0u32..300,
            warm_up_steps in 0u64..20,
        ) {
            let probabilities: Vec<f32> = raw.iter().map(|&(p, keep)| if keep == 0 { p } else { p * 0.05 }).collect();
            let trigger = TriggerConfig {
                threshold: 0.5,
                release_threshold: 0.5 * release_share,
                min_duration_ms: Milliseconds(min_duration_ms),
                ..TriggerConfig::default()
            };
            let timing = StepTiming { samples_per_step: 1280, warm_up_samples: warm_up_steps * 1280 };
            let trace = Trace { probabilities: probabilities.clone(), n_words: 1 };
            let traced = TracedStreams { streams: vec![(StreamLayout::default(), trace)], timing };
            let trigger_here = trigger.with_threshold(threshold);
            let scores = traced.word(0, trigger);
            let (_, events, _) = scores.events(trigger_here).next().unwrap();

            let mut detector = WordDetector::new(trigger_here, WordTiming::default(), SampleRate::MODEL, 1280);
            let mut expected = Vec::new();
            for (i, &probability) in probabilities.iter().enumerate() {
                let step_end = (i as u64 + 1) * 1280;
                let (_, detection) = detector.push(0, step_end, probability, step_end <= timing.warm_up_samples);
                expected.extend(detection.map(|d| ScoredEvent { decision_sample: d.decision_sample, score: d.score }));
            }
            prop_assert_eq!(events, expected);
        }
    }
}
