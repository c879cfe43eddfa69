//! How far a count can be trusted: 95 % intervals of rates.
//!
//! Written here and not taken from a statistics library: two quantiles are needed, and the incomplete gamma function they rest on
//! is thirty lines (W. H. Press et al., "Numerical Recipes", 6.2).

/// What is left outside the interval, on either side.
const TAIL: f64 = 0.025;
/// The normal quantile that leaves [`TAIL`] above it.
const Z: f64 = 1.959_963_984_540_054;
/// Relative error at which series and fractions stop.
const PRECISION: f64 = 1e-14;

/// The 95 % interval of a share of which `n_successes` in `n_trials` were seen (E. B. Wilson, JASA 22, 1927); 0 to 1 if nothing was.
pub fn wilson_interval(n_successes: usize, n_trials: usize) -> [f64; 2] {
    if n_trials == 0 {
        return [0.0, 1.0];
    }
    let n = n_trials as f64;
    let share = n_successes as f64 / n;
    let centre = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let low = if n_successes == 0 { 0.0 } else { (centre - spread) / scale };
    let high = if n_successes == n_trials { 1.0 } else { (centre + spread) / scale };
    [low, high]
}

/// The exact 95 % interval of the expected number of events when `count` were seen (F. Garwood, Biometrika 28, 1936). The count
/// may be a fraction, as when the same hour was heard several times.
pub fn poisson_interval(count: f64) -> [f64; 2] {
    // Seeing `count` or more has probability P(count, low); seeing `count` or fewer, 1 - P(count + 1, high).
    let low = if count <= 0.0 { 0.0 } else { bisect(count, |mean| lower_gamma(count, mean) > TAIL) };
    let high = bisect(count, |mean| lower_gamma(count + 1.0, mean) > 1.0 - TAIL);
    [low, high]
}

/// The least mean at which `is_above` holds, which is false below it and true above.
fn bisect(guess: f64, is_above: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * guess + 10.0);
    while !is_above(high) {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if is_above(middle) { high = middle } else { low = middle }
    }
    high
}

/// The regularised lower incomplete gamma function P(a, x).
fn lower_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * PRECISION {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return front * sum;
    }
    // Lentz's evaluation of the continued fraction of 1 - P.
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut fraction = d;
    for i in 1..10_000 {
        let an = -f64::from(i) * (f64::from(i) - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < PRECISION {
            break;
        }
    }
    1.0 - front * fraction
}

/// The logarithm of the gamma function by Stirling's series, moved up to where the series is exact to 1e-14.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: [f64; 2], expected: [f64; 2], tolerance: f64) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
        }
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
        assert_near(wilson_interval(81, 263), [0.2553, 0.3662], 5e-5);
        assert_near(wilson_interval(15, 148), [0.0624, 0.1605], 5e-5);
        assert_near(wilson_interval(0, 20), [0.0, 0.1611], 5e-5);
        assert_near(wilson_interval(1, 29), [0.0061, 0.1718], 5e-5);
        assert_eq!(wilson_interval(0, 0), [0.0, 1.0]);
        assert_eq!(wilson_interval(7, 7)[1], 1.0);
    }

    #[test]
    fn garwood_agrees_with_published_values() {
        // The usual tables of exact Poisson limits; 0 events: -ln 0.025.
        for (count, expected) in [
            (0.0, [0.0, 3.6889]),
            (1.0, [0.0253, 5.5716]),
            (2.0, [0.2422, 7.2247]),
            (10.0, [4.7954, 18.3904]),
            (100.0, [81.3640, 121.6268]),
        ] {
            assert_near(poisson_interval(count), expected, 6e-5);
        }
    }

    #[test]
    fn a_fraction_of_an_event_lies_between_its_neighbours() {
        let [low, high] = poisson_interval(1.5);
        assert!(low > poisson_interval(1.0)[0] && high < poisson_interval(2.0)[1]);
    }

    #[test]
    fn the_gamma_function_is_that_of_the_factorials() {
        for (x, factorial) in
            [(1.0, 1.0f64), (2.0, 1.0), (5.0, 24.0), (11.0, 3_628_800.0), (0.5, std::f64::consts::PI.sqrt())]
        {
            assert!((ln_gamma(x) - factorial.ln()).abs() < 1e-12, "{x}");
        }
    }
}
