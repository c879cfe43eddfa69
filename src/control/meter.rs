//! How loud it is, for whoever sets up a microphone.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::audio::history::{AudioHistory, Followed, Follower};
use crate::units::{Milliseconds, SampleRate};

/// A value is measured over so much sound.
const PIECE: Milliseconds = Milliseconds(100);
/// The background is looked for in so many values...
const BACKGROUND_PIECES: usize = 30;
/// ...of which this share is quieter than it: talk has pauses.
const QUIETER_SHARE: f64 = 0.2;
/// Below this nothing can be told from digital silence, -100 dBFS.
const LEAST_POWER: f64 = 1e-10;
/// How often somebody who waits for sound is told that there is none.
const SILENCE_TOLD: Duration = Duration::from_secs(1);
/// How long one wait is, so that a client that has left is seen.
const PATIENCE: Duration = Duration::from_millis(100);

/// The sound of a tenth of a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Since the stream's first sample, to the end of the piece.
    pub time_s: f64,
    /// To a full-scale square wave, in decibels.
    pub rms_dbfs: f64,
    /// The loudest sample to full scale, in decibels.
    pub peak_dbfs: f64,
    /// Samples at full scale.
    pub n_clipped_samples: usize,
    /// The quiet moments of the last three seconds, as `rms_dbfs`.
    pub background_dbfs: f64,
    /// The piece's power, the background's taken off, to that of the background, in decibels; 0 to 100.
    pub snr_db: f64,
}

/// What a wait brought.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Measured {
    Level(Level),
    /// No sound came for so long.
    NoSound(Duration),
    /// Nothing came yet; time to look whether anybody still wants to know.
    Pause,
    End,
}

/// Measures a stream as it comes.
pub(super) struct Meter {
    follower: Follower,
    piece: Vec<i16>,
    /// Powers of the last values.
    powers: VecDeque<f64>,
    waited: Duration,
}

impl Meter {
    /// From the next sample on.
    pub(super) fn new(history: &AudioHistory) -> Self {
        Self {
            follower: history.follow(history.end()),
            piece: Vec::new(),
            powers: VecDeque::with_capacity(BACKGROUND_PIECES),
            waited: Duration::ZERO,
        }
    }

    /// Waits for the next value.
    pub(super) fn next(&mut self) -> Measured {
        let n_wanted = PIECE.samples(SampleRate::MODEL) as usize;
        match self.follower.next(n_wanted - self.piece.len(), PATIENCE) {
            Followed::Samples(samples) => {
                self.waited = Duration::ZERO;
                self.piece.extend(samples);
                if self.piece.len() < n_wanted {
                    return Measured::Pause;
                }
                let level = self.measure();
                self.piece.clear();
                Measured::Level(level)
            }
            // What is begun does not belong to what comes.
            Followed::Lost(_) => {
                self.piece.clear();
                Measured::Pause
            }
            Followed::TimedOut => {
                let told = self.waited.as_secs();
                self.waited += PATIENCE;
                if self.waited.as_secs() > told && self.waited >= SILENCE_TOLD {
                    return Measured::NoSound(self.waited);
                }
                Measured::Pause
            }
            Followed::End => Measured::End,
        }
    }

    fn measure(&mut self) -> Level {
        let full_scale = f64::from(i16::MAX);
        let squares: f64 = self.piece.iter().map(|sample| (f64::from(*sample) / full_scale).powi(2)).sum();
        let power = (squares / self.piece.len() as f64).max(LEAST_POWER);
        if self.powers.len() == BACKGROUND_PIECES {
            self.powers.pop_front();
        }
        self.powers.push_back(power);
        let mut sorted: Vec<f64> = self.powers.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let background = sorted[(sorted.len() as f64 * QUIETER_SHARE) as usize];
        let peak = self.piece.iter().map(|sample| f64::from(*sample).abs() / full_scale).fold(0.0, f64::max);
        let decibels = |ratio: f64| 10.0 * ratio.log10();
        Level {
            time_s: SampleRate::MODEL.seconds(self.follower.position()),
            rms_dbfs: decibels(power),
            peak_dbfs: decibels(peak.powi(2).max(LEAST_POWER)),
            n_clipped_samples: self.piece.iter().filter(|sample| sample.unsigned_abs() >= i16::MAX as u16).count(),
            background_dbfs: decibels(background),
            snr_db: decibels(((power - background) / background).max(1.0)).min(100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alternating samples of this level.
    fn tone(level: f32, n_samples: usize) -> Vec<f32> {
        (0..n_samples).map(|i| if i % 2 == 0 { level } else { -level }).collect()
    }

    fn next_level(meter: &mut Meter) -> Level {
        loop {
            match meter.next() {
                Measured::Level(level) => return level,
                Measured::Pause => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_tone_over_a_quieter_one_has_its_level_and_its_ratio() {
        let history = AudioHistory::new(Milliseconds(5000));
        let mut meter = Meter::new(&history);
        history.push(&tone(0.01, 16_000));
        history.push(&tone(0.1, 1600));
        let quiet = next_level(&mut meter);
        assert!((quiet.rms_dbfs + 40.0).abs() < 0.1 && quiet.snr_db == 0.0 && quiet.time_s == 0.1, "{quiet:?}");
        for _ in 0..9 {
            next_level(&mut meter);
        }
        let loud = next_level(&mut meter);
        assert!((loud.rms_dbfs + 20.0).abs() < 0.1 && (loud.peak_dbfs + 20.0).abs() < 0.1, "{loud:?}");
        assert!((loud.background_dbfs + 40.0).abs() < 0.1 && (loud.snr_db - 20.0).abs() < 0.1, "{loud:?}");
        assert_eq!(loud.n_clipped_samples, 0);
    }

    #[test]
    fn clipping_is_counted_silence_is_finite_and_no_sound_is_told() {
        let history = AudioHistory::new(Milliseconds(1000));
        let mut meter = Meter::new(&history);
        history.push(&[0.0; 1600]);
        history.push(&[-1.5; 3]);
        history.push(&[0.5; 1597]);
        assert_eq!(next_level(&mut meter).rms_dbfs, -100.0);
        let clipped = next_level(&mut meter);
        assert!(clipped.n_clipped_samples == 3 && clipped.peak_dbfs.abs() < 0.01, "{clipped:?}");
        let mut n_pauses = 0;
        let waited = loop {
            match meter.next() {
                Measured::Pause => n_pauses += 1,
                Measured::NoSound(waited) => break waited,
                other => panic!("{other:?}"),
            }
        };
        assert!(waited == Duration::from_secs(1) && n_pauses == 9, "{waited:?} after {n_pauses}");
        history.finish();
        assert_eq!(meter.next(), Measured::End);
    }

    #[test]
    fn who_falls_behind_goes_on_with_what_is_there() {
        let history = AudioHistory::new(Milliseconds(1000));
        let mut meter = Meter::new(&history);
        history.push(&tone(0.1, 800));
        assert_eq!(meter.next(), Measured::Pause);
        history.push(&tone(0.5, 64_000));
        assert!((next_level(&mut meter).peak_dbfs + 6.0).abs() < 0.1);
    }
}
