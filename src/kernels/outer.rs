//! The sum of outer products of rows: how weight gradients are gathered.
#![allow(unsafe_code)] // Tiles address rows by pointer; `add_outer_products` checks the bounds once for all of them.

use super::isa::{SupportedIsa, per_isa};
use super::matmul::groups;
use super::simd::{LANES, Simd};

/// Rows taken together: their columns stay in the first-level cache, and loading and storing the sums is cheap beside them.
pub(super) const ROWS_PER_BLOCK: usize = 96;

/// `n_rows` rows of `width` numbers, `stride` apart; the width is a multiple of [`LANES`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) stride: usize,
    pub(super) width: usize,
}

impl Rows<'_> {
    fn assert_holds(&self, n_rows: usize) {
        assert_eq!(self.width % LANES, 0, "rows are padded to whole vectors");
        assert!((n_rows - 1) * self.stride + self.width <= self.numbers.len(), "fewer numbers than {n_rows} rows need");
    }
}

/// Adds `sum over i of left[i]^T right[i]` to `sums`, a `(left.width, right.width)` matrix, rows in ascending order.
///
/// # Panics
/// When a slice is shorter than its rows need, or a width is not a multiple of [`LANES`].
pub(super) fn add_outer_products(isa: SupportedIsa, n_rows: usize, left: Rows<'_>, right: Rows<'_>, sums: &mut [f32]) {
    if n_rows == 0 {
        return;
    }
    left.assert_holds(n_rows);
    right.assert_holds(n_rows);
    assert_eq!(sums.len(), left.width * right.width, "the sums are a matrix of the two widths");
    for first in (0..n_rows).step_by(ROWS_PER_BLOCK) {
        let args = Args {
            n_rows: ROWS_PER_BLOCK.min(n_rows - first),
            left: left.numbers[first * left.stride..].as_ptr(),
            left_stride: left.stride,
            left_width: left.width,
            right: right.numbers[first * right.stride..].as_ptr(),
            right_stride: right.stride,
            right_width: right.width,
            sums: sums.as_mut_ptr(),
        };
        // SAFETY: the assertions above are the contract, for these rows as for all.
        unsafe { run_all_columns(isa, &args) };
    }
}

/// The checked pointers of one call.
struct Args {
    n_rows: usize,
    left: *const f32,
    left_stride: usize,
    left_width: usize,
    right: *const f32,
    right_stride: usize,
    right_width: usize,
    sums: *mut f32,
}

per_isa!(run_all_columns = all_columns(Args));

/// # Safety
/// The pointers hold what [`add_outer_products`] checks.
#[inline(always)]
unsafe fn all_columns<S: Simd>(args: &Args) {
    for (first, n) in groups(args.right_width / LANES, 3) {
        // SAFETY: groups cover each vector of columns once.
        unsafe {
            match n {
                1 => columns::<S, 1>(args, first * LANES),
                2 => columns::<S, 2>(args, first * LANES),
                _ => columns::<S, 3>(args, first * LANES),
            }
        }
    }
}

/// `P` vectors of columns from `column`, for all lines of the sums.
///
/// # Safety
/// As [`all_columns`], and the columns are within the width.
#[inline(always)]
unsafe fn columns<S: Simd, const P: usize>(args: &Args, column: usize) {
    // SAFETY: the left width is a multiple of LANES, hence of each tile height.
    unsafe {
        if S::TILE_ROWS >= 8 {
            for line in (0..args.left_width).step_by(8) {
                block::<S, 8, P>(args, line, column);
            }
        } else if S::TILE_ROWS >= 2 {
            for line in (0..args.left_width).step_by(2) {
                block::<S, 2, P>(args, line, column);
            }
        } else {
            for line in 0..args.left_width {
                block::<S, 1, P>(args, line, column);
            }
        }
    }
}

/// `LINES` lines of the sums from `line`, `P` vectors of columns from `column`.
///
/// # Safety
/// As [`columns`], and the lines are within the left width.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "sums and lines are indexed side by side")]
unsafe fn block<S: Simd, const LINES: usize, const P: usize>(args: &Args, line: usize, column: usize) {
    // SAFETY: lines and columns are within the widths, rows within n_rows.
    unsafe {
        let to = args.sums.add(line * args.right_width + column);
        let mut sums = [[S::splat(0.0); P]; LINES];
        for (l, line_sums) in sums.iter_mut().enumerate() {
            for (p, sum) in line_sums.iter_mut().enumerate() {
                *sum = S::load(to.add(l * args.right_width + p * LANES));
            }
        }
        for row in 0..args.n_rows {
            let right = args.right.add(row * args.right_stride + column);
            let left = args.left.add(row * args.left_stride + line);
            // Whichever side has fewer vectors stays in registers, and the other passes through one.
            if LINES <= 2 {
                let x: [S::V; LINES] = std::array::from_fn(|l| S::splat(*left.add(l)));
                for p in 0..P {
                    let vector = S::load(right.add(p * LANES));
                    for l in 0..LINES {
                        sums[l][p] = S::fma(vector, x[l], sums[l][p]);
                    }
                }
            } else {
                let vectors: [S::V; P] = std::array::from_fn(|p| S::load(right.add(p * LANES)));
                for (l, line_sums) in sums.iter_mut().enumerate() {
                    let x = S::splat(*left.add(l));
                    for (sum, vector) in line_sums.iter_mut().zip(vectors) {
                        *sum = S::fma(vector, x, *sum);
                    }
                }
            }
        }
        for (l, line_sums) in sums.into_iter().enumerate() {
            for (p, sum) in line_sums.into_iter().enumerate() {
                S::store(to.add(l * args.right_width + p * LANES), sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::isa::Isa;
    use super::*;

    #[test]
    fn sums_are_exact_for_small_integers_and_any_number_of_rows() {
        let number = |i: usize| ((i * 7 + i / 5) % 11) as f32 - 5.0;
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
            for (n_rows, left_width, right_width) in [(1, 16, 16), (5, 48, 64), (ROWS_PER_BLOCK + 3, 16, 112)] {
                let (left_stride, right_stride) = (left_width + 3, 2); // Rows on the right overlap.
                let left: Vec<f32> = (0..n_rows * left_stride).map(number).collect();
                let right: Vec<f32> = (0..n_rows * right_stride + right_width).map(|i| number(i + 3)).collect();
                let mut sums = vec![1.0; left_width * right_width];
                add_outer_products(
                    isa.checked(),
                    n_rows,
                    Rows { numbers: &left, stride: left_stride, width: left_width },
                    Rows { numbers: &right, stride: right_stride, width: right_width },
                    &mut sums,
                );
                for (place, &sum) in sums.iter().enumerate() {
                    let (l, r) = (place / right_width, place % right_width);
                    let products = (0..n_rows).map(|i| left[i * left_stride + l] * right[i * right_stride + r]);
                    assert_eq!(sum, 1.0 + products.sum::<f32>(), "{isa:?}, {n_rows} rows, ({l}, {r})");
                }
            }
        }
    }
}
