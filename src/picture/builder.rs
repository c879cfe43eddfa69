//! Makes a picture of a track while it is heard.

use std::ops::Range;

use super::Picture;
use super::folding::{Folding, Merge};
use super::score_place;
use crate::bundle::Manifest;
use crate::features::Compression;
use crate::pipeline::{FeatureBlock, StepScores, samples_per_step};
use crate::units::SampleRate;

/// How much is kept at most; of a longer stretch neighbours are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Columns of the waveform.
    pub n_waveform_columns: usize,
    /// Columns of the spectrogram.
    pub n_mel_columns: usize,
    /// Columns of the scores.
    pub n_score_columns: usize,
}

/// Follows a track.
pub struct PictureBuilder {
    rate: SampleRate,
    hop: u64,
    step: u64,
    n_mels: usize,
    /// The least and the greatest feature that is told apart.
    range: [f32; 2],
    /// The stretch that is kept, in samples; it begins with a step.
    kept: Range<u64>,
    n_samples: u64,
    /// How far the samples of the column begun reach below and above zero.
    reach: [f32; 2],
    waveform: Folding,
    mel: Folding,
    scores: Folding,
    /// Where the next frame and the next score are expected.
    next_frame: u64,
    next_step: u64,
}

impl PictureBuilder {
    /// Of what lies within `kept_s`, in seconds; `0.0..f64::INFINITY` is all.
    pub fn new(manifest: &Manifest, kept_s: Range<f64>, detail: Detail) -> Self {
        let (rate, step) = (manifest.features.sample_rate(), samples_per_step(manifest));
        let hop = manifest.features.hop_length_samples as u64;
        let seconds = |n_samples| rate.seconds(n_samples);
        let n_mels = manifest.features.n_mels;
        let start = rate.samples(kept_s.start) / step * step;
        Self {
            rate,
            hop,
            step,
            n_mels,
            range: feature_range(&manifest.features.compression),
            kept: start..rate.samples(kept_s.end),
            n_samples: 0,
            reach: [0.0; 2],
            waveform: Folding::new(Merge::Highest, 2, seconds(hop), detail.n_waveform_columns),
            mel: Folding::new(Merge::Mean, n_mels, seconds(hop), detail.n_mel_columns),
            scores: Folding::new(Merge::Highest, manifest.words.len(), seconds(step), detail.n_score_columns),
            next_frame: start,
            next_step: start,
        }
    }

    /// The next samples.
    pub fn samples(&mut self, samples: &[f32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let n_to_column = (self.hop - self.n_samples % self.hop) as usize;
            let (part, later) = rest.split_at(n_to_column.min(rest.len()));
            if self.kept.contains(&self.n_samples) {
                let [below, above] = &mut self.reach;
                for sample in part {
                    *below = below.max(-sample);
                    *above = above.max(*sample);
                }
            }
            self.n_samples += part.len() as u64;
            rest = later;
            if self.n_samples.is_multiple_of(self.hop) && self.kept.contains(&(self.n_samples - self.hop)) {
                self.waveform.push(std::mem::take(&mut self.reach).into_iter().map(f32::sqrt));
            }
        }
    }

    /// Samples that are lost: the waveform is flat there.
    pub fn gap(&mut self, lost_samples: u64) {
        let silence = [0.0; 4096];
        let mut n_left = lost_samples;
        while n_left > 0 {
            let n = n_left.min(silence.len() as u64);
            self.samples(&silence[..n as usize]);
            n_left -= n;
        }
    }

    /// The next feature frames.
    pub fn features(&mut self, block: &FeatureBlock) {
        let [low, high] = self.range;
        for (i, frame) in (0..).zip(block.frames.chunks_exact(self.n_mels)) {
            let at = block.start_sample + i * self.hop;
            if self.kept.contains(&at) {
                // A lost stretch.
                while self.next_frame < at {
                    self.mel.push(std::iter::repeat_n(0.0, self.n_mels));
                    self.next_frame += self.hop;
                }
                self.mel.push(frame.iter().map(|value| (value - low) / (high - low)));
                self.next_frame = at + self.hop;
            }
        }
    }

