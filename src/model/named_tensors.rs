//! A network's tensors by name, wherever they are: in memory, or in a file of which one is read at a time.

use super::{ModelConfig, Weights, WeightsError};

/// Tensors by name.
pub trait NamedTensors {
    /// The tensor's shape.
    ///
    /// # Errors
    /// When it is missing; the names that are there are listed.
    fn dims(&self, name: &str) -> Result<Vec<usize>, WeightsError>;

    /// The tensor's numbers, row-major.
    ///
    /// # Errors
    /// When it is missing or cannot be read as numbers.
    fn values(&self, name: &str) -> Result<Vec<f32>, WeightsError>;

    /// Checks that the tensors of this shape are there, and finite.
    ///
    /// # Errors
    /// Names the first tensor that is missing, of another shape, or not finite.
    fn check(&self, config: &ModelConfig, n_mels: usize, n_words: usize) -> Result<(), WeightsError> {
        for (name, expected) in Weights::expected(config, n_mels, n_words) {
            let found = self.dims(&name)?;
            if found != expected {
                return Err(WeightsError::Shape { name, found, expected });
            }
            if !self.values(&name)?.iter().all(|weight| weight.is_finite()) {
                return Err(WeightsError::NotFinite { name });
            }
        }
        Ok(())
    }
}
