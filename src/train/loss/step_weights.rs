//! What each step of a batch counts.

/// The mean over positive steps plus `negative_weight` times the mean over negative ones, as weights of the steps, row-major
/// `(batch, steps, n_words)`: the weighted sum is the loss. From the targets (0 or 1) and the weights (0 or 1) of a whole batch; a
/// batch without positives has only the negative part.
pub(super) fn step_weights(targets: &[f32], weights: &[f32], negative_weight: f64) -> Vec<f32> {
    let mut n = [0.0f64; 2];
    for (target, weight) in targets.iter().zip(weights) {
        n[usize::from(*target > 0.5)] += f64::from(*weight);
    }
    let per_step = [negative_weight / n[0].max(1.0), 1.0 / n[1].max(1.0)];
    targets
        .iter()
        .zip(weights)
        .map(|(target, weight)| (f64::from(*weight) * per_step[usize::from(*target > 0.5)]) as f32)
        .collect()
}

/// The same where teachers say what is right: they know it at the steps that the labels leave out, too. Those lie around a word's end
/// and count with the positive ones. Only steps where `counted` is 1 and not 0 count.
pub(super) fn taught_step_weights(targets: &[f32], weights: &[f32], counted: &[f32], negative_weight: f64) -> Vec<f32> {
    let near_word: Vec<f32> =
        targets.iter().zip(weights).map(|(&target, &weight)| if weight == 0.0 { 1.0 } else { target }).collect();
    step_weights(&near_word, counted, negative_weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teachers_count_where_labels_do_not() {
        let weights =
            |counted: [f32; 4]| taught_step_weights(&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 1.0, 1.0], &counted, 1.0);
        assert_eq!(weights([1.0; 4]), [0.5, 0.5, 0.5, 0.5]);
        assert_eq!(weights([0.0, 1.0, 1.0, 1.0]), [0.0, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn rare_positives_weigh_as_much_as_all_negatives_at_weight_one() {
        let weights = step_weights(&[1.0, 0.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 1.0, 0.0], 1.0);
        assert_eq!(weights, [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
    }
}
