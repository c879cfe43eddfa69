//! What follows a track on its way through the signal path.

use super::{HeardTrack, LabelError};
use crate::pipeline::{FeatureBlock, StepScores};

/// Makes one output of a track while it is heard. All is told in the order of time and in portions of any size.
pub trait Observer {
    /// The next samples `(n,)` at the model's rate, as they are found.
    ///
    /// # Errors
    /// When the output cannot be written; the track is given up then.
    fn samples(&mut self, samples: &[f32]) -> Result<(), LabelError> {
        let _ = samples;
        Ok(())
    }

    /// A stretch of samples that are lost: it counts, and nothing is known of it.
    fn gap(&mut self, lost_samples: u64) {
        let _ = lost_samples;
    }

    /// The next feature frames, whole steps of them.
    ///
    /// # Errors
    /// As of [`samples`](Self::samples).
    fn features(&mut self, block: &FeatureBlock) -> Result<(), LabelError> {
        let _ = block;
        Ok(())
    }

    /// The next step that is decided.
    ///
    /// # Errors
    /// As of [`samples`](Self::samples).
    fn scores(&mut self, step: StepScores) -> Result<(), LabelError> {
        let _ = step;
        Ok(())
    }

    /// The track has been heard to its end: what is to be written is written now, whole. What the user should know is added to the
    /// track's warnings.
    ///
    /// # Errors
    /// When the output cannot be written; then it does not exist.
    fn finish(self: Box<Self>, track: &mut HeardTrack) -> Result<(), LabelError>;
}
