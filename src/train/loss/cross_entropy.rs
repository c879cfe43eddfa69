//! Cross entropy of single steps.

use candle_core::{Result, Tensor};

/// Binary cross entropy of `logits` against `targets`, both `(batch, steps, n_words)`, in the overflow-free form
/// max(x, 0) − x·y + ln(1 + e^−|x|); one value a step and word.
///
/// # Errors
/// When shapes differ.
pub(super) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    // 0.5 (x + |x|) and not relu: its gradient at 0 is the mean of both sides.
    let positive_part = ((logits + logits.abs()?)? * 0.5)?;
    (positive_part - (logits * targets)?)? + ((logits.abs()?.neg()?.exp()? + 1.0)?.log()?)
}

/// The weighted sum over all steps and words, a scalar.
///
/// # Errors
/// When shapes differ.
pub(super) fn weighted_loss(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    (cross_entropy(logits, targets)? * weights)?.sum_all()
}

/// `targets` drawn towards a half: y (1 − e) + e / 2 with e = `smoothing`.
pub(super) fn smoothed(targets: &[f32], smoothing: f64) -> Vec<f32> {
    let smoothing = smoothing as f32;
    // Of 0 and 1 with e = 0 this is the number itself, to the bit.
    targets.iter().map(|target| target * (1.0 - smoothing) + 0.5 * smoothing).collect()
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
    fn smoothing_of_nothing_changes_no_target() {
        assert_eq!(smoothed(&[0.0, 1.0], 0.0), [0.0, 1.0]);
        assert_eq!(smoothed(&[0.0, 1.0], 0.5), [0.25, 0.75]);
    }
}
