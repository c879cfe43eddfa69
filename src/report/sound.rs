//! The sound of what was found, at any threshold, while a track is heard once: the best of it, as much as a page has room for.

use std::ops::Range;

use crate::units::SampleRate;

/// So much sound is kept of what comes by: the longest clip, until nothing joins it, for words that are decided late; a bidirectional
/// network takes five seconds.
const HISTORY_S: f64 = 16.0;
/// So long after its end a clip waits for another word.
const LINGER_S: f64 = 2.0;
/// Before and after each word.
const MARGIN_S: f64 = 0.3;
/// A stretch in which word follows on word is cut after this.
const MAX_CLIP_S: f64 = 6.0;

/// A stretch of sound. Positions are samples at the model's rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clip {
    pub(super) start_sample: u64,
    pub(super) samples: Vec<i16>,
    rank: f32,
}

/// A stretch that is to be kept.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    span: Range<u64>,
    rank: f32,
}

/// Follows the sound of a track.
pub(super) struct SoundKeeper {
    rate: SampleRate,
    history: Vec<i16>,
    /// Position of the history's first sample.
    history_start: u64,
    /// In the order of their ends.
    wanted: Vec<Wanted>,
    clips: Vec<Clip>,
    n_kept: usize,
    n_max: usize,
}

impl SoundKeeper {
    /// Keeps `max_s` seconds of sound at most.
    pub(super) fn new(rate: SampleRate, max_s: f64) -> Self {
        Self {
            rate,
            history: Vec::new(),
            history_start: 0,
            wanted: Vec::new(),
            clips: Vec::new(),
            n_kept: 0,
            n_max: rate.samples(max_s) as usize,
        }
    }

    /// The next samples.
    pub(super) fn samples(&mut self, samples: &[f32]) {
        self.history.extend(samples.iter().map(|sample| (sample * 32_768.0).round() as i16));
        let n_most = self.rate.samples(HISTORY_S) as usize;
        // Rarely, as the rest has to be moved.
        if self.history.len() > 2 * n_most {
            let n_gone = self.history.len() - n_most;
            self.history.drain(..n_gone);
            self.history_start += n_gone as u64;
        }
        let heard = self.history_start + self.history.len() as u64;
        let linger = self.rate.samples(LINGER_S);
        let n_heard = self.wanted.partition_point(|wanted| wanted.span.end + linger <= heard);
        let ready: Vec<Wanted> = self.wanted.drain(..n_heard).collect();
        ready.into_iter().for_each(|wanted| self.keep(wanted));
    }

    /// Samples that are lost are silence.
    pub(super) fn gap(&mut self, lost_samples: u64) {
        // Of a long one the end is enough; what was before is history.
        let n_most = 2 * self.rate.samples(HISTORY_S);
        let n_skipped = lost_samples.saturating_sub(n_most);
        self.samples(&vec![0.0; (lost_samples - n_skipped) as usize]);
        // By now the history is nothing but silence.
        self.history_start += n_skipped;
    }

    /// The word at `span`, decided at `decision_sample`, is wanted; of too many those with the highest rank are kept.
    pub(super) fn want(&mut self, span: Range<u64>, decision_sample: u64, rank: f32) {
        let margin = self.rate.samples(MARGIN_S);
        let span = span.start.saturating_sub(margin)..decision_sample.max(span.end) + margin;
        let n_longest = self.rate.samples(MAX_CLIP_S);
        match self.wanted.last_mut() {
            Some(last) if span.start <= last.span.end && span.end - last.span.start.min(span.start) <= n_longest => {
                last.span = last.span.start.min(span.start)..last.span.end.max(span.end);
                last.rank = last.rank.max(rank);
            }
            _ => self.wanted.push(Wanted { span, rank }),
        }
    }

