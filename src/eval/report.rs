//! What a measurement found: the table, the JSON and the page are all made of this.

use serde::Serialize;

use super::{Outcome, rate_interval, wilson_interval};

/// All that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of tripword.
    pub tripword_version: String,
    /// Name of the model.
    pub model: String,
    /// Folder of the recordings.
    pub data: String,
    /// Seed of levels, gaps, noises and rooms.
    pub seed: u64,
    /// The operating point of speakers, signal-to-noise ratios, confusables, and of the single misses and false accepts.
    pub main_point: String,
    /// Hours of recordings in which events are false, each counted once.
    pub different_hours: f64,
    /// How many files could not be used.
    pub n_skipped_files: usize,
    /// Word by word.
    pub words: Vec<WordReport>,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordReport {
    /// The word.
    pub word: String,
    /// The model's own threshold and those of the targets.
    pub points: Vec<PointReport>,
    /// Miss rate against false accepts per hour.
    pub det_curves: Vec<DetCurve>,
    /// Events in what sounds like the word, at the main point.
    pub confusables: Vec<Confusable>,
    /// Speaker by speaker, all conditions together, at the main point.
    pub speakers: Vec<SpeakerReport>,
    /// Miss rate by signal-to-noise ratio without a room, at the main point; empty unless asked for.
    pub snrs: Vec<SnrReport>,
    /// Words without an event at the main point.
    pub misses: Vec<Occurrence>,
    /// Events where no word was said, at the main point.
    pub false_accepts: Vec<Occurrence>,
}

/// One threshold of a word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointReport {
    /// `model`, or the target.
    pub operating_point: String,
    /// False accepts per hour that it was chosen for.
    pub target_fa_per_hour: Option<f64>,
    /// The threshold.
    pub threshold: f32,
    /// All conditions together: what the threshold was chosen by.
    pub false_accepts: FalseAccepts,
    /// Condition by condition.
    pub conditions: Vec<ConditionReport>,
}

/// One threshold of a word in one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionReport {
    /// The condition.
    pub condition: String,
    /// Words missed.
    pub misses: Misses,
    /// From the word's end to the decision, in milliseconds: the median.
    pub median_latency_ms: Option<i64>,
    /// The latency that 95 % of the hits do not exceed.
    pub p95_latency_ms: Option<i64>,
    /// Events where no wake word was said.
    pub false_accepts: FalseAccepts,
    /// Events where another wake word was said.
    pub n_confusions: usize,
}

impl ConditionReport {
    /// Median and 95 % latency in milliseconds, as text; empty without a hit.
    pub fn latency_text(&self) -> String {
        match (self.median_latency_ms, self.p95_latency_ms) {
            (Some(median), Some(p95)) => format!("{median}, {p95}"),
            _ => String::new(),
        }
    }
}

/// A share of words missed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Misses {
    /// Words spoken.
    pub n_spoken: usize,
    /// Words without an event.
    pub n_missed: usize,
    /// Missed / spoken; 0 when nothing was spoken.
    pub miss_rate: f64,
    /// Wilson's 95 % interval.
    pub interval: [f64; 2],
}

impl Misses {
    /// So many missed of so many.
    pub fn new(n_missed: usize, n_spoken: usize) -> Self {
        let miss_rate = n_missed as f64 / n_spoken.max(1) as f64;
        Self { n_spoken, n_missed, miss_rate, interval: wilson_interval(n_missed, n_spoken) }
    }

    pub(super) fn of(outcome: &Outcome) -> Self {
        Self::new(outcome.n_missed, outcome.n_spoken)
    }
}

/// A rate of false accepts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FalseAccepts {
    /// Events.
    pub n_false_accepts: usize,
    /// Hours that were heard.
    pub hours: f64,
    /// Hours of different recordings among them, which is what the interval rests on.
    pub different_hours: f64,
    /// Events / hours.
    pub per_hour: f64,
    /// Garwood's 95 % interval of the rate.
    pub interval: [f64; 2],
}

impl FalseAccepts {
    /// So many events in so many hours, each heard `n_repetitions` times.
    pub fn new(n_false_accepts: usize, hours: f64, n_repetitions: f64) -> Self {
        Self {
            n_false_accepts,
            hours,
            different_hours: hours / n_repetitions,
            per_hour: if hours > 0.0 { n_false_accepts as f64 / hours } else { 0.0 },
            interval: rate_interval(n_false_accepts, hours, n_repetitions),
        }
    }
}

/// How misses and false accepts trade in one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetCurve {
    /// The condition of the misses; false accepts are those of all conditions.
    pub condition: String,
    /// By rising threshold.
    pub points: Vec<DetPoint>,
}

/// One threshold of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DetPoint {
    /// The threshold.
    pub threshold: f32,
    /// In all conditions together.
    pub false_accepts_per_hour: f64,
    /// In this condition.
    pub miss_rate: f64,
}

/// What sounds like the word and is not it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confusable {
    /// Another wake word, or what was done to this one.
    pub kind: String,
    /// How often it was heard.
    pub n_spoken: usize,
    /// In how many of these there was an event of the word.
    pub n_events: usize,
    /// Events / spoken.
    pub rate: f64,
    /// Wilson's 95 % interval.
    pub interval: [f64; 2],
}

/// One speaker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeakerReport {
    /// As the folder tells; none: unknown.
    pub speaker: Option<String>,
    /// All conditions together.
    pub misses: Misses,
}

/// One signal-to-noise ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SnrReport {
    /// In decibels.
    pub snr_db: f32,
    /// Words missed.
    pub misses: Misses,
}

/// One miss or false accept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Occurrence {
    /// The condition it happened in.
    pub condition: String,
    /// The recording.
    pub file: String,
    /// Where in it, in seconds: the word's start, or the decision.
    pub time_s: f64,
    /// Of a miss, the highest score within the word's window; of a false accept, the highest before the decision.
    pub score: f32,
    /// The speaker, if anything tells.
    pub speaker: Option<String>,
    /// The WAV file beside the page that holds it with a second before and after, if there is one.
    pub excerpt: Option<String>,
    /// Where in the streams it is.
    #[serde(skip)]
    pub place: Place,
}

/// Where in the streams something is.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Among the sets that were measured.
    pub set_idx: usize,
    /// Whether in the streams with words.
    pub is_positive: bool,
    /// Among the streams of the set.
    pub stream_idx: usize,
    /// The word, or the second before the decision, in samples.
    pub samples: std::ops::Range<u64>,
}
