//! One recording to its pieces, in one pass from its beginning to its end.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::division::{Division, Placement, Side};
use super::plan::{Content, Plan, PlannedWord};
use super::{LabelledError, LabelledRecording};
use crate::audio::file::FileSource;
use crate::audio::resample::Resampled;
use crate::audio::write::GrowingWav;
use crate::audio::{AudioError, AudioSource, Read};
use crate::dataset::endpoint::SILENCE_DBFS;
use crate::labels::Label;
use crate::units::{SampleRate, decibels_to_amplitude};

/// Samples read at a time.
const CHUNK_SAMPLES: usize = 16_384;
/// Longest piece without a word, in samples: a minute.
const OTHER_MOST: u64 = 60 * 16_000;
/// Shortest piece without a word, in samples: less than a second teaches little.
const OTHER_LEAST: u64 = 16_000;
/// A label may end so much after the recording does, in samples: 800 ms. `tripword label` hears 640 ms of silence after the end, and may place
/// the end of a last word there; and programs that decode the same file disagree by what an encoder adds at its ends.
const BEYOND_END_MOST: u64 = 12_800;

/// A piece that was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CutPiece {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    pub(super) side: Side,
    pub(super) n_samples: u64,
}

/// What was made of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct CutRecording {
    pub(super) pieces: Vec<CutPiece>,
    /// Length of the recording.
    pub(super) n_samples: u64,
    /// How much of it holds no word and no sound either.
    pub(super) n_silent_samples: u64,
    /// What was odd about it.
    pub(super) notes: Vec<String>,
}

/// A piece that is to be written, in samples of the recording.
struct Wanted {
    range: Range<u64>,
    content: Content,
    side: Side,
}

/// A piece that is being written.
struct Growing {
    wanted: Wanted,
    path: PathBuf,
    wav: GrowingWav,
    n_samples: u64,
    peak: f32,
}

/// Writes the pieces of the recording at `idx` below `folder`.
pub(super) fn cut(
    idx: usize,
    recording: &LabelledRecording,
    plan: &Plan,
    division: &Division,
    words: &[String],
    folder: &Path,
) -> Result<CutRecording, LabelledError> {
    let mut source = Resampled::new(FileSource::open(&recording.path, recording.channels)?, SampleRate::MODEL)?;
    let mut cutter = Cutter {
        name: format!("{idx:05}-{}", recording.name()),
        folder,
        words,
        waiting: wanted(plan, division),
        growing: Vec::new(),
        at: 0,
        made: CutRecording::default(),
    };
    let mut chunk = vec![0.0; CHUNK_SAMPLES];
    let silence = vec![0.0; CHUNK_SAMPLES];
    loop {
        match source.read(&mut chunk)? {
            Read::Samples(n) => cutter.push(&chunk[..n])?,
            Read::Gap { lost_samples } => {
                let mut n_left = lost_samples;
                while n_left > 0 {
                    let n = n_left.min(CHUNK_SAMPLES as u64);
                    cutter.push(&silence[..n as usize])?;
                    n_left -= n;
                }
            }
            Read::End => break,
        }
    }
    refuse_beyond(recording, cutter.at)?;
    let mut made = cutter.finish()?;
    made.notes.extend(
        source.source().warnings().into_iter().map(|warning| format!("{}: {warning}", recording.path.display())),
    );
    Ok(made)
}

/// The pieces in the order of their beginnings.
fn wanted(plan: &Plan, division: &Division) -> VecDeque<Wanted> {
    let of_word = |word: &PlannedWord| Wanted {
        range: word.piece.clone(),
        content: Content::Word {
            word_idx: word.word_idx,
            span: word.span.start - word.piece.start..word.span.end - word.piece.start,
        },
        side: division.words.side(word.span.start),
    };
    let other = match &division.others {
        Placement::Divided { gap } => plan.without(gap),
        Placement::Whole(_) => plan.other.clone(),
    };
    let other = other.into_iter().map(|range| Wanted {
        side: division.others.side(range.start),
        range,
        content: Content::Other,
    });
    let mut all: Vec<Wanted> = plan.words.iter().map(of_word).chain(other).collect();
    all.sort_by_key(|wanted| wanted.range.start);
    all.into()
}

struct Cutter<'a> {
    name: String,
    folder: &'a Path,
    words: &'a [String],
    waiting: VecDeque<Wanted>,
    growing: Vec<Growing>,
    /// Samples so far.
    at: u64,
    made: CutRecording,
}

