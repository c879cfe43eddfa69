//! A share over several seeds: its mean, its range, and how far the mean can be trusted.

use serde::Serialize;

/// The normal quantile that leaves 2.5 % above it.
const Z: f64 = 1.959_963_984_540_054;
/// Student's t quantile that leaves 2.5 % above it, for 1, 2, ... degrees of freedom.
const T: [f64; 12] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788];

/// A share over several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Seeds.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// The 95 % interval of the mean by Student's t distribution; none of a single seed.
    pub interval: Option<[f64; 2]>,
}

impl Spread {
    /// Of these shares, which lie from 0 to 1; none of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let (lowest, highest) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        let mean = values.iter().sum::<f64>() / n as f64;
        let interval = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let half = t_quantile(n - 1) * (squares / (n - 1) as f64 / n as f64).sqrt();
            [(mean - half).max(0.0), (mean + half).min(1.0)]
        });
        Some(Self { n, mean, lowest, highest, interval })
    }
}

/// Student's t quantile that leaves 2.5 % above it: the table, and beyond it the Cornish-Fisher expansion (Abramowitz and Stegun,
/// 26.7.5), which is within 0.0001 there.
fn t_quantile(n_degrees: usize) -> f64 {
    if let Some(&t) = n_degrees.checked_sub(1).and_then(|idx| T.get(idx)) {
        return t;
    }
    let n = n_degrees as f64;
    Z + (Z.powi(3) + Z) / (4.0 * n)
        + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * n * n)
        + (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / (384.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_t_distribution() {
        // scipy.stats.t.interval(0.95, 2, loc=0.05, scale=scipy.stats.sem([0.04, 0.05, 0.06])).
        let spread = Spread::of(&[0.05, 0.04, 0.06]).unwrap();
        assert_eq!((spread.n, spread.lowest, spread.highest), (3, 0.04, 0.06));
        let [low, high] = spread.interval.unwrap();
        assert!((low - 0.025_158_6).abs() < 1e-6 && (high - 0.074_841_4).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn one_seed_has_no_interval_and_none_no_spread() {
        assert_eq!(Spread::of(&[0.1]).unwrap().interval, None);
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[0.1, 0.9]).unwrap().interval, Some([0.0, 1.0]), "no share lies beyond these");
    }

    #[test]
    fn quantiles_beyond_the_table_agree_with_published_ones() {
        for (n_degrees, expected) in [(12, 2.1788), (13, 2.1604), (20, 2.0860), (30, 2.0423), (120, 1.9799)] {
            assert!((t_quantile(n_degrees) - expected).abs() < 2e-4, "{n_degrees}: {}", t_quantile(n_degrees));
        }
    }
}
