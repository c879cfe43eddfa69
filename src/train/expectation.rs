//! What a user may expect of a trained model, in words: misses in a hundred, false wakes in a week, what would improve both.
//!
//! Everything is derived from what the training counted; a figure that cannot be trusted says so.

use std::fmt::Write;

use serde::Serialize;

use super::curve::{LearningCurve, Tally};
use crate::eval::{hours_for_bound, rate_interval, wilson_interval};

const HOURS_IN_A_WEEK: f64 = 168.0;
/// Misses in a hundred with noise above which more recordings are asked for where no learning curve was measured.
const MANY_MISSED: f64 = 8.0;
/// Twice the recordings are worth asking for when they are likely to save so many misses in a hundred.
const WORTH_ASKING: f64 = 3.0;
/// Voices that were not learned from are missed more often, when by at least so many in a hundred.
const STRANGERS_MATTER: f64 = 5.0;

/// Whose voices the words were tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestedOn {
    /// Of people who were not learned from.
    NewVoices,
    /// Of people who were learned from, in other recordings.
    KnownVoices,
    /// Nothing tells who speaks.
    UnknownVoices,
    /// Nothing was held out.
    Nothing,
}

/// What is known of one word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordExpectation {
    /// The word.
    pub word: String,
    /// Of the held-out recordings.
    pub missed: Tally,
    /// Wrong events in the held-out other sound, all conditions together.
    pub n_false_accepts: usize,
    /// Recordings that were learned from.
    pub n_clips: usize,
    /// Speakers among them; none: nothing tells.
    pub n_speakers: Option<usize>,
}

/// What is known of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expectation {
    /// Word by word.
    pub words: Vec<WordExpectation>,
    /// Whose voices they were tested on.
    pub tested_on: TestedOn,
    /// Hours of different held-out other sound.
    pub hours: f64,
    /// In how many conditions each was heard.
    pub n_conditions: usize,
    /// The noise of the noisy condition lies so far below the voice, in decibels; none: there was no noise to test with.
    pub snr_db: Option<f32>,
    /// False accepts an hour for which the thresholds were chosen.
    pub target_per_hour: f64,
    /// How misses fall with the number of recordings, where that was measured.
    pub curve: Option<LearningCurve>,
}

impl Expectation {
    /// One paragraph for people.
    pub fn paragraph(&self) -> String {
        let mut text = "What to expect. ".to_owned();
        for word in &self.words {
            // Writing into a String cannot fail.
            let _ = self.write_misses(&mut text, word);
            let _ = self.write_false_wakes(&mut text, word);
        }
        let _ = self.write_trust(&mut text);
        let advice = self.advice();
        if advice.is_empty() {
            text.push_str("Nothing in these figures asks for more recordings.");
        } else {
            let _ = write!(text, "What would improve it: {}.", advice.join("; "));
        }
        text
    }

    fn write_misses(&self, text: &mut String, word: &WordExpectation) -> std::fmt::Result {
        let Tally { clean, noisy } = word.missed;
        if clean[1] == 0 {
            let name = &word.word;
            return write!(text, "How often \"{name}\" will be missed was not measured: nothing was held out. ");
        }
        write!(text, "Of a hundred times that \"{}\" is said in a quiet place, about {}", word.word, hundred(clean))?;
        if let Some(snr_db) = self.snr_db.filter(|_| noisy[1] > 0) {
            write!(text, "; with noise {snr_db} dB below the voice, {}", hundred(noisy))?;
        }
        text.push_str(". ");
        Ok(())
    }

    fn write_false_wakes(&self, text: &mut String, word: &WordExpectation) -> std::fmt::Result {
        let week = |per_hour: f64| (per_hour * HOURS_IN_A_WEEK).round();
        let heard = self.hours * self.n_conditions as f64;
        let [low, high] = rate_interval(word.n_false_accepts, heard, self.n_conditions as f64).map(week);
        let rate = word.n_false_accepts as f64 / heard.max(f64::MIN_POSITIVE);
        write!(text, "It will wake by mistake about {} times in a week ", week(rate))?;
        write!(
            text,
            "({low} to {high}) of talk and other sound without a pause; a home with three hours of that a day has an eighth. "
        )
    }

    /// How far the figures can be trusted.
    fn write_trust(&self, text: &mut String) -> std::fmt::Result {
        match self.tested_on {
            TestedOn::NewVoices => text.push_str("The words were tested on people it had not learned from. "),
            TestedOn::KnownVoices => text.push_str(
                "The words were tested on other recordings of people it had learned from: anybody else will be missed more often. ",
            ),
            TestedOn::UnknownVoices => text.push_str(
                "Nothing tells who speaks in the recordings: if they are of one person, anybody else will be missed more often. ",
            ),
            TestedOn::Nothing => {}
        }
        let needed = hours_for_bound(self.target_per_hour);
        if self.hours < needed {
            write!(
                text,
                "The {:.1} hours of other sound it was tested on are too few to promise any number of false wakes: the \
                 threshold was chosen for {} a week, and that takes {needed:.1} hours to show. ",
                self.hours,
                (self.target_per_hour * HOURS_IN_A_WEEK).round()
            )?;
        }
        Ok(())
    }

