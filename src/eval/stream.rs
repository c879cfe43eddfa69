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
    /// The recording it is in, by its place in the list that was laid.
    pub recording_idx: usize,
}

/// Where a recording lies in a stream: a gap, then its sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaidItem {
    /// The recording, by its place in the list that was laid.
    pub recording_idx: usize,
    /// Where the gap begins, in samples of the stream.
    pub start_sample: u64,
    /// Where the recording begins.
    pub sound_sample: u64,
    /// Where the next gap begins.
    pub end_sample: u64,
}

/// What lies where in a stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamLayout {
    /// In the order of time.
    pub truths: Vec<Truth>,
    /// In the order of time.
    pub items: Vec<LaidItem>,
    /// Length.
    pub n_samples: u64,
    /// How much of it counts as hours in which events are false: everything but clips of single words.
    pub n_negative_samples: u64,
}

impl StreamLayout {
    /// The recording that is heard at `sample`: the last one whose sound had begun.
    pub fn item_at(&self, sample: u64) -> Option<&LaidItem> {
        self.items[..self.items.partition_point(|item| item.sound_sample <= sample)].last()
    }
}

/// A stream as the network sees it, and what is said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalStream {
    /// Feature frames `(time, n_mels)`, whole steps.
    pub frames: Vec<f32>,
    /// What lies where.
    pub layout: StreamLayout,
}