impl Cutter<'_> {
    fn push(&mut self, samples: &[f32]) -> Result<(), LabelledError> {
        let end = self.at + samples.len() as u64;
        while self.waiting.front().is_some_and(|next| next.range.start < end) {
            let mut next = self.waiting.pop_front().expect("one was seen");
            if next.content == Content::Other && next.range.end - next.range.start > OTHER_MOST {
                let rest = next.range.start + OTHER_MOST..next.range.end;
                next.range.end = rest.start;
                // What is cut off begins later than all that begins before it.
                let place = self.waiting.partition_point(|other| other.range.start <= rest.start);
                self.waiting.insert(place, Wanted { range: rest, content: Content::Other, side: next.side });
            }
            let growing = self.begin(next)?;
            self.growing.push(growing);
        }
        for piece in &mut self.growing {
            let from = piece.wanted.range.start.max(self.at) - self.at;
            let to = piece.wanted.range.end.min(end).saturating_sub(self.at);
            if from < to {
                piece.push(&samples[from as usize..to as usize])?;
            }
        }
        self.at = end;
        let mut i = 0;
        while i < self.growing.len() {
            if self.growing[i].wanted.range.end <= end {
                let piece = self.growing.remove(i);
                self.keep(piece)?;
            } else {
                i += 1;
            }
        }
        Ok(())
    }

    fn begin(&self, wanted: Wanted) -> Result<Growing, AudioError> {
        let start_s = SampleRate::MODEL.seconds(wanted.range.start);
        let what = match &wanted.content {
            Content::Word { word_idx, .. } => safe(&self.words[*word_idx]),
            Content::Other => "other".to_owned(),
        };
        let path = self.folder.join(format!("{}-{start_s:010.4}s-{what}.wav", self.name));
        let wav = GrowingWav::create(&path, SampleRate::MODEL)?;
        Ok(Growing { wanted, path, wav, n_samples: 0, peak: 0.0 })
    }

    /// Ends a piece; other sound that is too short, or silent, goes.
    fn keep(&mut self, piece: Growing) -> Result<(), LabelledError> {
        let Growing { wanted: Wanted { content, side, .. }, path, wav, n_samples, peak } = piece;
        wav.finish()?;
        if content == Content::Other {
            let is_silent = peak < decibels_to_amplitude(SILENCE_DBFS);
            self.made.n_silent_samples += if is_silent { n_samples } else { 0 };
            if is_silent || n_samples < OTHER_LEAST {
                // One that stays behind does no harm: the folder goes as a whole.
                let _ = std::fs::remove_file(&path);
                return Ok(());
            }
        }
        self.made.pieces.push(CutPiece { path, content, side, n_samples });
        Ok(())
    }

    fn finish(mut self) -> Result<CutRecording, LabelledError> {
        for piece in std::mem::take(&mut self.growing) {
            self.keep(piece)?;
        }
        self.made.n_samples = self.at;
        self.made.pieces.sort_by(|a, b| a.path.cmp(&b.path));
        for piece in &mut self.made.pieces {
            // What may lie beyond the end is rounding.
            if let Content::Word { span, .. } = &mut piece.content {
                span.end = span.end.min(piece.n_samples);
            }
        }
        Ok(self.made)
    }
}

impl Growing {
    fn push(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        self.n_samples += samples.len() as u64;
        self.peak = samples.iter().fold(self.peak, |peak, sample| peak.max(sample.abs()));
        self.wav.push(samples)
    }
}

/// No label lies beyond the end.
fn refuse_beyond(recording: &LabelledRecording, n_samples: u64) -> Result<(), LabelledError> {
    let sample = |time_s| SampleRate::MODEL.samples(time_s);
    let is_beyond =
        |label: &&Label| sample(label.end_s) > n_samples + BEYOND_END_MOST || sample(label.start_s) > n_samples;
    match recording.labels.iter().find(is_beyond) {
        None => Ok(()),
        Some(label) => Err(LabelledError::BeyondEnd {
            labels: recording.labels_path.clone(),
            recording: recording.path.clone(),
            text: label.text.clone(),
            start_s: label.start_s,
            end_s: label.end_s,
            duration_s: SampleRate::MODEL.seconds(n_samples),
        }),
    }
}

/// A word as part of a file's name.
fn safe(word: &str) -> String {
    word.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}
