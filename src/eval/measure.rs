//! From traced streams to a report.

use std::collections::BTreeMap;

use super::matching::HIT_AFTER_END;
use super::recordings::Role;
use super::report::{
    ConditionReport, Confusable, DetCurve, DetPoint, FalseAccepts, Misses, Occurrence, Place, PointReport, SnrReport,
    SpeakerReport, WordReport,
};
use super::{
    Condition, Content, Ear, Material, Outcome, Piece, StreamLayout, StreamSet, Target, TargetRule, TracedStreams,
    WordScores, candidates, choose_threshold,
};
use crate::dataset::SkippedFile;
use crate::detector::TriggerConfig;
use crate::parallel;
use crate::units::SampleRate;

/// A word of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct WordUnderTest {
    /// Its name.
    pub name: String,
    /// Its decision rule in the model.
    pub trigger: TriggerConfig,
}

/// A threshold to be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointRequest {
    /// False accepts per hour.
    pub per_hour: f64,
    /// Whether the count or its bound must keep to it.
    pub rule: TargetRule,
}

/// The streams of one condition, heard.
pub struct ConditionSet {
    /// As it is called in the report.
    pub name: String,
    /// Room and noise.
    pub condition: Condition,
    /// Streams with words; none where noise is heard alone.
    pub positives: Option<TracedStreams>,
    /// Streams without.
    pub negatives: TracedStreams,
    /// What is in the streams without words.
    pub negative_role: Role,
}

/// A model's words, heard in every condition.
pub struct Measurement<'a> {
    material: &'a Material,
    words: Vec<WordUnderTest>,
    /// Condition by condition; noise alone last.
    pub sets: Vec<ConditionSet>,
    pieces: TracedStreams,
    snrs: Vec<(f32, TracedStreams)>,
    /// Recordings that could not be used.
    pub skipped: Vec<SkippedFile>,
}

/// The scores of one word everywhere.
struct WordEverywhere<'a> {
    positives: Vec<Option<WordScores<'a>>>,
    negatives: Vec<WordScores<'a>>,
}

impl<'a> Measurement<'a> {
    /// Hears everything: the words and other speech in each of `conditions`, noise alone, pieces of the words, and the words at
    /// each of `snrs_db`. `progress` is called with the number of streams of the present set that are done and of all of them, and what
    /// is being heard.
    pub fn new(
        material: &'a Material,
        words: Vec<WordUnderTest>,
        conditions: &[Condition],
        snrs_db: &[f32],
        ear: Ear,
        progress: &dyn Fn(usize, usize, &str),
    ) -> Self {
        let mut skipped = Vec::new();
        let mut hear = |set: StreamSet| {
            let name = set.to_string();
            let (streams, unusable) =
                material.hear(set.role, set.condition, ear, &|done, all| progress(done, all, &name));
            skipped.extend(unusable);
            streams
        };
        let mut sets: Vec<ConditionSet> = Vec::new();
        let (mut positives, mut pieces) = (None, None);
        for set in material.stream_sets(conditions) {
            let streams = hear(set);
            match set.role {
                Role::Positive => positives = Some(streams),
                Role::Piece => pieces = Some(streams),
                Role::Negative | Role::Noise => sets.push(ConditionSet {
                    name: set.condition_name(),
                    condition: set.condition,
                    positives: positives.take(),
                    negatives: streams,
                    negative_role: set.role,
                }),
            }
        }
        let pieces = pieces.expect("pieces are always among the sets");
        let snrs = snrs_db.iter().map(|&snr_db| (snr_db, hear(StreamSet::words_at(snr_db)))).collect();
        Self { material, words, sets, pieces, snrs, skipped }
    }

    /// Hours in which events are false, each recording counted once.
    pub fn different_hours(&self) -> f64 {
        self.sets.iter().filter(|set| set.condition == Condition::CLEAN).map(set_hours).sum()
    }

    /// In how many conditions each of these hours was heard, on average.
    pub fn n_repetitions(&self) -> f64 {
        let hours: f64 = self.sets.iter().map(set_hours).sum();
        (hours / self.different_hours().max(f64::MIN_POSITIVE)).max(1.0)
    }

