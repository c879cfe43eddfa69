//! Reads the source and computes features. A thread of its own because it waits for sound: the network must be free to
//! work off what is queued meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::stats::Stats;
use super::thread::JoinOnDrop;
use crate::audio::{AudioError, AudioSource, Read};
use crate::bundle::Bundle;
use crate::pipeline::{FeatureBlock, FeatureStage};

/// Samples asked for at a time: a step of the default model. A live source gives what it has.
pub(super) const CHUNK_SAMPLES: usize = 1280;

pub(super) fn start(
    source: Box<dyn AudioSource>,
    bundle: Arc<Bundle>,
    blocks: Sender<FeatureBlock>,
    recycled: Receiver<FeatureBlock>,
    stats: Arc<Stats>,
) -> io::Result<JoinOnDrop<Result<(), AudioError>>> {
    JoinOnDrop::start("tw-features", move || run(source, &bundle, &blocks, &recycled, &stats))
}

fn run(
    mut source: Box<dyn AudioSource>,
    bundle: &Bundle,
    blocks: &Sender<FeatureBlock>,
    recycled: &Receiver<FeatureBlock>,
    stats: &Stats,
) -> Result<(), AudioError> {
    let mut stage = FeatureStage::new(&bundle.manifest);
    stage.reserve(CHUNK_SAMPLES);
    let mut chunk = vec![0.0; CHUNK_SAMPLES];
    // There is an empty block whenever one is needed, unless the inference thread is gone.
    let empty_block = || recycled.try_recv().unwrap_or_default();
    let mut block = empty_block();
    loop {
        let read = source.read(&mut chunk);
        let started = Instant::now();
        let completed = match read {
            Ok(Read::Samples(n_samples)) => {
                stats.n_samples.add(n_samples as u64);
                stage.push(&chunk[..n_samples], &mut block)
            }
            Ok(Read::Gap { lost_samples }) => {
                stats.n_gaps.add(1);
                stats.n_lost_samples.add(lost_samples);
                tracing::warn!(lost_samples, "samples lost; silence stands in for them");
                stage.pass_gap(lost_samples, &mut block)
            }
            Ok(Read::End) | Err(_) => stage.finish(&mut block),
        };
        stats.n_unusable_samples.set(stage.n_unusable_samples());
        stats.busy_nanoseconds.add(started.elapsed().as_nanos() as u64);
        if completed && blocks.send(std::mem::replace(&mut block, empty_block())).is_err() {
            // The inference thread is gone: nobody listens to events any more.
            return Ok(());
        }
        match read {
            Ok(Read::End) => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
}
