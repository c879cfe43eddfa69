//! Reads the source and computes features. A thread of its own because it waits for sound: the network must be free to
//! work off what is queued meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::controls::Controls;
use super::stats::Stats;
use super::thread::JoinOnDrop;
use super::{Heard, Passed};
use crate::audio::history::AudioHistory;
use crate::audio::{AudioError, AudioSource, Read};
use crate::bundle::Bundle;
use crate::pipeline::{FeatureBlock, FeatureStage, samples_per_step};

/// What the thread works with.
pub(super) struct Wiring {
    pub(super) heard: Sender<Heard>,
    pub(super) recycled: Receiver<FeatureBlock>,
    pub(super) controls: Controls,
    pub(super) history: AudioHistory,
    pub(super) stats: Arc<Stats>,
}

pub(super) fn start(
    source: Box<dyn AudioSource>,
    bundle: Arc<Bundle>,
    wiring: Wiring,
) -> io::Result<JoinOnDrop<Result<(), AudioError>>> {
    JoinOnDrop::start("tw-features", move || {
        let result = run(source, &bundle, &wiring);
        wiring.history.finish();
        result
    })
}

fn run(mut source: Box<dyn AudioSource>, bundle: &Bundle, wiring: &Wiring) -> Result<(), AudioError> {
    let Wiring { heard, recycled, controls, history, stats } = wiring;
    let mut stage = FeatureStage::new(&bundle.manifest);
    let mut chunk = vec![0.0; samples_per_step(&bundle.manifest) as usize];
    // There is an empty block whenever one is needed, unless the inference thread is gone.
    let empty_block = || recycled.try_recv().unwrap_or_default();
    let mut block = empty_block();
    let mut generation = 0;
    // Those of the stages before this one.
    let mut n_unusable_before = 0;
    // A gap that follows a gap is the rest of it: a microphone that is away tells now and then that it still is.
    let mut is_in_gap = false;
    let mut source_name = source.name().to_owned();
    loop {
        // Less would wake this thread more often than the network, to no end.
        let n_wanted = stage.n_samples_to_next_step().min(chunk.len());
        let read = source.read(&mut chunk[..n_wanted]);
        let started = Instant::now();
        let completed = match read {
            Ok(Read::Samples(n_samples)) => {
                let samples = &chunk[..n_samples];
                history.push(samples);
                let completed = stage.push(samples, &mut block);
                if stats.n_samples.get() == 0 {
                    tracing::info!("the first samples are through the front end");
                }
                stats.n_samples.add(n_samples as u64);
                completed
            }
            Ok(Read::Gap { lost_samples }) => {
                history.pass_gap(lost_samples);
                stats.n_lost_samples.add(lost_samples);
                if !is_in_gap {
                    stats.n_gaps.add(1);
                    tracing::warn!(lost_samples, "samples lost; silence stands in for them");
                }
                stage.pass_gap(lost_samples, &mut block)
            }
            Ok(Read::End) | Err(_) => stage.finish(&mut block),
        };
        stats.n_unusable_samples.set(source.n_unusable_samples() + n_unusable_before + stage.n_unusable_samples());
        stats.busy_nanoseconds.add(started.elapsed().as_nanos() as u64);
        is_in_gap = matches!(read, Ok(Read::Gap { .. }));
        if completed {
            let passed = if is_in_gap { Passed::Gap } else { Passed::Sound };
            if heard.send(Heard::Block(std::mem::replace(&mut block, empty_block()), passed)).is_err() {
                // The inference thread is gone: nobody listens to events any more.
                return Ok(());
            }
        }
        if source.name() != source_name {
            source_name = source.name().to_owned();
            if heard.send(Heard::Source(source_name.clone())).is_err() {
                return Ok(());
            }
        }
        match read {
            Ok(Read::End) => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if let Some(bundle) = controls.newer_model(&mut generation) {
            n_unusable_before += stage.n_unusable_samples();
            let Some(new) = rehearse(bundle, wiring) else { return Ok(()) };
            chunk.resize(new.1, 0.0);
            stage = new.0;
        }
    }
}

/// Hands over to another model, which first hears what was kept of the stream: so its state has settled, and it knows whatever word is
/// being said. Gives the front end and the samples of a step; nothing if the inference thread is gone.
fn rehearse(bundle: Arc<Bundle>, Wiring { heard, history, .. }: &Wiring) -> Option<(FeatureStage, usize)> {
    let (start_sample, samples) = history.read(0..u64::MAX);
    let silent_until = start_sample + samples.len() as u64;
    let mut stage = FeatureStage::starting_at(&bundle.manifest, start_sample);
    let step_len = samples_per_step(&bundle.manifest) as usize;
    tracing::info!(model = bundle.manifest.name, "another model listens");
    heard.send(Heard::Model { bundle, start_sample, silent_until }).ok()?;
    for samples in samples.chunks(step_len) {
        let mut block = FeatureBlock::default();
        if stage.push(samples, &mut block) {
            heard.send(Heard::Block(block, Passed::Sound)).ok()?;
        }
    }
    Some((stage, step_len))
}