    /// What would improve it, the most useful first.
    fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let fewest = self.words.iter().min_by_key(|word| word.n_clips);
        let n_clips = fewest.map_or(0, |word| word.n_clips);
        match self.curve.as_ref().and_then(|curve| curve.forecast(n_clips)) {
            Some([now, doubled]) if now - doubled >= WORTH_ASKING => advice.push(format!(
                "more recordings of the word: with twice as many, about {doubled:.0} in a hundred would be missed and not {now:.0}, \
                 quiet and noisy together"
            )),
            Some(_) => {}
            None if self.tested_on == TestedOn::Nothing || self.worst() > MANY_MISSED => {
                advice.push(format!("more recordings of the word (it learned from {n_clips})"));
            }
            None => {}
        }
        let n_speakers = self.words.iter().map(|word| word.n_speakers).min().flatten();
        let strangers = self.curve.as_ref().and_then(LearningCurve::strangers_against_known);
        match (n_speakers, strangers) {
            (_, Some([strange, known])) if strange - known >= STRANGERS_MATTER => advice.push(format!(
                "recordings of everybody who will use it: a voice that was left out was missed {strange:.0} times in a hundred, one \
                 that was not {known:.0} times"
            )),
            (Some(1), _) => advice.push("recordings of another speaker, if others are to use it".into()),
            (None, _) => advice.push("names of speakers (a folder or a file name for each), so that voices can be tested".into()),
            _ => {}
        }
        if self.hours < hours_for_bound(self.target_per_hour) {
            advice.push(
                "more hours of other speech, radio and household sound, best from the place and microphone it will run with".into(),
            );
        }
        if self.snr_db.is_none() {
            advice.push("recordings of noise, without which it was neither taught nor tested in noise".into());
        }
        advice
    }

    /// Misses in a hundred of the worst word in the worst condition.
    fn worst(&self) -> f64 {
        let shares = self.words.iter().flat_map(|word| [word.missed.clean, word.missed.noisy]);
        shares.map(|[missed, spoken]| 100.0 * missed as f64 / spoken.max(1) as f64).fold(0.0, f64::max)
    }
}

/// "5 are missed (1 to 24; 1 of 20 recordings)".
fn hundred([missed, spoken]: [usize; 2]) -> String {
    let percent = |share: f64| (100.0 * share).round();
    let [low, high] = wilson_interval(missed, spoken).map(percent);
    let rate = percent(missed as f64 / spoken as f64);
    format!("{rate} are missed ({low} to {high}; {missed} of {spoken} in the test)")
}

impl LearningCurve {
    /// Misses in a hundred, of `n_clips` recordings of each word and of twice as many. Misses are taken to fall as a power of the
    /// number: the line through the points in double logarithms, each counted as often as it was tested, a half added to every
    /// count so that none is 0.
    pub fn forecast(&self, n_clips: usize) -> Option<[f64; 2]> {
        let points: Vec<(f64, f64, f64)> = self
            .points
            .iter()
            .filter(|point| point.n_clips > 0)
            .map(|point| {
                let Tally { clean, noisy } = point.total();
                let [missed, spoken] = [0, 1].map(|i| (clean[i] + noisy[i]) as f64);
                // A logarithm of a count is known the better the more was counted.
                ((point.n_clips as f64).ln(), ((missed + 0.5) / (spoken + 1.0)).ln(), missed + 0.5)
            })
            .collect();
        if points.len() < 2 {
            return None;
        }
        let total: f64 = points.iter().map(|(.., weight)| weight).sum();
        let mean = |value: &dyn Fn(&(f64, f64, f64)) -> f64| {
            points.iter().map(|point| point.2 * value(point)).sum::<f64>() / total
        };
        let (x_mean, y_mean) = (mean(&|point| point.0), mean(&|point| point.1));
        let variance = mean(&|point| (point.0 - x_mean).powi(2));
        let covariance = mean(&|point| (point.0 - x_mean) * (point.1 - y_mean));
        // More recordings do no harm: a rising line is chance.
        let slope = if variance > 0.0 { (covariance / variance).min(0.0) } else { 0.0 };
        Some([1.0, 2.0].map(|factor| {
            let x = (factor * n_clips.max(1) as f64).ln();
            100.0 * (y_mean + slope * (x - x_mean)).exp().min(1.0)
        }))
    }

