//! The signal path as two pure stages, the same for a microphone and for a file.
//!
//! `samples → FeatureStage → FeatureBlock → InferenceStage → scores and detections`
//!
//! The stages know no thread, channel or clock: a position is a count of samples since the stream began. `label` runs both
//! in one thread, the daemon puts a channel between them; either way any portioning of the same samples gives the same
//! scores to the bit.

use std::borrow::Borrow;
use std::collections::VecDeque;

use crate::bundle::{Bundle, Manifest};
use crate::detector::{Detection, Detector, TriggerConfig, WordDetector};
use crate::features::FeatureExtractor;
use crate::model::StreamingState;
use crate::names::same_word;
use crate::units::{Milliseconds, SampleRate};

/// A lost stretch is replaced by at most this much silence, enough to settle any state; what is longer only moves the clock.
const GAP_SILENCE: Milliseconds = Milliseconds(2000);

/// A stream that ends is followed by this much silence, so that a word at its very end is still decided.
pub const END_SILENCE: Milliseconds = Milliseconds(640);

/// Features of whole steps, ready for the network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureBlock {
    /// Position of the first step's first sample.
    pub start_sample: u64,
    /// `(steps · frames_per_step, n_mels)`
    pub frames: Vec<f32>,
}

impl FeatureBlock {
    /// An empty block with room for one step.
    pub fn of_a_step(manifest: &Manifest) -> Self {
        Self { start_sample: 0, frames: Vec::with_capacity(values_per_step(manifest)) }
    }
}

/// Samples to feature blocks. Carries what a frame or a step still lacks.
pub struct FeatureStage {
    extractor: FeatureExtractor,
    /// Feature frames, less than a step of them between pushes.
    frames: Vec<f32>,
    n_mels: usize,
    values_per_step: usize,
    samples_per_step: u64,
    /// Where the step begins whose frames come next.
    next_step_sample: u64,
    /// Samples that came in since the last whole step.
    n_pending_samples: u64,
}

impl FeatureStage {
    /// The front end of `manifest`'s model at the start of a stream.
    pub fn new(manifest: &Manifest) -> Self {
        Self::starting_at(manifest, 0)
    }

    /// The same in the middle of a stream, at sample `start_sample`.
    pub fn starting_at(manifest: &Manifest, start_sample: u64) -> Self {
        let features = &manifest.features;
        Self {
            extractor: FeatureExtractor::new(features),
            frames: Vec::new(),
            n_mels: features.n_mels,
            values_per_step: values_per_step(manifest),
            samples_per_step: samples_per_step(manifest),
            next_step_sample: start_sample,
            n_pending_samples: 0,
        }
    }

    /// Samples that complete the step begun; at least one.
    pub fn n_samples_to_next_step(&self) -> usize {
        let n_missing_values = self.values_per_step - self.frames.len();
        self.extractor.n_samples_for(n_missing_values / self.n_mels)
    }

    /// Takes samples and moves the steps they complete into `block`, replacing its content; gives whether there are any.
    pub fn push(&mut self, samples: &[f32], block: &mut FeatureBlock) -> bool {
        self.n_pending_samples += samples.len() as u64;
        self.extractor.push(samples, &mut self.frames);
        block.frames.clear();
        block.start_sample = self.next_step_sample;
        let n_steps = self.frames.len() / self.values_per_step;
        if n_steps == 0 {
            return false;
        }
        let n_values = n_steps * self.values_per_step;
        block.frames.extend_from_slice(&self.frames[..n_values]);
        self.frames.copy_within(n_values.., 0);
        self.frames.truncate(self.frames.len() - n_values);
        self.next_step_sample += n_steps as u64 * self.samples_per_step;
        self.n_pending_samples -= n_steps as u64 * self.samples_per_step;
        true
    }

    /// Passes over a stretch of lost samples: the clock counts it, the network hears silence in its place. A gap of more
    /// than two seconds is cut to that for the network, by whole steps, so that framing goes on undisturbed.
    pub fn pass_gap(&mut self, lost_samples: u64, block: &mut FeatureBlock) -> bool {
        let n_most = GAP_SILENCE.samples(SampleRate::MODEL);
        let n_skipped_steps = lost_samples.saturating_sub(n_most) / self.samples_per_step;
        let n_skipped = n_skipped_steps * self.samples_per_step;
        let completed = self.push_silence(lost_samples - n_skipped, block);
        self.next_step_sample += n_skipped;
        completed
    }

    /// Ends the stream: silence fills the step begun and lets the network decide what it has heard last.
    pub fn finish(&mut self, block: &mut FeatureBlock) -> bool {
        let after_end = END_SILENCE.samples(SampleRate::MODEL);
        let to_fill = (self.n_pending_samples + after_end).next_multiple_of(self.samples_per_step);
        self.push_silence(to_fill - self.n_pending_samples, block)
    }

    /// Samples so far that were not finite or far beyond full scale.
    pub fn n_unusable_samples(&self) -> u64 {
        self.extractor.n_unusable_samples()
    }

    fn push_silence(&mut self, n_samples: u64, block: &mut FeatureBlock) -> bool {
        // Bounded by the gap's and the end's silence, a few seconds at most.
        self.push(&vec![0.0; n_samples as usize], block)
    }
}

