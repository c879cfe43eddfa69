//! Recordings laid into continuous streams.

use std::ops::Range;

use super::stage::Staged;
use super::{EvalStream, LaidItem, Recording, Stage, StreamLayout, Truth};
use crate::dataset::{SkippedFile, duration_s};
use crate::features::{FeatureConfig, FeatureExtractor};
use crate::parallel;
use crate::units::SampleRate;

/// Length at which a stream is closed and the next begun: long enough for the state to be carried far, short enough that
/// several threads have work.
const STREAM_S: f64 = 600.0;
/// The mean gap between recordings, for planning.
const GAP_S: f64 = 1.0;

/// The shape of a stream's frames.
#[derive(Clone, Copy)]
pub struct StreamShape<'a> {
    /// How samples become feature frames.
    pub features: &'a FeatureConfig,
    /// Feature frames in a step of the network.
    pub frames_per_step: usize,
}

/// Lays `recordings`, in their order, into streams and hands each to `finish`, on all cores; gives what `finish` made of them, in
/// their order, and the recordings that cannot be used. The stage decides everything random, whatever the number of cores. No more
/// is in memory than a stream's features and a recording's samples a core. `progress` is called on this thread after each stream
/// with the number done and the number of all.
pub fn lay<T: Send>(
    recordings: &[Recording],
    stage: &Stage,
    shape: StreamShape,
    finish: impl Fn(EvalStream) -> T + Sync,
    progress: &dyn Fn(usize, usize),
) -> (Vec<T>, Vec<SkippedFile>) {
    let plan = plan(recordings);
    let work = |reverberator: &mut Option<_>, range: &Range<usize>| {
        let mut builder = StreamBuilder::new(shape);
        let mut skipped = Vec::new();
        for recording_idx in range.clone() {
            let recording = &recordings[recording_idx];
            match recording.load() {
                Ok(clip) => {
                    let staged = stage.hear(recording_idx, clip, reverberator.as_mut());
                    builder.push(recording_idx, recording.is_negative(), &staged);
                }
                Err(file) => skipped.push(file),
            }
        }
        (builder.finish().map(&finish), skipped)
    };
    let laid = parallel::map("tw-lay", &plan, parallel::n_cores(), || stage.reverberator(), work, progress);
    let (streams, skipped): (Vec<_>, Vec<_>) = laid.into_iter().unzip();
    (streams.into_iter().flatten().collect(), skipped.concat())
}

/// Which recordings make a stream together.
fn plan(recordings: &[Recording]) -> Vec<Range<usize>> {
    let mut plan = Vec::new();
    let (mut start, mut length_s) = (0, 0.0);
    for (i, recording) in recordings.iter().enumerate() {
        length_s += duration_s(&recording.path) + GAP_S;
        if length_s >= STREAM_S || i + 1 == recordings.len() {
            plan.push(start..i + 1);
            (start, length_s) = (i + 1, 0.0);
        }
    }
    plan
}

struct StreamBuilder {
    extractor: FeatureExtractor,
    step_values: usize,
    frames: Vec<f32>,
    layout: StreamLayout,
}

impl StreamBuilder {
    fn new(shape: StreamShape) -> Self {
        Self {
            extractor: FeatureExtractor::new(shape.features),
            step_values: shape.frames_per_step * shape.features.n_mels,
            frames: Vec::new(),
            layout: StreamLayout::default(),
        }
    }

    fn push(&mut self, recording_idx: usize, is_negative: bool, staged: &Staged) {
        let start_sample = self.layout.n_samples;
        self.layout.truths.extend(staged.words.iter().map(|(word_idx, span)| Truth {
            word_idx: *word_idx,
            start_sample: start_sample + span.start as u64,
            end_sample: start_sample + span.end as u64,
            recording_idx,
        }));
        self.samples(&staged.samples);
        self.layout.items.push(LaidItem {
            recording_idx,
            start_sample,
            sound_sample: start_sample + staged.n_gap as u64,
            end_sample: self.layout.n_samples,
        });
        if is_negative {
            self.layout.n_negative_samples += staged.samples.len() as u64;
        }
    }

    fn samples(&mut self, samples: &[f32]) {
        self.extractor.push(samples, &mut self.frames);
        self.layout.n_samples += samples.len() as u64;
    }

    /// `None` if nothing was laid.
    fn finish(mut self) -> Option<EvalStream> {
        if self.layout.items.is_empty() {
            return None;
        }
        // The last word of a stream has its second in which to be decided.
        self.samples(&vec![0.0; SampleRate::MODEL.hz() as usize]);
        let whole = self.frames.len() / self.step_values * self.step_values;
        self.frames.truncate(whole);
        Some(EvalStream { frames: self.frames, layout: self.layout })
    }
}
