//! Small draws that the mixer makes over and over.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma};

/// Evenly from a range; its lower end if it is empty.
pub(super) fn between(range: [f32; 2], rng: &mut impl Rng) -> f32 {
    range[0] + (range[1] - range[0]) * rng.random::<f32>()
}

/// Whether an event of this probability takes place.
pub(super) fn chance(probability: f32, rng: &mut impl Rng) -> bool {
    rng.random::<f32>() < probability
}

/// An index by weight; the weights need not sum to 1 but must not all be 0.
pub(super) fn weighted(weights: &[f32], rng: &mut impl Rng) -> usize {
    let mut place = rng.random::<f32>() * weights.iter().sum::<f32>();
    for (idx, &weight) in weights.iter().enumerate() {
        if place < weight {
            return idx;
        }
        place -= weight;
    }
    // Only rounding leads here.
    weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0)
}

/// Shares `total` among `n_parts` by a symmetric Dirichlet distribution; the parts sum to `total`.
pub(super) fn shares(total: usize, n_parts: usize, concentration: f32, rng: &mut impl Rng) -> Vec<usize> {
    let gamma = Gamma::new(concentration, 1.0).expect("the concentration was checked to be above 0");
    let draws: Vec<f32> = (0..n_parts).map(|_| gamma.sample(rng).max(1e-12)).collect();
    let sum: f32 = draws.iter().sum();
    let mut parts = Vec::with_capacity(n_parts);
    let (mut reached, mut given) = (0.0, 0);
    for draw in &draws {
        reached += draw / sum;
        let until = ((reached * total as f32).round() as usize).clamp(given, total);
        parts.push(until - given);
        given = until;
    }
    if let Some(last) = parts.last_mut() {
        *last += total - given;
    }
    parts
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn shares_sum_to_the_total() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        for total in [0, 1, 7, 600] {
            for n_parts in 1..8 {
                let parts = shares(total, n_parts, 0.6, &mut rng);
                assert_eq!((parts.len(), parts.iter().sum::<usize>()), (n_parts, total));
            }
        }
    }

    #[test]
    fn an_index_of_no_weight_is_never_drawn() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut counts = [0; 4];
        (0..4000).for_each(|_| counts[weighted(&[0.0, 3.0, 1.0, 0.0], &mut rng)] += 1);
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!((2850..3150).contains(&counts[1]), "{counts:?}");
    }
}
