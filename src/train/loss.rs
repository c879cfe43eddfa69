//! The loss of a batch.

use candle_core::{Result, Tensor};

/// Binary cross entropy of `logits` against `targets`, both `(batch, steps, n_words)`, in the overflow-free form
/// max(x, 0) − x·y + ln(1 + e^−|x|); one value a step and word.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    // 0.5 (x + |x|) and not relu: its gradient at 0 is the mean of both sides.
    let positive_part = ((logits + logits.abs()?)? * 0.5)?;
    (positive_part - (logits * targets)?)? + ((logits.abs()?.neg()?.exp()? + 1.0)?.log()?)
}

/// How the steps of a batch are weighted: the mean over positive steps plus `negative_weight` times the mean over negative
/// ones, steps of weight 0 left out.
pub(super) struct StepWeights {
    /// Weight of each step and word, row-major `(batch, steps, n_words)`, so that the weighted sum is the loss.
    pub(super) weights: Vec<f32>,
}

impl StepWeights {
    /// From the targets (0 or 1) and the weights (0 or 1) of a whole batch. A batch without positives has only the
    /// negative part.
    pub(super) fn new(targets: &[f32], weights: &[f32], negative_weight: f64) -> Self {
        let mut n = [0.0f64; 2];
        for (target, weight) in targets.iter().zip(weights) {
            n[usize::from(*target > 0.5)] += f64::from(*weight);
        }
        let per_step = [negative_weight / n[0].max(1.0), 1.0 / n[1].max(1.0)];
        let weights = targets
            .iter()
            .zip(weights)
            .map(|(target, weight)| (f64::from(*weight) * per_step[usize::from(*target > 0.5)]) as f32)
            .collect();
        Self { weights }
    }
}

/// The weighted sum over all steps and words, a scalar.
///
/// # Errors
/// When shapes differ.
pub(super) fn weighted_loss(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    (cross_entropy(logits, targets)? * weights)?.sum_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn agrees_with_candle_nn_and_survives_large_logits() {
        let logits = Tensor::new(&[[-3.0f32, 0.5, 2.0, 0.0]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[[0.0f32, 1.0, 0.0, 1.0]], &Device::Cpu).unwrap();
        let ours = cross_entropy(&logits, &targets).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
        let theirs =
            candle_nn::loss::binary_cross_entropy_with_logit(&logits, &targets).unwrap().to_scalar::<f32>().unwrap();
        assert!((ours - theirs).abs() < 1e-6);

        let huge = Tensor::new(&[[1000.0f32, -1000.0]], &Device::Cpu).unwrap();
        let wrong = Tensor::new(&[[0.0f32, 1.0]], &Device::Cpu).unwrap();
        assert_eq!(cross_entropy(&huge, &wrong).unwrap().to_vec2::<f32>().unwrap(), [[1000.0, 1000.0]]);
    }

    #[test]
    fn rare_positives_weigh_as_much_as_all_negatives_at_weight_one() {
        let weights = StepWeights::new(&[1.0, 0.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 1.0, 0.0], 1.0).weights;
        assert_eq!(weights, [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    }
}
