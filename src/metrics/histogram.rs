//! How often values fell into which range.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts values. One thread observes, any may read; nothing is allocated meanwhile.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// For each bound the values up to it and above the one before; then those above all.
    counts: Vec<AtomicU64>,
    /// The bits of the sum of all values.
    sum: AtomicU64,
}

/// One look at a [`Histogram`].
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramCounts {
    /// The upper ends of all ranges but the last, ascending.
    pub bounds: &'static [f64],
    /// Values in each range, `(bounds + 1)`.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

impl Histogram {
    /// Counts into ranges with these upper ends, ascending.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0f64.to_bits()) }
    }

    /// Counts a value. Always on the same thread.
    pub fn observe(&self, value: f64) {
        let range = self.bounds.iter().position(|&bound| value <= bound).unwrap_or(self.bounds.len());
        self.counts[range].fetch_add(1, Relaxed);
        let sum = f64::from_bits(self.sum.load(Relaxed)) + value;
        self.sum.store(sum.to_bits(), Relaxed);
    }

    /// The counts now.
    pub fn counts(&self) -> HistogramCounts {
        HistogramCounts {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Relaxed)).collect(),
            sum: f64::from_bits(self.sum.load(Relaxed)),
        }
    }
}

impl HistogramCounts {
    /// Values in all.
    pub fn n_values(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        [0.5, 0.500001, 1.0, 7.0, 0.0].into_iter().for_each(|value| histogram.observe(value));
        let counts = histogram.counts();
        assert_eq!(counts.counts, [2, 2, 1]);
        assert_eq!(counts.n_values(), 5);
        assert!((counts.sum - 9.000001).abs() < 1e-9);
    }
}
