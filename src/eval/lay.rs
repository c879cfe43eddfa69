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

/// Takes the samples of one stream, recording by recording.
pub trait StreamSink {
    /// What becomes of the stream.
    type Made: Send;
    /// Takes what is heard next.
    fn push(&mut self, samples: &[f32]);
    /// Ends the stream, in which things lie as `layout` says.
    fn finish(self, layout: StreamLayout) -> Self::Made;
}

/// Lays `recordings`, in their order, into streams and hands the features of each to `finish`, on all cores; gives what `finish`
/// made of them, in their order, and the recordings that cannot be used. No more is in memory than a stream's features and a
/// recording's samples a core; `progress` as for [`lay_into`].
pub fn lay<T: Send>(
    recordings: &[Recording],
    stage: &Stage,
    shape: StreamShape,
    finish: impl Fn(EvalStream) -> T + Sync,
    progress: &dyn Fn(usize, usize),
) -> (Vec<T>, Vec<SkippedFile>) {
    lay_into(recordings, stage, |_| FeatureSink::new(shape, &finish), progress)
}

/// Lays `recordings`, in their order, into streams, on all cores; gives what the sinks made of them, in their order, and the
/// recordings that cannot be used. `new_sink` is asked for the sink of each stream by its number. The stage decides everything
/// random, whatever the number of cores. Of the sound, no more is in memory than a recording's samples a core. `progress` is
/// called on this thread after each stream with the number done and the number of all.
pub fn lay_into<S: StreamSink>(
    recordings: &[Recording],
    stage: &Stage,
    new_sink: impl Fn(usize) -> S + Sync,
    progress: &dyn Fn(usize, usize),
) -> (Vec<S::Made>, Vec<SkippedFile>) {
    let plan: Vec<(usize, Range<usize>)> = plan(recordings).into_iter().enumerate().collect();
    let work = |reverberator: &mut Option<_>, (stream_idx, range): &(usize, Range<usize>)| {
        let mut builder = StreamBuilder::new(|| new_sink(*stream_idx));
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
        (builder.finish(), skipped)
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

struct StreamBuilder<S, N> {
    /// None before the first recording: a stream of nothing is not begun.
    sink: Option<S>,
    new_sink: N,
    layout: StreamLayout,
}

impl<S: StreamSink, N: Fn() -> S> StreamBuilder<S, N> {
    fn new(new_sink: N) -> Self {
        Self { sink: None, new_sink, layout: StreamLayout::default() }
    }

    fn push(&mut self, recording_idx: usize, is_negative: bool, staged: &Staged) {
        let start_sample = self.layout.n_samples;
        self.layout.truths.extend(staged.words.iter().map(|(word_idx, span)| Truth {
            word_idx: *word_idx,
            start_sample: start_sample + span.start as u64,
            end_sample: start_sample + span.end as u64,
            recording_idx,
        }));
        self.sink.get_or_insert_with(&self.new_sink).push(&staged.samples);
        self.layout.n_samples += staged.samples.len() as u64;
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

    /// `None` if nothing was laid.
    fn finish(mut self) -> Option<S::Made> {
        let mut sink = self.sink?;
        // The last word of a stream has its second in which to be decided.
        let silence = vec![0.0; SampleRate::MODEL.hz() as usize];
        sink.push(&silence);
        self.layout.n_samples += silence.len() as u64;
        Some(sink.finish(self.layout))
    }
}

/// Makes the features that a network sees.
struct FeatureSink<'a, F> {
    extractor: FeatureExtractor,
    step_values: usize,
    frames: Vec<f32>,
    finish: &'a F,
}

impl<'a, F> FeatureSink<'a, F> {
    fn new(shape: StreamShape, finish: &'a F) -> Self {
        Self {
            extractor: FeatureExtractor::new(shape.features),
            step_values: shape.frames_per_step * shape.features.n_mels,
            frames: Vec::new(),
            finish,
        }
    }
}

impl<T: Send, F: Fn(EvalStream) -> T> StreamSink for FeatureSink<'_, F> {
    type Made = T;

    fn push(&mut self, samples: &[f32]) {
        self.extractor.push(samples, &mut self.frames);
    }

    fn finish(mut self, layout: StreamLayout) -> T {
        let whole = self.frames.len() / self.step_values * self.step_values;
        self.frames.truncate(whole);
        (self.finish)(EvalStream { frames: self.frames, layout })
    }
}
