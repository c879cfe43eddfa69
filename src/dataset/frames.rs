//! Cached mel power: linear, 16 bits a value.

use half::bf16;

use crate::features::{FeatureConfig, MelPowerExtractor};

/// Mel power frames `(n_frames, n_mels)` in bf16: the range of f32 with 8 bits of precision, errors below 0.02 dB.
#[derive(Debug, Clone, PartialEq)]
pub struct Frames {
    power: Box<[bf16]>,
    n_mels: usize,
}

impl Frames {
    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.power.len() / self.n_mels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.power.is_empty()
    }

    /// Appends the linear mel power of `range`, in frames, to `out`.
    pub fn append_to(&self, range: std::ops::Range<usize>, out: &mut Vec<f32>) {
        let cells = &self.power[range.start * self.n_mels..range.end * self.n_mels];
        out.extend(cells.iter().map(|cell| cell.to_f32()));
    }

    /// Memory held, in bytes.
    pub(super) fn n_bytes(&self) -> usize {
        size_of_val(&*self.power)
    }
}

/// Turns clips into cached frames.
pub(super) struct FrameMaker {
    extractor: MelPowerExtractor,
    power: Vec<f32>,
    hop: usize,
    n_mels: usize,
}

impl FrameMaker {
    pub(super) fn new(features: &FeatureConfig) -> Self {
        Self {
            extractor: MelPowerExtractor::new(features),
            power: Vec::new(),
            hop: features.hop_length_samples,
            n_mels: features.n_mels,
        }
    }

    /// The frames of a clip times `gain`; a last one that is not full is completed with silence.
    pub(super) fn frames(&mut self, samples: &[f32], gain: f32) -> Frames {
        let n_frames = samples.len().div_ceil(self.hop);
        self.extractor.reset();
        self.power.clear();
        self.extractor.push(samples, &mut self.power);
        // Frames come out a few at a time.
        let silence = vec![0.0; self.hop];
        while self.power.len() < n_frames * self.n_mels {
            self.extractor.push(&silence, &mut self.power);
        }
        self.power.truncate(n_frames * self.n_mels);
        let gain = gain * gain;
        Frames { power: self.power.iter().map(|&power| bf16::from_f32(power * gain)).collect(), n_mels: self.n_mels }
    }
}