/// Feature blocks to scores and detections. Carries the hidden state and the trigger state.
pub struct InferenceStage<B> {
    bundle: B,
    state: StreamingState,
    detector: Detector,
    values_per_step: usize,
    samples_per_step: u64,
    /// The ends of the steps that are not decided yet: all but empty between blocks, unless the network is bidirectional.
    undecided: VecDeque<u64>,
    probabilities: Vec<f32>,
    scores: Vec<f32>,
}

/// What one step brought: its end, and each word's probability and score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepScores<'a> {
    /// Position of the step's last sample plus one.
    pub end_sample: u64,
    /// `(n_words)`, as the network gives them.
    pub probabilities: &'a [f32],
    /// `(n_words)`, after smoothing.
    pub scores: &'a [f32],
}

impl<B: Borrow<Bundle>> InferenceStage<B> {
    /// The network and the triggers of `bundle` at the start of a stream.
    pub fn new(bundle: B) -> Self {
        Self::starting_at(bundle, 0, 0)
    }

    /// The same in the middle of a stream, at sample `start_sample`: the warm-up begins there. Before `silent_until` nothing triggers,
    /// whatever is heard.
    pub fn starting_at(bundle: B, start_sample: u64, silent_until: u64) -> Self {
        let Bundle { manifest, network, .. } = bundle.borrow();
        let samples_per_step = samples_per_step(manifest);
        let rate = manifest.features.sample_rate();
        let words = manifest
            .words
            .iter()
            .map(|word| WordDetector::new(word.trigger, word.timing, rate, samples_per_step))
            .collect();
        Self {
            state: network.zero_state(),
            detector: Detector::new(words, silent_until.max(start_sample + manifest.model.warm_up_ms.samples(rate))),
            values_per_step: values_per_step(manifest),
            samples_per_step,
            undecided: VecDeque::new(),
            probabilities: Vec::new(),
            scores: vec![0.0; manifest.words.len()],
            bundle,
        }
    }

    /// Runs a block; hands over the scores of each step that is decided now and each detection, in the order of time.
    pub fn push(
        &mut self,
        block: &FeatureBlock,
        on_scores: impl FnMut(StepScores),
        on_detection: impl FnMut(Detection),
    ) {
        debug_assert_eq!(block.frames.len() % self.values_per_step, 0);
        let n_steps = (block.frames.len() / self.values_per_step) as u64;
        self.undecided.extend((1..=n_steps).map(|step| block.start_sample + step * self.samples_per_step));
        self.probabilities.clear();
        self.bundle.borrow().network.seq(&mut self.state, &block.frames, &mut self.probabilities);
        self.decide(on_scores, on_detection);
    }

    /// Ends the stream: hands over what is not decided yet, as [`push`](Self::push) does.
    pub fn finish(&mut self, on_scores: impl FnMut(StepScores), on_detection: impl FnMut(Detection)) {
        self.probabilities.clear();
        self.bundle.borrow().network.finish(&mut self.state, &mut self.probabilities);
        self.decide(on_scores, on_detection);
    }

    fn decide(&mut self, mut on_scores: impl FnMut(StepScores), mut on_detection: impl FnMut(Detection)) {
        let n_steps = self.probabilities.len() / self.scores.len();
        let steps = self.undecided.drain(..n_steps).zip(self.probabilities.chunks_exact(self.scores.len()));
        for (end_sample, probabilities) in steps {
            self.detector.push(end_sample, probabilities, &mut self.scores, &mut on_detection);
            on_scores(StepScores { end_sample, probabilities, scores: &self.scores });
        }
    }

    /// The model that hears.
    pub fn bundle(&self) -> &Bundle {
        self.bundle.borrow()
    }

    /// From the next step on word `word_idx` is decided by `trigger`; its smoothing window stays as it is.
    pub fn set_trigger(&mut self, word_idx: usize, trigger: TriggerConfig) {
        self.detector.set_trigger(word_idx, trigger);
    }

    /// Takes over when each word was last heard from a stage whose model knows words of the same names, so that none is told twice.
    pub fn go_on_from<C: Borrow<Bundle>>(&mut self, before: &InferenceStage<C>) {
        let words = |bundle: &Bundle| bundle.manifest.words.iter().map(|word| word.name.clone()).collect::<Vec<_>>();
        for (old_idx, name) in words(before.bundle()).iter().enumerate() {
            if let Some(new_idx) = words(self.bundle()).iter().position(|word| same_word(word, name)) {
                self.detector.go_on_from(new_idx, &before.detector, old_idx);
            }
        }
    }

    /// Steps so far whose decisions the warm-up suppressed.
    pub fn n_suppressed_steps(&self) -> u64 {
        self.detector.n_suppressed_steps()
    }

    /// Numbers in the feature frames of one step.
    pub fn values_per_step(&self) -> usize {
        self.values_per_step
    }
}

/// Samples from one step of the network to the next.
pub fn samples_per_step(manifest: &Manifest) -> u64 {
    manifest.model.samples_per_step(manifest.features.hop_length_samples)
}

/// Numbers in the feature frames of one step.
fn values_per_step(manifest: &Manifest) -> usize {
    manifest.model.frames_per_step() * manifest.features.n_mels
}
