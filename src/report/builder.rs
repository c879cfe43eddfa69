//! Makes the page of a track while it is heard.

use super::data::{self, PageData};
use super::filled;
use super::sound::SoundKeeper;
use super::sweep::Sweep;
use crate::bundle::Manifest;
use crate::page::escape;
use crate::picture::{Detail, PictureBuilder};
use crate::pipeline::{FeatureBlock, StepScores};

/// About a megabyte, packed. An hour is kept by steps of 80 ms.
const DETAIL: Detail = Detail { n_waveform_columns: 100_000, n_mel_columns: 50_000, n_score_columns: 50_000 };
/// Sound of words that a page holds, in seconds: another megabyte.
const MAX_SOUND_S: f64 = 400.0;
/// Below this score nobody wants to hear what was not found.
const LEAST_SCORE: f32 = 0.2;

/// What the page says of a track besides.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedTrack<'a> {
    /// The recording, as the user named it.
    pub file: &'a str,
    /// Its address as seen from the page.
    pub link: &'a str,
    /// The channel that was heard, counted from 1; none for the mix.
    pub channel: Option<u16>,
    /// What was odd about it.
    pub warnings: &'a [String],
}

/// Follows a track.
pub struct ReportBuilder<'a> {
    manifest: &'a Manifest,
    picture: PictureBuilder,
    sweep: Sweep,
    sound: SoundKeeper,
}

impl<'a> ReportBuilder<'a> {
    /// Of what the model of `manifest` hears.
    pub fn new(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            picture: PictureBuilder::new(manifest, 0.0..f64::INFINITY, DETAIL),
            sweep: Sweep::new(manifest),
            sound: SoundKeeper::new(manifest.features.sample_rate(), MAX_SOUND_S),
        }
    }

    /// The next samples.
    pub fn samples(&mut self, samples: &[f32]) {
        self.picture.samples(samples);
        self.sound.samples(samples);
    }

    /// Samples that are lost.
    pub fn gap(&mut self, lost_samples: u64) {
        self.picture.gap(lost_samples);
        self.sound.gap(lost_samples);
    }

    /// The next feature frames.
    pub fn features(&mut self, block: &FeatureBlock) {
        self.picture.features(block);
    }

    /// The next step that is decided.
    pub fn scores(&mut self, step: &StepScores) {
        self.picture.scores(step);
        let mut wanted = Vec::new();
        self.sweep.push(step, |word_idx, found| wanted.push((word_idx, *found)));
        for (word_idx, found) in wanted {
            let own_idx = self.sweep.own_idx(word_idx) as u16;
            // What the model itself finds comes first.
            let rank = if (found.low_idx..=found.high_idx).contains(&own_idx) { 1.0 } else { 0.0 } + found.score;
            if rank >= LEAST_SCORE {
                self.sound.want(self.sweep.span(word_idx, &found), found.decision_sample, rank);
            }
        }
    }

    /// The page, as HTML.
    pub fn finish(self, track: &ReportedTrack) -> String {
        let picture = self.picture.finish();
        let clips = self.sound.finish();
        let data = PageData { manifest: self.manifest, track, picture: &picture, sweep: &self.sweep, clips: &clips };
        let title = match track.channel {
            Some(channel) => format!("{}, channel {channel}", track.file),
            None => track.file.to_owned(),
        };
        let (title, header, packed) = (escape(&title), data::for_script(&data.header()), data.packed());
        let parts = [
            ("title", title.as_str()),
            ("style", include_str!("page.css")),
            ("header", &header),
            ("packed", &packed),
            ("script", include_str!("page.js")),
        ];
        filled(include_str!("page.html"), &parts)
    }
}