    /// The results of every word that is said in the recordings, at the model's threshold and at those for `requests`; details at
    /// the request `main`.
    ///
    /// # Panics
    /// When there is no request `main`.
    pub fn words(&self, requests: &[PointRequest], main: usize) -> Vec<WordReport> {
        let said: Vec<usize> = (0..self.words.len()).filter(|&word_idx| self.is_said(word_idx)).collect();
        let work = |_: &mut (), word_idx: &usize| self.word(*word_idx, requests, main);
        parallel::map("tw-measure", &said, parallel::n_cores(), || (), work, &|_, _| {})
    }

    fn is_said(&self, word_idx: usize) -> bool {
        let truths = |streams: &TracedStreams| {
            streams.streams.iter().any(|(layout, _)| layout.truths.iter().any(|truth| truth.word_idx == word_idx))
        };
        self.sets.iter().filter_map(|set| set.positives.as_ref()).any(truths)
    }

    fn word(&self, word_idx: usize, requests: &[PointRequest], main: usize) -> WordReport {
        let WordUnderTest { name, trigger } = &self.words[word_idx];
        let trigger = *trigger;
        let everywhere = WordEverywhere {
            positives: self.sets.iter().map(|set| Some(set.positives.as_ref()?.word(word_idx, trigger))).collect(),
            negatives: self.sets.iter().map(|set| set.negatives.word(word_idx, trigger)).collect(),
        };
        let n_repetitions = self.n_repetitions();
        let all: Vec<&WordScores> = (everywhere.positives.iter().zip(&everywhere.negatives))
            .flat_map(|(positives, negatives)| positives.iter().chain([negatives]))
            .collect();
        let mut points = vec![self.point("model".into(), None, trigger, &everywhere)];
        for &PointRequest { per_hour, rule } in requests {
            let target = Target { per_hour, rule, n_repetitions };
            let threshold = choose_threshold(&all, trigger, target).threshold;
            let name = format!("{per_hour} FA/h");
            points.push(self.point(name, Some(per_hour), trigger.with_threshold(threshold), &everywhere));
        }
        let at_main = trigger.with_threshold(points[main + 1].threshold);
        let (misses, false_accepts) = self.occurrences(at_main, &everywhere);
        WordReport {
            word: name.clone(),
            points,
            det_curves: self.det_curves(trigger, &everywhere),
            confusables: self.confusables(word_idx, at_main, &everywhere),
            speakers: self.speakers(at_main, &everywhere),
            snrs: (self.snrs.iter())
                .map(|(snr_db, streams)| {
                    let outcome = streams.word(word_idx, trigger).outcome(at_main);
                    SnrReport { snr_db: *snr_db, misses: Misses::of(&outcome) }
                })
                .collect(),
            misses,
            false_accepts,
        }
    }

    fn point(
        &self,
        operating_point: String,
        target_fa_per_hour: Option<f64>,
        trigger: TriggerConfig,
        everywhere: &WordEverywhere,
    ) -> PointReport {
        let conditions: Vec<ConditionReport> = (self.sets.iter().enumerate())
            .map(|(i, set)| {
                let spoken = everywhere.positives[i].as_ref().map(|scores| scores.outcome(trigger)).unwrap_or_default();
                let n_false = spoken.n_false + everywhere.negatives[i].outcome(trigger).n_false;
                ConditionReport {
                    condition: set.name.clone(),
                    misses: Misses::of(&spoken),
                    median_latency_ms: spoken.median_latency_ms(),
                    p95_latency_ms: spoken.latency_quantile_ms(0.95),
                    false_accepts: FalseAccepts::new(n_false, set_hours(set), 1.0),
                    n_confusions: spoken.n_confusions,
                }
            })
            .collect();
        let n_false = conditions.iter().map(|row| row.false_accepts.n_false_accepts).sum();
        let hours = conditions.iter().map(|row| row.false_accepts.hours).sum();
        PointReport {
            operating_point,
            target_fa_per_hour,
            threshold: trigger.threshold,
            false_accepts: FalseAccepts::new(n_false, hours, self.n_repetitions()),
            conditions,
        }
    }

