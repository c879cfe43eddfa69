//! Random colourings: what microphones, mouths and walls do to a spectrum, as one power gain a mel band.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::EqualizerConfig;
use super::draw::{between, chance};
use crate::units::decibels_to_power;

/// Cosines in a curve: from a tilt to three ripples over the bands.
const N_COSINES: usize = 4;

/// Multiplies `gains` `(n_mels)` by the power gains of a random colouring: a smooth curve of about `strength_db` and, at
/// times, a low-pass and a high-pass.
pub(super) fn colour(
    config: &EqualizerConfig,
    strength_db: f32,
    band_centres_hz: &[f32],
    gains: &mut [f32],
    rng: &mut impl Rng,
) {
    let cosines: [f32; N_COSINES] = std::array::from_fn(|i| {
        let normal: f32 = rng.sample(StandardNormal);
        // Higher ripples are weaker.
        normal * strength_db / (1.5 + 0.7 * (i + 1) as f32)
    });
    let mut filter = |probability, corner_hz, slope| {
        let is_on = chance(probability, rng);
        let (corner_hz, slope) = (between(corner_hz, rng), between(slope, rng));
        (corner_hz, if is_on { slope } else { 0.0 })
    };
    let (low_hz, low_slope) = filter(config.low_pass_probability, config.low_pass_hz, config.low_pass_db_per_octave);
    let (high_hz, high_slope) =
        filter(config.high_pass_probability, config.high_pass_hz, config.high_pass_db_per_octave);
    let n_steps = gains.len().saturating_sub(1).max(1) as f32;
    for (band, (gain, &centre_hz)) in gains.iter_mut().zip(band_centres_hz).enumerate() {
        let place = band as f32 / n_steps;
        let mut decibels = 0.0;
        for (i, cosine) in cosines.iter().enumerate() {
            decibels += cosine * (std::f32::consts::PI * (i + 1) as f32 * place).cos();
        }
        decibels -= low_slope * (centre_hz / low_hz).log2().max(0.0);
        decibels -= high_slope * (high_hz / centre_hz).log2().max(0.0);
        *gain *= decibels_to_power(decibels);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::units::power_to_decibels;

    #[test]
    fn a_low_pass_falls_by_its_slope() {
        let config = EqualizerConfig {
            low_pass_probability: 1.0,
            low_pass_hz: [1000.0, 1000.0],
            low_pass_db_per_octave: [30.0, 30.0],
            high_pass_probability: 0.0,
            ..EqualizerConfig::default()
        };
        let mut gains = [1.0; 4];
        colour(&config, 0.0, &[500.0, 1000.0, 2000.0, 4000.0], &mut gains, &mut Pcg64Mcg::seed_from_u64(1));
        let decibels = gains.map(power_to_decibels);
        for (found, expected) in decibels.iter().zip([0.0, 0.0, -30.0, -60.0]) {
            assert!((found - expected).abs() < 0.01, "{decibels:?}");
        }
    }

    #[test]
    fn curves_have_about_the_strength_asked_for() {
        let config =
            EqualizerConfig { low_pass_probability: 0.0, high_pass_probability: 0.0, ..EqualizerConfig::default() };
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut squares = 0.0;
        for _ in 0..500 {
            let mut gains = [1.0; 40];
            colour(&config, 6.0, &[1000.0; 40], &mut gains, &mut rng);
            squares += gains.iter().map(|&gain| power_to_decibels(gain).powi(2)).sum::<f32>() / 40.0;
        }
        // Four cosines of variance 1/2, of strengths 6 / (1.5 + 0.7 k).
        let expected: f32 = (1..=4).map(|k| (6.0 / (1.5 + 0.7 * k as f32)).powi(2) / 2.0).sum();
        assert!((squares / 500.0 / expected - 1.0).abs() < 0.15, "{} {expected}", squares / 500.0);
    }
}
