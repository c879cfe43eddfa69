//! Every event of a track cut out as a file of sound, at the recording's own rate.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::{HeardTrack, LabelError, Observer, Track};
use crate::audio::file::FileSource;
use crate::audio::write::write_wav;
use crate::audio::{AudioSource, Read};
use crate::events::WakeEvent;
use crate::units::{Milliseconds, SampleRate};

/// Samples read at a time.
const CHUNK_SAMPLES: usize = 16_384;

/// How events are cut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipOutput {
    /// Has a folder for each track: `talk/00012.340-computer-0.98.wav`.
    pub dir: PathBuf,
    /// What is kept before the word's start, and after its end or, if that is later, the decision.
    pub margin: Milliseconds,
}

/// Reads the track a second time, when it is known what to cut.
pub(super) struct ClipCutter<'a> {
    pub(super) track: Track<'a>,
    pub(super) folder: PathBuf,
    pub(super) margin: Milliseconds,
}

/// A clip that is being filled.
struct Cut {
    path: PathBuf,
    start_sample: u64,
    end_sample: u64,
    samples: Vec<f32>,
}

impl ClipCutter<'_> {
    /// Where `event` lies at the recording's own rate.
    fn cut(&self, event: &WakeEvent, rate: SampleRate) -> Cut {
        let margin_s = f64::from(self.margin.0) / 1000.0;
        Cut {
            path: self.folder.join(clip_name(event)),
            start_sample: rate.samples((event.start_s - margin_s).max(0.0)),
            end_sample: rate.samples(event.end_s.max(event.time_s) + margin_s),
            samples: Vec::new(),
        }
    }
}

impl Observer for ClipCutter<'_> {
    fn finish(self: Box<Self>, track: &mut HeardTrack) -> Result<(), LabelError> {
        if track.events.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(|source| LabelError::write(&self.folder, source))?;
        let mut source = FileSource::open(&self.track.recording.path, self.track.channels)?;
        let rate = source.sample_rate();
        let mut to_come: Vec<Cut> = track.events.iter().map(|event| self.cut(event, rate)).collect();
        to_come.sort_by_key(|cut| cut.start_sample);
        let mut to_come = VecDeque::from(to_come);
        let mut open: Vec<Cut> = Vec::new();
        let mut chunk = vec![0.0; CHUNK_SAMPLES];
        let mut chunk_start = 0u64;
        while !(to_come.is_empty() && open.is_empty()) {
            let Read::Samples(n) = source.read(&mut chunk)? else { break };
            let chunk_end = chunk_start + n as u64;
            let n_begun = to_come.partition_point(|cut| cut.start_sample < chunk_end);
            open.extend(to_come.drain(..n_begun));
            for cut in &mut open {
                let of_chunk = |sample: u64| (sample.clamp(chunk_start, chunk_end) - chunk_start) as usize;
                cut.samples.extend_from_slice(&chunk[of_chunk(cut.start_sample)..of_chunk(cut.end_sample)]);
            }
            for cut in open.extract_if(.., |cut| cut.end_sample <= chunk_end) {
                write_wav(&cut.path, &cut.samples, rate)?;
            }
            chunk_start = chunk_end;
        }
        // The last ones reach beyond the end.
        open.iter().try_for_each(|cut| write_wav(&cut.path, &cut.samples, rate).map_err(LabelError::from))
    }
}

/// `00012.340-view-glass-0.98.wav`: sorted by name, clips are in the order of time.
fn clip_name(event: &WakeEvent) -> String {
    let word: String = event.word.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    format!("{:09.3}-{word}-{:.2}.wav", event.start_s, event.score)
}
