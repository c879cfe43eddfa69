//! One continuous stream with its truth.

/// A word that was really said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Which word of the model.
    pub word_idx: usize,
    /// First sample of the word.
    pub start_sample: u64,
    /// Last sample of the word plus one.
    pub end_sample: u64,
}

/// A stream as the network sees it, and what is said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalStream {
    /// Feature frames `(time, n_mels)`, whole steps.
    pub frames: Vec<f32>,
    /// In the order of time.
    pub truths: Vec<Truth>,
    /// Length.
    pub n_samples: u64,
}