    fn det_curves(&self, trigger: TriggerConfig, everywhere: &WordEverywhere) -> Vec<DetCurve> {
        let spoken: Vec<usize> = (0..self.sets.len()).filter(|&i| everywhere.positives[i].is_some()).collect();
        let mut curves: Vec<DetCurve> =
            (spoken.iter()).map(|&i| DetCurve { condition: self.sets[i].name.clone(), points: Vec::new() }).collect();
        let hours: f64 = self.sets.iter().map(set_hours).sum();
        for threshold in candidates() {
            let trigger = trigger.with_threshold(threshold);
            let outcomes: Vec<Outcome> =
                everywhere.positives.iter().flatten().map(|scores| scores.outcome(trigger)).collect();
            let n_false: usize = outcomes.iter().map(|outcome| outcome.n_false).sum::<usize>()
                + everywhere.negatives.iter().map(|scores| scores.outcome(trigger).n_false).sum::<usize>();
            let false_accepts_per_hour = n_false as f64 / hours.max(f64::MIN_POSITIVE);
            for (curve, outcome) in curves.iter_mut().zip(&outcomes) {
                curve.points.push(DetPoint { threshold, false_accepts_per_hour, miss_rate: outcome.miss_rate() });
            }
        }
        curves
    }

    fn confusables(&self, word_idx: usize, trigger: TriggerConfig, everywhere: &WordEverywhere) -> Vec<Confusable> {
        let mut others: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (layout, _, matched) in everywhere.positives.iter().flatten().flat_map(|scores| scores.events(trigger)) {
            for truth in layout.truths.iter().filter(|truth| truth.word_idx != word_idx) {
                others.entry(truth.word_idx).or_default().0 += 1;
            }
            let mut heard: Vec<usize> = matched.confusions.iter().map(|(_, truth_idx)| *truth_idx).collect();
            heard.dedup();
            for truth_idx in heard {
                others.entry(layout.truths[truth_idx].word_idx).or_default().1 += 1;
            }
        }
        let mut pieces: BTreeMap<Piece, (usize, usize)> = BTreeMap::new();
        let recordings = self.material.recordings(Role::Piece);
        let piece_of = |recording_idx: usize| match &recordings[recording_idx].content {
            Content::Piece(file, piece) if file.word_idx == word_idx => Some(*piece),
            _ => None,
        };
        for (layout, events, _) in self.pieces.word(word_idx, trigger).events(trigger) {
            let own = layout.items.iter().filter_map(|item| piece_of(item.recording_idx));
            own.for_each(|piece| pieces.entry(piece).or_default().0 += 1);
            let mut heard: Vec<usize> =
                events.iter().filter_map(|event| Some(layout.item_at(event.decision_sample)?.recording_idx)).collect();
            heard.dedup();
            heard.into_iter().filter_map(piece_of).for_each(|piece| pieces.entry(piece).or_default().1 += 1);
        }
        let others = others.into_iter().map(|(other, counts)| (self.words[other].name.clone(), counts));
        let pieces = pieces.into_iter().map(|(piece, counts)| (piece.to_string(), counts));
        (others.chain(pieces))
            .map(|(kind, (n_spoken, n_events))| {
                let Misses { miss_rate: rate, interval, .. } = Misses::new(n_events, n_spoken);
                Confusable { kind, n_spoken, n_events, rate, interval }
            })
            .collect()
    }

