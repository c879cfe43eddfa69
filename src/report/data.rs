//! The numbers of a page: what is told in JSON, and series in a form that is small and quick to read.
//!
//! Packed are, one after the other: the waveform, the spectrogram and each word's scores, each byte less the one before it in time; then
//! all that was found, of each word the decisions in steps since the one before (u32), the steps from the crossing to the decision
//! (u32), the scores (f32), the first and the last threshold (u16). Numbers are little endian; zlib and base64 lie around it.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};

use super::ReportedTrack;
use super::sound::Clip;
use super::sweep::Sweep;
use crate::audio::write_opus::ogg_opus;
use crate::bundle::Manifest;
use crate::features::mel_place;
use crate::page::Palette;
use crate::picture::{Picture, SCORE_TICKS, Series, score_place};

/// Of the spectrogram: few enough to be small, too many to be told apart.
const N_BRIGHTNESSES: u16 = 32;
/// Frequencies that are written, in hertz.
const FREQUENCIES: [f64; 4] = [500.0, 1000.0, 2000.0, 4000.0];

/// All that a page is made of.
pub(super) struct PageData<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) track: &'a ReportedTrack<'a>,
    pub(super) picture: &'a Picture,
    pub(super) sweep: &'a Sweep,
    pub(super) clips: &'a [Clip],
}

impl PageData<'_> {
    /// What is small, and where the rest lies.
    pub(super) fn header(&self) -> Value {
        let (picture, sweep, features) = (self.picture, self.sweep, &self.manifest.features);
        let rate = features.sample_rate();
        let series = |series: &Series| json!({ "n_columns": series.n_columns(), "width": series.width, "column_s": series.column_s });
        let words: Vec<Value> = (0..)
            .zip(&self.manifest.words)
            .map(|(word_idx, word)| {
                let timing = sweep.timing(word_idx);
                json!({
                    "name": word.name, "own_idx": sweep.own_idx(word_idx), "n_found": sweep.found(word_idx).len(),
                    "delay_s": rate.seconds(timing.crossing_delay_ms.samples(rate)),
                    "duration_s": rate.seconds(timing.typical_duration_ms.samples(rate)),
                })
            })
            .collect();
        let clips: Vec<Value> = self
            .clips
            .iter()
            .filter_map(|clip| {
                let start_s = rate.seconds(clip.start_sample);
                let end_s = rate.seconds(clip.start_sample + clip.samples.len() as u64);
                Some(json!([start_s, end_s, STANDARD.encode(ogg_opus(&clip.samples)?)]))
            })
            .collect();
        let colours: Vec<[u8; 3]> = (0..N_BRIGHTNESSES)
            .map(|i| Palette::Loudness.colour(f64::from(i) / f64::from(N_BRIGHTNESSES - 1)))
            .collect();
        json!({
            "file": self.track.file,
            "link": self.track.link,
            "channel": self.track.channel,
            "warnings": self.track.warnings,
            "model": self.manifest.name,
            "duration_s": picture.end_s,
            "step_s": rate.seconds(sweep.step_samples()),
            "thresholds": sweep.thresholds(),
            "threshold_places": sweep.thresholds().iter().map(|score| score_place(*score)).collect::<Vec<_>>(),
            "lowest_idx": sweep.lowest_idx(),
            "ticks": SCORE_TICKS.map(|score| (score, score_place(score))),
            "frequencies": FREQUENCIES.map(|hz| (hz, mel_place(features, hz))),
            "colours": colours,
            "waveform": series(&picture.waveform),
            "mel": series(&picture.mel),
            "scores": series(&picture.scores),
            "words": words,
            "clips": clips,
        })
    }

    /// What is large, as base64.
    pub(super) fn packed(&self) -> String {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(7));
        let bytes = self.parts().and_then(|parts| encoder.write_all(&parts)).and_then(|()| encoder.finish());
        STANDARD.encode(bytes.expect("memory can be written"))
    }

    fn parts(&self) -> std::io::Result<Vec<u8>> {
        let picture = self.picture;
        let [low, high] = picture.mel.contrast().map(u16::from);
        let brightness = |cell: u8| {
            let above = u16::from(cell).clamp(low, high) - low;
            (above * (N_BRIGHTNESSES - 1) / (high - low).max(1)) as u8
        };
        let mut parts = Vec::new();
        push_differences(&mut parts, &picture.waveform, |cell| cell);
        push_differences(&mut parts, &picture.mel, brightness);
        push_differences(&mut parts, &picture.scores, |cell| cell);
        let step = self.sweep.step_samples();
        for word_idx in 0..self.manifest.words.len() {
            let found = self.sweep.found(word_idx);
            let mut before = 0;
            for found in found {
                let decision = (found.decision_sample / step) as u32;
                parts.write_all(&(decision - before).to_le_bytes())?;
                before = decision;
            }
            for found in found {
                let lasted = ((found.decision_sample - found.crossed_sample) / step) as u32;
                parts.write_all(&lasted.to_le_bytes())?;
            }
            for found in found {
                parts.write_all(&found.score.to_le_bytes())?;
            }
            for found in found {
                parts.write_all(&found.low_idx.to_le_bytes())?;
            }
            for found in found {
                parts.write_all(&found.high_idx.to_le_bytes())?;
            }
        }
        Ok(parts)
    }
}

/// Row by row: in time, neighbours are alike.
fn push_differences(parts: &mut Vec<u8>, series: &Series, value: impl Fn(u8) -> u8) {
    for row in 0..series.width {
        let mut before = 0u8;
        for column in 0..series.n_columns() {
            let now = value(series.cells[column * series.width + row]);
            parts.push(now.wrapping_sub(before));
            before = now;
        }
    }
}

/// JSON that may stand in a script element.
pub(super) fn for_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