    /// The next step that is decided.
    pub fn scores(&mut self, step: &StepScores) {
        let at = step.end_sample - self.step;
        if self.kept.contains(&at) {
            while self.next_step < at {
                self.scores.push(std::iter::repeat_n(0.0, step.scores.len()));
                self.next_step += self.step;
            }
            self.scores.push(step.scores.iter().map(|score| score_place(*score)));
            self.next_step = at + self.step;
        }
    }

    /// The picture. What comes after the last sample, in the silence that decides the last word, is left out.
    pub fn finish(mut self) -> Picture {
        let begun = self.n_samples / self.hop * self.hop;
        if self.n_samples > begun && self.kept.contains(&begun) {
            self.waveform.push(self.reach.into_iter().map(f32::sqrt));
        }
        let start_s = self.rate.seconds(self.kept.start);
        let end_s = self.rate.seconds(self.n_samples.min(self.kept.end)).max(start_s);
        let cut = |mut series: super::Series| {
            let n_columns = ((end_s - start_s) / series.column_s - 1e-9).ceil() as usize;
            series.cells.truncate(n_columns * series.width);
            series
        };
        let (waveform, mel) = (cut(self.waveform.finish()), cut(self.mel.finish()));
        Picture { start_s, end_s, waveform, mel, scores: cut(self.scores.finish()) }
    }
}

