//! One track through the signal path, in one thread and constant memory.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::whole_chunks::WholeChunks;
use super::{HeardTrack, LabelError, Observer, Track};
use crate::audio::file::FileSource;
use crate::audio::resample::Resampled;
use crate::audio::{AudioSource, Read};
use crate::bundle::Bundle;
use crate::detector::Detection;
use crate::events::WakeEvent;
use crate::pipeline::{FeatureBlock, FeatureStage, InferenceStage, StepScores};
use crate::units::SampleRate;

/// Samples read at a time.
const CHUNK_SAMPLES: usize = 16_384;

/// Hears `track`, whose sound is `source`, with `bundle` and tells `observers`, which write what they have to at the end. Set, `cancelled` stops between
/// portions; `on_progress` is told of further samples at the model's rate, about once for each second of them.
///
/// # Errors
/// When the file cannot be read to its end, or an observer gives up.
pub fn hear(
    track: &Track,
    source: FileSource,
    bundle: &Bundle,
    observers: Vec<Box<dyn Observer + '_>>,
    cancelled: &AtomicBool,
    on_progress: &dyn Fn(u64),
) -> Result<HeardTrack, LabelError> {
    let file = track.recording.path.as_path();
    let manifest = &bundle.manifest;
    let name = file.display().to_string();
    let mut source = WholeChunks::new(Resampled::new(source, SampleRate::MODEL)?);
    let mut events = Vec::new();
    let audience = Audience { observers: RefCell::new(observers), result: RefCell::new(Ok(())) };
    let mut feature_stage = FeatureStage::new(manifest);
    let mut inference_stage = InferenceStage::new(bundle);
    let mut block = FeatureBlock::default();
    let mut chunk = vec![0.0; CHUNK_SAMPLES];
    let (mut n_untold, mut n_heard) = (0u64, 0u64);
    loop {
        if cancelled.load(Ordering::Relaxed) {
            return Err(LabelError::Cancelled { path: file.into() });
        }
        let read = source.read(&mut chunk)?;
        let completed = match read {
            Read::Samples(n) => {
                n_untold += n as u64;
                n_heard += n as u64;
                if n_untold >= u64::from(SampleRate::MODEL.hz()) {
                    on_progress(std::mem::take(&mut n_untold));
                }
                audience.tell(|observer| observer.samples(&chunk[..n]));
                feature_stage.push(&chunk[..n], &mut block)
            }
            Read::Gap { lost_samples } => {
                n_heard += lost_samples;
                audience.tell(|observer| {
                    observer.gap(lost_samples);
                    Ok(())
                });
                feature_stage.pass_gap(lost_samples, &mut block)
            }
            Read::End => feature_stage.finish(&mut block),
        };
        let on_scores = |step: StepScores| audience.tell(|observer| observer.scores(step));
        let mut on_detection = |detection: Detection| {
            events.push(WakeEvent { channel: track.channel(), ..WakeEvent::new(&detection, manifest, &name) });
        };
        if completed {
            audience.tell(|observer| observer.features(&block));
            inference_stage.push(&block, on_scores, &mut on_detection);
        }
        if read == Read::End {
            inference_stage.finish(on_scores, &mut on_detection);
        }
        audience.result.replace(Ok(()))?;
        if read == Read::End {
            break;
        }
    }
    on_progress(n_untold);
    let n_unusable = source.source().n_unusable_samples() + feature_stage.n_unusable_samples();
    let mut warnings = source.source().source().warnings();
    if n_unusable > 0 {
        warnings.push(format!(
            "{n_unusable} samples are NaN, infinite or far beyond full scale; silence or the limit stood in for them"
        ));
    }
    for warning in &mut warnings {
        *warning = format!("{name}: {warning}");
    }
    let duration_s = SampleRate::MODEL.seconds(n_heard);
    let mut heard = HeardTrack { channel: track.channel(), duration_s, events, warnings };
    for observer in audience.observers.into_inner() {
        observer.finish(&mut heard)?;
    }
    Ok(heard)
}

/// The observers, and the first error of one of them.
struct Audience<'a> {
    observers: RefCell<Vec<Box<dyn Observer + 'a>>>,
    result: RefCell<Result<(), LabelError>>,
}

impl Audience<'_> {
    fn tell(&self, mut what: impl FnMut(&mut dyn Observer) -> Result<(), LabelError>) {
        let mut result = self.result.borrow_mut();
        for observer in self.observers.borrow_mut().iter_mut() {
            if result.is_ok() {
                *result = what(observer.as_mut());
            }
        }
    }
}