    /// Misses in a hundred of voices that were left out and of voices that were not, where both were tested.
    fn strangers_against_known(&self) -> Option<[f64; 2]> {
        let strangers = self.strangers.as_ref()?;
        Some([100.0 * strangers.total().miss_rate(), 100.0 * self.points.last()?.total().miss_rate()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::curve::CurvePoint;

    fn facts() -> Expectation {
        Expectation {
            words: vec![WordExpectation {
                word: "hey house".into(),
                missed: Tally { clean: [1, 20], noisy: [3, 20] },
                n_false_accepts: 2,
                n_clips: 20,
                n_speakers: Some(1),
            }],
            tested_on: TestedOn::KnownVoices,
            hours: 2.0,
            n_conditions: 2,
            snr_db: Some(10.0),
            target_per_hour: 0.5,
            curve: None,
        }
    }

    fn curve(missed: [usize; 3]) -> LearningCurve {
        let point = |n_clips, n_missed| CurvePoint {
            n_clips,
            words: vec![Tally { clean: [n_missed, 100], noisy: [n_missed, 100] }],
        };
        LearningCurve {
            points: [5, 10, 15].into_iter().zip(missed).map(|(n_clips, missed)| point(n_clips, missed)).collect(),
            strangers: None,
        }
    }

    #[test]
    fn the_paragraph_tells_misses_false_wakes_bounds_and_what_would_help() {
        assert_eq!(
            facts().paragraph(),
            "What to expect. Of a hundred times that \"hey house\" is said in a quiet place, about 5 are missed (1 to 24; 1 of 20 in \
             the test); with noise 10 dB below the voice, 15 are missed (5 to 36; 3 of 20 in the test). It will wake by mistake about \
             84 times in a week (2 to 468) of talk and other sound without a pause; a home with three hours of that a day has an \
             eighth. The words were tested on other recordings of people it had learned from: anybody else will be missed more often. \
             The 2.0 hours of other sound it was tested on are too few to promise any number of false wakes: the threshold was chosen \
             for 84 a week, and that takes 7.4 hours to show. What would improve it: more recordings of the word (it learned from \
             20); recordings of another speaker, if others are to use it; more hours of other speech, radio and household sound, best \
             from the place and microphone it will run with."
        );
    }

    #[test]
    fn a_model_with_nothing_to_improve_says_so() {
        let mut facts = facts();
        facts.words[0].missed = Tally { clean: [0, 200], noisy: [2, 200] };
        facts.words[0].n_speakers = Some(30);
        facts.words[0].n_false_accepts = 1;
        (facts.hours, facts.tested_on) = (40.0, TestedOn::NewVoices);
        let text = facts.paragraph();
        assert!(text.contains("about 0 are missed (0 to 2; 0 of 200 in the test)"), "{text}");
        assert!(text.contains("about 2 times in a week (0 to "), "{text}");
        assert!(text.contains("people it had not learned from"), "{text}");
        assert!(!text.contains("too few"), "{text}");
        assert!(text.ends_with("Nothing in these figures asks for more recordings."), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_not_told_as_a_number() {
        let mut facts = facts();
        facts.words[0].missed = Tally::default();
        (facts.tested_on, facts.snr_db) = (TestedOn::Nothing, None);
        let text = facts.paragraph();
        assert!(text.contains("was not measured"), "{text}");
        assert!(text.contains("recordings of noise"), "{text}");
    }

    #[test]
    fn a_curve_that_falls_asks_for_more_and_one_that_has_settled_does_not() {
        let mut facts = facts();
        facts.curve = Some(curve([40, 20, 14]));
        let text = facts.paragraph();
        assert!(text.contains("with twice as many, about 5 in a hundred would be missed and not 11"), "{text}");
        facts.curve = Some(curve([2, 2, 2]));
        assert!(!facts.paragraph().contains("more recordings of the word"));
        // Chance makes it rise: no worse is forecast.
        let [now, doubled] = curve([2, 3, 4]).forecast(20).unwrap();
        assert!((now - doubled).abs() < 1e-9);
    }

    #[test]
    fn voices_that_were_left_out_are_told_when_they_are_missed_more() {
        let mut facts = facts();
        facts.words[0].n_speakers = Some(4);
        let mut with_strangers = curve([10, 10, 10]);
        with_strangers.strangers =
            Some(CurvePoint { n_clips: 15, words: vec![Tally { clean: [30, 100], noisy: [50, 100] }] });
        facts.curve = Some(with_strangers);
        let text = facts.paragraph();
        assert!(
            text.contains("a voice that was left out was missed 40 times in a hundred, one that was not 10 times"),
            "{text}"
        );
    }
}
