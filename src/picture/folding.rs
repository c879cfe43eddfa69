//! A series of bounded length: when it would grow beyond, all of it becomes coarser.

/// How items become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// The highest of each value.
    Highest,
    /// The mean of each value.
    Mean,
}

/// Values from 0 to 255 in columns at equal distances.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Values in a column.
    pub width: usize,
    /// How long a column lasts.
    pub column_s: f64,
    /// `(columns, width)`
    pub cells: Vec<u8>,
}

impl Series {
    /// How many columns there are.
    pub fn n_columns(&self) -> usize {
        self.cells.len() / self.width
    }

    /// The `i`-th column.
    pub fn column(&self, i: usize) -> &[u8] {
        &self.cells[i * self.width..][..self.width]
    }

    /// The values that are drawn as the darkest and as the brightest, so that what lies between is seen well: few are beyond.
    pub fn contrast(&self) -> [u8; 2] {
        let mut counts = [0usize; 256];
        self.cells.iter().for_each(|cell| counts[usize::from(*cell)] += 1);
        let at_share = |share: f64| {
            let mut n_left = (self.cells.len() as f64 * share) as usize;
            let is_there = |count: &usize| {
                let found = *count > n_left;
                n_left = n_left.saturating_sub(*count);
                found
            };
            counts.iter().position(is_there).unwrap_or(255) as u8
        };
        let [low, high] = [0.05, 0.998].map(at_share);
        [low.min(high.saturating_sub(16)), high]
    }
}

/// Makes a [`Series`] of items that come one by one. At first an item is a column; whenever there are more than `n_max` columns,
/// each two become one.
pub(super) struct Folding {
    merge: Merge,
    n_max: usize,
    item_s: f64,
    items_per_column: u32,
    width: usize,
    cells: Vec<u8>,
    /// Of the column that is not whole: the highest value or the sum, and of how many items.
    pending: Vec<f32>,
    n_pending: u32,
}

impl Folding {
    /// Of items of `width` values that last `item_s` each.
    pub(super) fn new(merge: Merge, width: usize, item_s: f64, n_max: usize) -> Self {
        Self {
            merge,
            n_max: n_max.max(2),
            item_s,
            items_per_column: 1,
            width,
            cells: Vec::new(),
            pending: vec![0.0; width],
            n_pending: 0,
        }
    }

    /// Takes the next item, `(width,)`; values are from 0 to 1, what is beyond is limited to that.
    pub(super) fn push(&mut self, item: impl Iterator<Item = f32>) {
        for (pending, value) in self.pending.iter_mut().zip(item) {
            match self.merge {
                Merge::Highest if self.n_pending > 0 => *pending = pending.max(value),
                Merge::Mean if self.n_pending > 0 => *pending += value,
                _ => *pending = value,
            }
        }
        self.n_pending += 1;
        if self.n_pending == self.items_per_column {
            self.close_column();
        }
    }

    fn close_column(&mut self) {
        let scale = if self.merge == Merge::Mean { 255.0 / self.n_pending as f32 } else { 255.0 };
        // The cast limits, and what is no number becomes 0.
        self.cells.extend(self.pending.iter().map(|value| (value * scale).round() as u8));
        self.n_pending = 0;
        if self.cells.len() / self.width > self.n_max {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let (merge, width) = (self.merge, self.width);
        let n_columns = self.cells.len() / width;
        for column in 0..n_columns / 2 {
            for i in 0..width {
                let [first, second] = [0, width].map(|after| self.cells[2 * column * width + after + i]);
                self.cells[column * width + i] = match merge {
                    Merge::Highest => first.max(second),
                    Merge::Mean => (u16::from(first) + u16::from(second)).div_ceil(2) as u8,
                };
            }
        }
        // An odd one goes on as the beginning of the next column.
        if n_columns % 2 == 1 {
            let scale = if merge == Merge::Mean { self.items_per_column as f32 / 255.0 } else { 1.0 / 255.0 };
            let last = &self.cells[(n_columns - 1) * width..];
            self.pending.iter_mut().zip(last).for_each(|(pending, cell)| *pending = f32::from(*cell) * scale);
            self.n_pending = self.items_per_column;
        }
        self.cells.truncate(n_columns / 2 * width);
        self.items_per_column *= 2;
    }

    /// The series, with the column that is not whole.
    pub(super) fn finish(mut self) -> Series {
        if self.n_pending > 0 {
            self.close_column();
            // One more than most folds, and may leave the odd one behind.
            if self.n_pending > 0 {
                self.close_column();
            }
        }
        Series { width: self.width, column_s: self.item_s * f64::from(self.items_per_column), cells: self.cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(merge: Merge, n_items: usize, n_max: usize) -> Series {
        let mut folding = Folding::new(merge, 1, 0.5, n_max);
        (0..n_items).for_each(|i| folding.push([(i % 256) as f32 / 255.0].into_iter()));
        folding.finish()
    }

    #[test]
    fn few_items_are_kept_as_they_are() {
        let series = folded(Merge::Mean, 5, 8);
        assert_eq!((series.cells.as_slice(), series.column_s), ([0, 1, 2, 3, 4].as_slice(), 0.5));
        assert_eq!(folded(Merge::Highest, 0, 8).n_columns(), 0);
    }

    #[test]
    fn many_items_make_coarser_columns_and_none_is_lost() {
        let series = folded(Merge::Highest, 100, 8);
        assert_eq!(series.column_s, 8.0);
        assert_eq!(series.cells, [15, 31, 47, 63, 79, 95, 99]);
        let series = folded(Merge::Mean, 64, 8);
        assert_eq!((series.n_columns(), series.column_s), (8, 4.0));
        for (i, cell) in series.cells.iter().enumerate() {
            assert!(cell.abs_diff(i as u8 * 8 + 4) <= 1, "{:?}", series.cells);
        }
    }

    #[test]
    fn any_number_of_items_keeps_its_length_and_its_bound() {
        for n_items in 1..300 {
            let series = folded(Merge::Highest, n_items, 7);
            let (n_columns, items_per_column) = (series.n_columns(), (series.column_s / 0.5) as usize);
            assert!(n_columns <= 7 && n_columns == n_items.div_ceil(items_per_column), "{n_items}: {series:?}");
            assert_eq!(*series.cells.iter().max().unwrap(), (n_items - 1).min(255) as u8, "{n_items}");
        }
    }

    #[test]
    fn what_is_no_number_or_beyond_is_limited() {
        let mut folding = Folding::new(Merge::Highest, 3, 1.0, 4);
        folding.push([f32::NAN, 7.0, -1.0].into_iter());
        assert_eq!(folding.finish().cells, [0, 255, 0]);
    }
}
