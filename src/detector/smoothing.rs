//! The moving average that makes scores of probabilities.

/// The mean of the last `length` values; before the stream began the values are zero.
#[derive(Debug, Clone)]
pub struct MovingAverage {
    values: Vec<f32>,
    next: usize,
}

impl MovingAverage {
    /// Over `length` values, at least one.
    pub fn new(length: usize) -> Self {
        Self { values: vec![0.0; length.max(1)], next: 0 }
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.values.fill(0.0);
        self.next = 0;
    }

    /// Takes one value and gives the mean. The window is summed afresh each time: a running sum would drift over months.
    pub fn push(&mut self, value: f32) -> f32 {
        self.values[self.next] = value;
        self.next = (self.next + 1) % self.values.len();
        // Oldest first, so that the rounding does not depend on where in the ring the stream happens to be.
        let (newer, older) = self.values.split_at(self.next);
        older.iter().chain(newer).sum::<f32>() / self.values.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_covers_exactly_its_window() {
        let mut average = MovingAverage::new(2);
        let means: Vec<f32> = [1.0, 0.0, 0.0, 1.0, 1.0].iter().map(|&value| average.push(value)).collect();
        assert_eq!(means, [0.5, 0.5, 0.0, 0.5, 1.0]);
    }
}
