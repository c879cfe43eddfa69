//! Masked feature bands, so that the network leans on no single one (SpecAugment, Park et al. 2019; frequency masks only:
//! a masked moment could hide the word).

use rand::{Rng, RngExt};

use super::draw::chance;

/// How often a mask may fall.
const N_MASKS: usize = 2;
/// Most bands under a mask.
const N_BANDS_MAX: usize = 5;

/// Twice, with this probability, sets 1 to 5 neighbouring bands of `features` `(time, n_mels)` to 0.
pub fn mask_bands(probability: f32, n_mels: usize, features: &mut [f32], rng: &mut impl Rng) {
    for _ in 0..N_MASKS {
        let is_masked = chance(probability, rng);
        let n_bands = rng.random_range(1..=N_BANDS_MAX).min(n_mels);
        let first = rng.random_range(0..=n_mels - n_bands);
        if is_masked {
            features.chunks_exact_mut(n_mels).for_each(|frame| frame[first..first + n_bands].fill(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn whole_bands_are_masked_as_often_as_asked() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut n_masked = 0;
        for _ in 0..1000 {
            let mut features = vec![1.0; 3 * 40];
            mask_bands(0.4, 40, &mut features, &mut rng);
            let masked: Vec<bool> = features[..40].iter().map(|&value| value == 0.0).collect();
            assert!(masked.iter().filter(|&&masked| masked).count() <= 10);
            for frame in features.chunks(40) {
                assert!(frame.iter().zip(&masked).all(|(&value, &masked)| (value == 0.0) == masked));
            }
            n_masked += usize::from(masked.contains(&true));
        }
        // 1 - 0.6² of them have at least one mask.
        assert!((590..690).contains(&n_masked), "{n_masked}");
    }
}
