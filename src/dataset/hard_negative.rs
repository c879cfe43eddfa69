//! Where a network was wrong.

/// A place in the bank's negatives where a network took something for a wake word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HardNegative {
    /// Into [`super::Bank::negatives`].
    pub clip_idx: usize,
    /// Into that clip's variants.
    pub variant: usize,
    /// The frame of the highest output.
    pub centre_frame: usize,
}

impl From<(usize, usize, usize)> for HardNegative {
    fn from((clip_idx, variant, centre_frame): (usize, usize, usize)) -> Self {
        Self { clip_idx, variant, centre_frame }
    }
}

impl From<HardNegative> for (usize, usize, usize) {
    fn from(place: HardNegative) -> Self {
        (place.clip_idx, place.variant, place.centre_frame)
    }
}
