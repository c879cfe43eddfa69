//! Keeps the sound around and after each word as a file.

use std::time::{Duration, Instant};

use super::audio_tail::{AudioTail, Piece};
use super::clip_store::ClipStore;
use super::outbox::{Delivery, Destination, Failure};
use super::{About, WakeEvent};
use crate::audio::history::AudioHistory;
use crate::units::{Milliseconds, SampleRate};

/// Clips that grow at a time; others wait.
const N_AT_A_TIME: usize = 8;
/// How often a growing clip is given what is new.
const LOOK_AFTER: Duration = Duration::from_millis(100);
/// How often old clips are looked for when nothing else happens.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// What of the sound is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipSpan {
    /// Before the word's end: 0 for what follows the word, 2000 for the word, too.
    pub before: Milliseconds,
    /// After the word's end.
    pub after: Milliseconds,
}

/// Writes a clip for each event.
pub struct ClipRecorder {
    store: ClipStore,
    span: ClipSpan,
    history: AudioHistory,
    growing: Vec<Growing>,
    forget_at: Instant,
}

struct Growing {
    event: WakeEvent,
    tail: AudioTail,
    samples: Vec<i16>,
}

impl ClipRecorder {
    /// A recorder into `store`.
    pub fn new(store: ClipStore, span: ClipSpan, history: AudioHistory) -> Self {
        Self { store, span, history, growing: Vec::new(), forget_at: Instant::now() }
    }

    /// What it is.
    pub fn about(&self) -> About {
        let ClipSpan { before, after } = self.span;
        let quota = self.store.quota();
        let sends = format!(
            "{} s of sound before and {} s after each word's end as WAV; at most {} MB, {} days",
            before.seconds(),
            after.seconds(),
            quota.max_bytes / 1_000_000,
            quota.max_age.as_secs() / 86_400
        );
        About::new("clips", self.store.folder().display().to_string(), sends).kept()
    }

    fn finish(&self, growing: &Growing) -> Result<(), Failure> {
        let written = self.store.write(&growing.event, &growing.samples);
        // The sound passes; there is no second attempt.
        let failed = |error| Failure::Lasting(format!("no clip in {}: {error}", self.store.folder().display()));
        written.map(drop).map_err(failed)
    }
}

impl Destination for ClipRecorder {
    fn deliver(&mut self, event: &WakeEvent) -> Result<Delivery, Failure> {
        let before = self.span.before.samples(SampleRate::MODEL).min(event.end_sample);
        let n_samples = before + self.span.after.samples(SampleRate::MODEL);
        let tail = AudioTail::new(&self.history, event.end_sample - before, n_samples);
        self.growing.push(Growing { event: event.clone(), tail, samples: Vec::new() });
        Ok(Delivery::UnderWay)
    }

    fn is_ready(&self) -> bool {
        self.growing.len() < N_AT_A_TIME
    }

    fn attend(&mut self, ended: &mut Vec<Result<(), Failure>>) -> Option<Duration> {
        let mut growing = std::mem::take(&mut self.growing);
        growing.retain_mut(|clip| {
            loop {
                match clip.tail.next(usize::MAX) {
                    Piece::Samples(samples) => clip.samples.extend(samples),
                    Piece::NothingYet => break true,
                    Piece::End => {
                        ended.push(self.finish(clip));
                        break false;
                    }
                }
            }
        });
        self.growing = growing;
        if Instant::now() >= self.forget_at {
            self.forget_at = Instant::now() + FORGET_EVERY;
            if let Err(error) = self.store.forget_old() {
                tracing::warn!(folder = %self.store.folder().display(), %error, "old clips cannot be deleted");
            }
        }
        Some(if self.growing.is_empty() { FORGET_EVERY } else { LOOK_AFTER })
    }

    fn end(&mut self, ended: &mut Vec<Result<(), Failure>>) {
        // What there is.
        for clip in std::mem::take(&mut self.growing) {
            ended.push(self.finish(&clip));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clip_store::Quota;
    use super::super::testing::event;
    use super::*;

    fn recorder(folder: &std::path::Path) -> (ClipRecorder, AudioHistory) {
        let history = AudioHistory::new(Milliseconds(6000));
        let quota = Quota { max_bytes: 1_000_000, max_age: Duration::from_secs(1000) };
        let span = ClipSpan { before: Milliseconds(250), after: Milliseconds(500) };
        (ClipRecorder::new(ClipStore::new(folder.into(), quota), span, history.clone()), history)
    }

    fn clip(folder: &std::path::Path) -> Vec<i16> {
        let wav = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let wav = wav.into_iter().find(|path| path.extension().unwrap() == "wav").unwrap();
        hound::WavReader::open(wav).unwrap().samples().map(Result::unwrap).collect()
    }

    #[test]
    fn a_clip_has_the_sound_around_the_words_end_to_the_sample() {
        let folder = tempfile::tempdir().unwrap();
        let (mut recorder, history) = recorder(folder.path());
        let mut ended = Vec::new();
        history.push(&[0.25; 8000]);
        recorder.deliver(&event("word")).unwrap();
        assert_eq!(recorder.attend(&mut ended), Some(LOOK_AFTER));
        history.push(&[0.5; 7999]);
        recorder.attend(&mut ended);
        assert!(ended.is_empty());
        history.push(&[0.5; 10]);
        assert_eq!(recorder.attend(&mut ended), Some(FORGET_EVERY));
        assert_eq!(ended, [Ok(())]);
        let samples = clip(folder.path());
        assert_eq!(samples.len(), 4000 + 8000);
        assert!(samples[..4000].iter().all(|&sample| sample == 8192));
        assert!(samples[4000..].iter().all(|&sample| sample == 16_384));
    }

    #[test]
    fn at_the_end_what_there_is_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mut recorder, history) = recorder(folder.path());
        history.push(&[0.25; 9000]);
        recorder.deliver(&event("word")).unwrap();
        let mut ended = Vec::new();
        recorder.attend(&mut ended);
        recorder.end(&mut ended);
        assert_eq!((ended, clip(folder.path()).len()), (vec![Ok(())], 5000));
    }
}
