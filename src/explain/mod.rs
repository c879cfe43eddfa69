//! Why a word was heard at a moment of a recording, or why not: what each step of the decision rule made of it, and how good the sound is.

mod decision;
mod sound;

pub use decision::{Decision, Reason};
pub use sound::{DropOut, SoundFacts};

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use self::decision::Decisions;
use self::sound::WindowSound;
use crate::audio::AudioSource;
use crate::audio::file::FileSource;
use crate::audio::level::WordLevel;
use crate::bundle::Bundle;
use crate::label::{LabelError, Track, hear};
use crate::units::SampleRate;

/// All that is known about a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The recording.
    pub file: PathBuf,
    /// The channel, counted from 1; none for the mix.
    pub channel: Option<u16>,
    /// Channels of the recording.
    pub n_channels: u16,
    /// The model that heard it.
    pub model: String,
    /// Length of the recording in seconds.
    pub duration_s: f64,
    /// What was looked at, in seconds of the recording.
    pub window_s: Range<f64>,
    /// What became of each word, in the order of the model.
    pub words: Vec<Decision>,
    /// The level of the word that came nearest to its threshold, and of the quiet moments before it.
    #[serde(flatten)]
    pub level: Option<NearestLevel>,
    /// The sound in the window, as the file has it.
    pub sound: SoundFacts,
    /// What was odd about the file.
    pub warnings: Vec<String>,
}

/// How loud the word was that came nearest to its threshold, or would have been there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearestLevel {
    /// The word.
    pub nearest_word: String,
    /// To a full-scale square wave.
    pub level_dbfs: f64,
    /// The word's power, the background's taken off, to that of the quiet moments in the three seconds before it.
    pub snr_db: f64,
}

/// Hears `track`, whose sound is `source`, to its end and looks at what happened in `window_s`, seconds of the recording. Set,
/// `cancelled` stops; `on_progress` is told of further samples at the model's rate.
///
/// # Errors
/// When the file cannot be read to its end.
pub fn explain(
    track: &Track,
    source: FileSource,
    bundle: &Bundle,
    window_s: Range<f64>,
    cancelled: &AtomicBool,
    on_progress: &dyn Fn(u64),
) -> Result<Explanation, LabelError> {
    let manifest = &bundle.manifest;
    let n_channels = source.n_channels();
    let rate = SampleRate::MODEL;
    let window = rate.samples(window_s.start)..rate.samples(window_s.end);
    let mut decisions = Decisions::new(manifest, window.clone());
    let mut window_sound = WindowSound::new(window.clone());
    let observers = vec![decisions.observer(), window_sound.observer()];
    let heard = hear(track, source, bundle, observers, cancelled, on_progress)?;
    let words = decisions.explained(manifest, &heard.events);
    let level = words.iter().max_by(|a, b| a.nearness().total_cmp(&b.nearness())).and_then(|decision| {
        let WordLevel { level_dbfs, snr_db } = window_sound.level(decision.word_samples(manifest))?;
        Some(NearestLevel { nearest_word: decision.word.clone(), level_dbfs, snr_db })
    });
    let mut native = FileSource::open(&track.recording.path, track.channels)?;
    let own_rate = native.sample_rate();
    let sound = SoundFacts::of(&mut native, own_rate.samples(window_s.start)..own_rate.samples(window_s.end))?;
    Ok(Explanation {
        file: track.recording.path.clone(),
        channel: track.channel(),
        n_channels,
        model: manifest.name.clone(),
        duration_s: heard.duration_s,
        window_s,
        words,
        level,
        sound,
        warnings: heard.warnings,
    })
}
