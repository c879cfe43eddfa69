//! The analysis window.

/// The periodic Hann window of `length` samples (Oppenheim & Schafer, Discrete-Time Signal Processing, section 7.2, with
/// the period equal to the length so that windows at half-length hops sum to one).
pub fn periodic_hann(length: usize) -> Vec<f32> {
    (0..length).map(|n| (0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / length as f64).cos()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_overlapping_windows_sum_to_one() {
        let window = periodic_hann(400);
        for n in 0..200 {
            assert!((window[n] + window[n + 200] - 1.0).abs() < 1e-6);
        }
    }
}
