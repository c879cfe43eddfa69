//! The loss of a batch.

use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;

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

    /// The same where teachers say what is right: they know it at the steps that the labels leave out, too. Those lie around a
    /// word's end and count with the positive ones.
    pub(super) fn taught(targets: &[f32], weights: &[f32], negative_weight: f64) -> Self {
        let near_word: Vec<f32> =
            targets.iter().zip(weights).map(|(&target, &weight)| if weight == 0.0 { 1.0 } else { target }).collect();
        Self::new(&near_word, &vec![1.0; near_word.len()], negative_weight)
    }
}

/// The weighted sum over all steps and words, a scalar.
///
/// # Errors
/// When shapes differ.
pub(super) fn weighted_loss(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    (cross_entropy(logits, targets)? * weights)?.sum_all()
}

/// How far `logits` are from those of the teachers, a scalar: cross entropy at a `temperature` above 1, so that steps at which all
/// are sure still tell how sure; times its square, which keeps the gradient's size (Hinton, Vinyals & Dean 2015).
///
/// # Errors
/// When shapes differ.
pub(super) fn taught_loss(logits: &Tensor, taught: &Tensor, weights: &Tensor, temperature: f64) -> Result<Tensor> {
    let cooler = |logits: &Tensor| logits / temperature;
    // The teachers' own entropy, which no student can go below, is left out: the loss is 0 where both agree.
    let targets = sigmoid(&cooler(taught)?)?;
    let excess = (cross_entropy(&cooler(logits)?, &targets)? - cross_entropy(&cooler(taught)?, &targets)?)?;
    (excess * weights)?.sum_all()? * (temperature * temperature)
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
    fn a_student_that_agrees_with_its_teachers_has_nothing_to_learn() {
        let tensor = |values: [f32; 3]| candle_core::Var::new(&values, &Device::Cpu).unwrap();
        let (taught, weights) = (tensor([-6.0, 0.5, 7.0]), tensor([1.0, 2.0, 3.0]));
        let loss_and_gradient = |student: [f32; 3]| {
            let student = tensor(student);
            let loss = taught_loss(&student, &taught, &weights, 2.0).unwrap();
            let gradient = loss.backward().unwrap().get(&student).unwrap().to_vec1::<f32>().unwrap();
            (loss.to_scalar::<f32>().unwrap(), gradient)
        };
        let (loss, gradient) = loss_and_gradient([-6.0, 0.5, 7.0]);
        assert!(loss.abs() < 1e-5 && gradient.iter().all(|g| g.abs() < 1e-5), "{loss} {gradient:?}");
        // Less sure than the teachers: up where they say yes, down where they say no.
        let (loss, gradient) = loss_and_gradient([-4.0, 0.5, 4.0]);
        assert!(loss > 0.01 && gradient[0] > 0.0 && gradient[2] < 0.0, "{loss} {gradient:?}");
    }

    #[test]
    fn teachers_count_where_labels_do_not() {
        let weights = StepWeights::taught(&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 1.0, 1.0], 1.0).weights;
        assert_eq!(weights, [0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn rare_positives_weigh_as_much_as_all_negatives_at_weight_one() {
        let weights = StepWeights::new(&[1.0, 0.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 1.0, 0.0], 1.0).weights;
        assert_eq!(weights, [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    }
}
