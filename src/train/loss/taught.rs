//! What teachers say of single steps.

use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;

use super::cross_entropy::cross_entropy;

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
}