/// Between which values features lie: from digital silence to as loud as can be, or eight times the natural logarithm around the mean.
fn feature_range(compression: &Compression) -> [f32; 2] {
    match *compression {
        Compression::Log { floor, offset, scale } => [(floor.ln() + offset) / scale, (2.0 + offset) / scale],
        Compression::RunningMean { scale, .. } => [-8.0 / scale, 8.0 / scale],
        Compression::Pcen { .. } => [0.0, 8.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Location};
    use crate::pipeline::{FeatureStage, InferenceStage};

    const DETAIL: Detail = Detail { n_waveform_columns: 4000, n_mel_columns: 2000, n_score_columns: 1000 };

    fn pictured(samples: &[f32], kept_s: Range<f64>, chunk: usize, detail: Detail) -> Picture {
        let bundle = Bundle::load(&Location::Builtin(0)).unwrap();
        let mut builder = PictureBuilder::new(&bundle.manifest, kept_s, detail);
        let mut features = FeatureStage::new(&bundle.manifest);
        let mut inference = InferenceStage::new(&bundle);
        let mut block = FeatureBlock::default();
        for part in samples.chunks(chunk) {
            builder.samples(part);
            if features.push(part, &mut block) {
                builder.features(&block);
                inference.push(&block, |step| builder.scores(&step), |_| {});
            }
        }
        if features.finish(&mut block) {
            builder.features(&block);
            inference.push(&block, |step| builder.scores(&step), |_| {});
        }
        inference.finish(|step| builder.scores(&step), |_| {});
        builder.finish()
    }

    /// Seconds of a tone, silent but for the third.
    fn tone(n_seconds: usize) -> Vec<f32> {
        let loud = |i: usize| (2..3).contains(&(i / 16_000));
        let sample = |i: usize| if loud(i) { 0.5 * (i as f32 * 0.4).sin() } else { 0.0 };
        (0..n_seconds * 16_000).map(sample).collect()
    }

    #[test]
    fn all_series_tell_of_the_same_time() {
        let picture = pictured(&tone(5), 0.0..f64::INFINITY, 1000, DETAIL);
        assert_eq!((picture.start_s, picture.end_s), (0.0, 5.0));
        assert_eq!((picture.waveform.n_columns(), picture.waveform.column_s), (500, 0.01));
        assert_eq!((picture.mel.n_columns(), picture.mel.column_s, picture.mel.width), (500, 0.01, 40));
        assert_eq!((picture.scores.n_columns(), picture.scores.column_s), (63, 0.08));
        let loud: Vec<usize> = (0..500).filter(|&i| picture.waveform.column(i)[1] > 0).collect();
        assert_eq!((loud[0], loud[loud.len() - 1]), (200, 299));
        assert!(picture.waveform.column(250).iter().all(|reach| reach.abs_diff(180) <= 1));
        // The tone's band is bright where it sounds: 0.4 radians are 1019 Hz.
        let brightest = |i: usize| {
            let column = picture.mel.column(i);
            (0..40).max_by_key(|&band| column[band]).map(|band| (band, column[band])).unwrap()
        };
        let (band, brightness) = brightest(205);
        assert!((10..20).contains(&band) && brightness > 200, "{band} {brightness}");
        assert!(brightest(100).1 < 160);
    }

    #[test]
    fn portions_do_not_matter() {
        let sound = tone(4);
        let whole = pictured(&sound, 0.0..f64::INFINITY, usize::MAX, DETAIL);
        for chunk in [1, 159, 16_384] {
            assert!(pictured(&sound, 0.0..f64::INFINITY, chunk, DETAIL) == whole, "{chunk}");
        }
    }

    #[test]
    fn a_stretch_is_what_the_whole_has_there() {
        let sound = tone(6);
        let whole = pictured(&sound, 0.0..f64::INFINITY, 777, DETAIL);
        let part = pictured(&sound, 1.7..3.2, 777, DETAIL);
        // From the step that holds its beginning.
        assert!(
            (part.start_s - 1.68).abs() < 1e-9 && (part.end_s - 3.2).abs() < 1e-9,
            "{} {}",
            part.start_s,
            part.end_s
        );
        assert_eq!(part.waveform.cells, whole.waveform.cells[168 * 2..320 * 2]);
        assert_eq!(part.mel.cells, whole.mel.cells[168 * 40..320 * 40]);
        assert_eq!(part.scores.cells, whole.scores.cells[21 * 6..40 * 6]);
    }

    #[test]
    fn the_longer_the_coarser() {
        let detail = Detail { n_waveform_columns: 100, n_mel_columns: 50, n_score_columns: 20 };
        let picture = pictured(&tone(9), 0.0..f64::INFINITY, 16_000, detail);
        for (series, n_max) in [(&picture.waveform, 100), (&picture.mel, 50), (&picture.scores, 20)] {
            let n_columns = series.n_columns();
            assert!(n_columns <= n_max && n_columns * 2 >= n_max, "{n_columns} of {n_max}");
            assert!((n_columns as f64 * series.column_s - 9.0).abs() <= series.column_s);
        }
    }

    #[test]
    fn a_lost_stretch_takes_its_time() {
        let bundle = Bundle::load(&Location::Builtin(0)).unwrap();
        let mut builder = PictureBuilder::new(&bundle.manifest, 0.0..f64::INFINITY, DETAIL);
        builder.samples(&[0.5; 8000]);
        builder.gap(16_000);
        builder.samples(&[0.5; 8000]);
        let picture = builder.finish();
        let loud: Vec<usize> =
            (0..picture.waveform.n_columns()).filter(|&i| picture.waveform.column(i)[1] > 0).collect();
        assert_eq!((picture.end_s, loud.len(), loud[50]), (2.0, 100, 150));
    }

    #[test]
    fn nothing_at_all_is_a_picture_too() {
        let picture = pictured(&[], 0.0..f64::INFINITY, 1, DETAIL);
        assert_eq!((picture.end_s, picture.mel.n_columns(), picture.scores.n_columns()), (0.0, 0, 0));
        assert_eq!(pictured(&tone(3), 5.0..9.0, 1000, DETAIL).waveform.n_columns(), 0);
    }
}
