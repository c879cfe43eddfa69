//! Seeded dropout masks: candle's own random numbers on the CPU cannot be seeded.

use candle_core::{Device, Result, Tensor};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::model::LayerInputs;

/// Drops each activation with a fixed probability (Srivastava et al. 2014), scaling up the rest.
pub(super) struct SeededDropout {
    rng: Pcg64Mcg,
    probability: f32,
}

impl SeededDropout {
    pub(super) fn new(seed: u64, probability: f32) -> Self {
        Self { rng: Pcg64Mcg::seed_from_u64(seed), probability }
    }

    /// `(shape)` holding 0 or `1 / (1 − p)`.
    fn mask(&mut self, shape: &[usize]) -> Result<Tensor> {
        // 16 random bits an activation are plenty and a quarter of the work.
        let dropped_below = (self.probability * 65_536.0) as u64;
        let kept = 1.0 / (1.0 - self.probability);
        let n_values: usize = shape.iter().product();
        let mut mask = Vec::with_capacity(n_values + 3);
        while mask.len() < n_values {
            let bits = self.rng.next_u64();
            mask.extend((0..4).map(|lane| if (bits >> (16 * lane)) & 0xffff < dropped_below { 0.0f32 } else { kept }));
        }
        mask.truncate(n_values);
        Tensor::from_vec(mask, shape, &Device::Cpu)
    }
}

impl LayerInputs for SeededDropout {
    fn pass(&mut self, _layer: usize, x: Tensor) -> Result<Tensor> {
        if self.probability <= 0.0 {
            Ok(x)
        } else {
            let mask = self.mask(x.dims())?;
            x * mask
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_kept_and_the_seed_decides() {
        let mask = |seed| {
            let mask = SeededDropout::new(seed, 0.1).mask(&[100, 333]).unwrap();
            mask.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let mean = mask(1).iter().sum::<f32>() / 33_300.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert_eq!(mask(1), mask(1));
        assert_ne!(mask(1), mask(2));
    }
}