    fn speakers(&self, trigger: TriggerConfig, everywhere: &WordEverywhere) -> Vec<SpeakerReport> {
        let mut counts: BTreeMap<Option<String>, (usize, usize)> = BTreeMap::new();
        let recordings = self.material.recordings(Role::Positive);
        for (layout, _, matched) in everywhere.positives.iter().flatten().flat_map(|scores| scores.events(trigger)) {
            let speaker = |truth_idx: usize| recordings[layout.truths[truth_idx].recording_idx].speaker.clone();
            for truth_idx in matched.hits.iter().map(|(truth_idx, _)| *truth_idx) {
                counts.entry(speaker(truth_idx)).or_default().1 += 1;
            }
            for &truth_idx in &matched.misses {
                let (n_missed, n_spoken) = counts.entry(speaker(truth_idx)).or_default();
                (*n_missed, *n_spoken) = (*n_missed + 1, *n_spoken + 1);
            }
        }
        let mut speakers: Vec<SpeakerReport> = (counts.into_iter())
            .map(|(speaker, (n_missed, n_spoken))| SpeakerReport { speaker, misses: Misses::new(n_missed, n_spoken) })
            .collect();
        speakers.sort_by(|a, b| b.misses.miss_rate.total_cmp(&a.misses.miss_rate));
        speakers
    }

    /// Misses, the lowest score first, and false accepts, the highest first.
    fn occurrences(&self, trigger: TriggerConfig, everywhere: &WordEverywhere) -> (Vec<Occurrence>, Vec<Occurrence>) {
        let (mut misses, mut false_accepts) = (Vec::new(), Vec::new());
        for (set_idx, set) in self.sets.iter().enumerate() {
            let parts = [(everywhere.positives[set_idx].as_ref(), true), (Some(&everywhere.negatives[set_idx]), false)];
            for (scores, is_positive) in parts {
                let role = if is_positive { Role::Positive } else { set.negative_role };
                for (stream_idx, (layout, events, matched)) in
                    scores.iter().flat_map(|scores| scores.events(trigger)).enumerate()
                {
                    let place = |samples| Place { set_idx, is_positive, stream_idx, samples };
                    for truth in matched.misses.iter().map(|&truth_idx| &layout.truths[truth_idx]) {
                        let window = truth.start_sample..=truth.end_sample + HIT_AFTER_END.samples(SampleRate::MODEL);
                        let score = scores.map_or(0.0, |scores| scores.highest(stream_idx, window));
                        let place = place(truth.start_sample..truth.end_sample);
                        misses.push(self.occurrence(set, role, layout, truth.start_sample, score, place));
                    }
                    for event in matched.false_accepts.iter().map(|&event_idx| &events[event_idx]) {
                        let at = event.decision_sample;
                        let place = place(at.saturating_sub(SampleRate::MODEL.samples(1.0))..at);
                        false_accepts.push(self.occurrence(set, role, layout, at, event.score, place));
                    }
                }
            }
        }
        misses.sort_by(|a, b| a.score.total_cmp(&b.score));
        false_accepts.sort_by(|a, b| b.score.total_cmp(&a.score));
        (misses, false_accepts)
    }

    fn occurrence(
        &self,
        set: &ConditionSet,
        role: Role,
        layout: &StreamLayout,
        sample: u64,
        score: f32,
        place: Place,
    ) -> Occurrence {
        let (recording_idx, time_s) = Material::file_time_s(layout, sample).expect("a stream has a recording");
        let recording = &self.material.recordings(role)[recording_idx];
        Occurrence {
            condition: set.name.clone(),
            file: recording.path.display().to_string(),
            time_s,
            score,
            speaker: recording.speaker.clone(),
            excerpt: None,
            place,
        }
    }

    /// What is heard around a miss or false accept: from a second before to a second after.
    pub fn excerpt(&self, place: &Place) -> Vec<f32> {
        let set = &self.sets[place.set_idx];
        let role = if place.is_positive { Role::Positive } else { set.negative_role };
        let streams = if place.is_positive { set.positives.as_ref() } else { Some(&set.negatives) };
        let Some((layout, _)) = streams.and_then(|streams| streams.streams.get(place.stream_idx)) else {
            return Vec::new();
        };
        let second = SampleRate::MODEL.samples(1.0);
        let part = place.samples.start.saturating_sub(second)..place.samples.end + second;
        self.material.excerpt(role, set.condition, layout, part)
    }
}

fn set_hours(set: &ConditionSet) -> f64 {
    set.negatives.negative_hours() + set.positives.as_ref().map_or(0.0, TracedStreams::negative_hours)
}