    fn keep(&mut self, Wanted { span, rank }: Wanted) {
        let at = |sample: u64| (sample.saturating_sub(self.history_start) as usize).min(self.history.len());
        let samples = self.history[at(span.start)..at(span.end)].to_vec();
        if samples.is_empty() {
            return;
        }
        self.n_kept += samples.len();
        self.clips.push(Clip { start_sample: span.start.max(self.history_start), samples, rank });
        while self.n_kept > self.n_max {
            let least = self.clips.iter().enumerate().min_by(|(_, a), (_, b)| a.rank.total_cmp(&b.rank));
            let Some((idx, _)) = least else { return };
            self.n_kept -= self.clips.remove(idx).samples.len();
        }
    }

    /// The clips in the order of time.
    pub(super) fn finish(mut self) -> Vec<Clip> {
        for wanted in std::mem::take(&mut self.wanted) {
            self.keep(wanted);
        }
        self.clips.sort_by_key(|clip| clip.start_sample);
        self.clips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 16_000;

    /// A minute whose sample `i` is `i / 100` in units of the integer, heard in chunks of a second; every event is wanted when it is decided.
    fn kept(events: &[(Range<u64>, u64, f32)], max_s: f64) -> Vec<Clip> {
        let mut keeper = SoundKeeper::new(SampleRate::MODEL, max_s);
        for second in 0..60 {
            let samples: Vec<f32> =
                (second * SECOND..(second + 1) * SECOND).map(|i| (i / 100) as f32 / 32_768.0).collect();
            keeper.samples(&samples);
            let decided = |event: &&(Range<u64>, u64, f32)| event.1 / SECOND == second;
            events
                .iter()
                .filter(decided)
                .for_each(|(span, decision, rank)| keeper.want(span.clone(), *decision, *rank));
        }
        keeper.finish()
    }

    #[test]
    fn a_clip_is_the_word_with_what_is_around_it() {
        let clips = kept(&[(20 * SECOND..21 * SECOND, 22 * SECOND, 1.0)], 100.0);
        assert_eq!((clips.len(), clips[0].start_sample), (1, 20 * SECOND - 4800));
        assert_eq!(clips[0].samples.len() as u64, 2 * SECOND + 9600);
        assert_eq!(clips[0].samples[0], ((20 * SECOND - 4800) / 100) as i16);
    }

    #[test]
    fn words_that_touch_share_a_clip_until_it_is_long() {
        let event = |at: u64| (at * SECOND / 2..at * SECOND / 2 + SECOND, at * SECOND / 2 + SECOND, 1.0);
        let clips = kept(&(10..40).map(event).collect::<Vec<_>>(), 100.0);
        assert!(clips.len() > 1 && clips.len() < 6, "{}", clips.len());
        assert!(clips.iter().all(|clip| clip.samples.len() as f64 <= MAX_CLIP_S * 16_000.0));
        for at in 10..40 {
            let (start, end) = (at * SECOND / 2, at * SECOND / 2 + SECOND);
            let has = |clip: &Clip| clip.start_sample <= start && end <= clip.start_sample + clip.samples.len() as u64;
            assert!(clips.iter().any(has), "{at}");
        }
    }

    #[test]
    fn of_too_many_the_best_are_kept() {
        let event = |at: u64| (at * 5 * SECOND..at * 5 * SECOND + SECOND, at * 5 * SECOND + SECOND, at as f32 % 5.0);
        let clips = kept(&(1..11).map(event).collect::<Vec<_>>(), 5.0);
        assert_eq!(clips.iter().map(|clip| clip.rank).collect::<Vec<_>>(), [4.0, 3.0, 4.0]);
        assert!(clips.is_sorted_by_key(|clip| clip.start_sample));
    }

    #[test]
    fn the_ends_of_the_track_are_ends_of_clips() {
        let clips = kept(&[(0..100, 1280, 1.0), (59 * SECOND..60 * SECOND, 60 * SECOND - 1, 1.0)], 100.0);
        assert_eq!((clips[0].start_sample, clips[0].samples.len()), (0, 1280 + 4800));
        assert_eq!(clips[1].start_sample + clips[1].samples.len() as u64, 60 * SECOND);
    }
}
