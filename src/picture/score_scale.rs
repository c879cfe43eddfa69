//! Where a score lies on its axis: stretched at both ends, as thresholds are often near 1.

/// Scores with a line across.
pub const SCORE_TICKS: [f32; 5] = [0.1, 0.5, 0.9, 0.99, 0.999];

/// The scores at the bottom and at the top, what is beyond lies there, too.
const ENDS: [f32; 2] = [0.02, 0.9995];

/// From 0 at the bottom to 1 at the top, in proportion to the logarithm of the odds.
pub fn score_place(score: f32) -> f32 {
    let [low, high] = ENDS.map(log_odds);
    // A NaN is not above the bottom.
    let within = if score > ENDS[0] { score.min(ENDS[1]) } else { ENDS[0] };
    (log_odds(within) - low) / (high - low)
}

fn log_odds(score: f32) -> f32 {
    (score / (1.0 - score)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_scores_lie_higher_and_the_ends_hold_the_rest() {
        let places = [0.0, 0.02, 0.1, 0.5, 0.95, 0.99, 0.9995, 1.0, f32::NAN].map(score_place);
        assert_eq!([places[0], places[1], places[6], places[7], places[8]], [0.0, 0.0, 1.0, 1.0, 0.0]);
        assert!(places[1..7].windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(places[5] - places[4] > 0.1, "0.95 and 0.99 are told apart");
    }
}
