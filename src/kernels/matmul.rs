//! Rows times packed weights: the register tile that all layers share, and the product of many rows with a matrix.
#![allow(unsafe_code)] // Tiles address rows and panels by pointer; `multiply` checks the bounds once for all of them.

use super::isa::{SupportedIsa, per_isa};
use super::panels::Panels;
use super::simd::{LANES, Simd, tile_fits};

/// Accumulators of a register tile: `ROWS` rows, `P` panels, `G` gates.
pub(super) type Tile<V, const ROWS: usize, const P: usize, const G: usize> = [[[V; G]; P]; ROWS];

/// Adds the products of `ROWS` rows with `P` panels of `G` gates to `sums`, inputs in ascending order.
///
/// # Safety
/// The processor supports `S`. `rows` points to `ROWS` rows of `n_inputs` numbers, `row_stride` apart; `panels` to `P`
/// panels, `panel_stride` apart.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "sums, weights and rows are indexed side by side")]
pub(super) unsafe fn add_products<S: Simd, const ROWS: usize, const P: usize, const G: usize>(
    rows: *const f32,
    row_stride: usize,
    n_inputs: usize,
    panels: *const f32,
    panel_stride: usize,
    mut sums: Tile<S::V, ROWS, P, G>,
) -> Tile<S::V, ROWS, P, G> {
    for input in 0..n_inputs {
        // SAFETY: the caller vouches for the rows and panels; `input` is within both.
        unsafe {
            let weight = |p: usize, g: usize| S::load(panels.add(p * panel_stride + (input * G + g) * LANES));
            let x = |row: usize| S::splat(*rows.add(row * row_stride + input));
            // Whichever side has fewer vectors stays in registers, and the other passes through one.
            if ROWS <= 2 {
                let x: [S::V; ROWS] = std::array::from_fn(x);
                for p in 0..P {
                    for g in 0..G {
                        let weight = weight(p, g);
                        for row in 0..ROWS {
                            sums[row][p][g] = S::fma(weight, x[row], sums[row][p][g]);
                        }
                    }
                }
            } else {
                let weights: [[S::V; G]; P] = std::array::from_fn(|p| std::array::from_fn(|g| weight(p, g)));
                for (row, row_sums) in sums.iter_mut().enumerate() {
                    let x = x(row);
                    for p in 0..P {
                        for g in 0..G {
                            row_sums[p][g] = S::fma(weights[p][g], x, row_sums[p][g]);
                        }
                    }
                }
            }
        }
    }
    sums
}

/// Splits `n` panels into groups of nearly equal size, at most `max` each: `(first, length)`.
pub(super) fn groups(n: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    let n_groups = n.div_ceil(max);
    (0..n_groups).map(move |i| {
        let (first, end) = (i * n / n_groups, (i + 1) * n / n_groups);
        (first, end - first)
    })
}

/// What the sums start from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    /// One number for each place of a padded output row.
    Bias(&'a [f32]),
    /// What the output rows, padded, hold already.
    Output,
}

/// A product of rows with a matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product<'a> {
    pub(super) weights: &'a Panels,
    /// Row `i` starts at `i * row_stride`; rows may overlap.
    pub(super) input: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) n_rows: usize,
    pub(super) start: Start<'a>,
    /// Whether negative results become zero.
    pub(super) relu: bool,
}

/// Where a product goes: row `i` starts at `i * row_stride` and takes the first `row_length` numbers.
pub(super) struct OutputRows<'a> {
    pub(super) numbers: &'a mut [f32],
    pub(super) row_stride: usize,
    pub(super) row_length: usize,
}

/// Computes `product` into `output`.
///
/// # Panics
/// When a slice is shorter than its rows need.
pub(super) fn multiply(isa: SupportedIsa, product: Product<'_>, output: OutputRows<'_>) {
    let Product { weights, input, row_stride, n_rows, start, relu } = product;
    if n_rows == 0 {
        return;
    }
    let full_length = weights.row_length();
    assert!((n_rows - 1) * row_stride + weights.n_inputs <= input.len(), "input is shorter than {n_rows} rows");
    assert!(
        (n_rows - 1) * output.row_stride + output.row_length <= output.numbers.len(),
        "output is shorter than {n_rows} rows"
    );
    assert!(output.row_length <= full_length, "output rows are longer than the layer is wide");
    let bias = match start {
        Start::Bias(bias) => {
            assert_eq!(bias.len(), full_length, "the bias is padded to whole panels");
            Some(bias.as_ptr())
        }
        Start::Output => {
            assert_eq!(output.row_length, full_length, "rows that are added to are padded to whole panels");
            None
        }
    };
    let args = Args {
        rows: input.as_ptr(),
        row_stride,
        n_rows,
        n_inputs: weights.n_inputs,
        panels: weights.as_slice().as_ptr(),
        panel_stride: weights.stride(),
        n_panels: weights.n_panels,
        bias,
        output: output.numbers.as_mut_ptr(),
        output_stride: output.row_stride,
        output_length: output.row_length,
        relu,
    };
    // SAFETY: the assertions above are the contract.
    unsafe {
        match weights.n_gates {
            1 => run_plain(isa, &args),
            3 => run_three_gates(isa, &args),
            4 => run_four_gates(isa, &args),
            n => unreachable!("panels have 1, 3 or 4 gates, not {n}"),
        }
    }
}

/// The checked pointers of one product.
struct Args {
    rows: *const f32,
    row_stride: usize,
    n_rows: usize,
    n_inputs: usize,
    panels: *const f32,
    panel_stride: usize,
    n_panels: usize,
    /// None: the sums start from the output.
    bias: Option<*const f32>,
    output: *mut f32,
    output_stride: usize,
    output_length: usize,
    relu: bool,
}

per_isa!(run_plain = plain(Args));
per_isa!(run_three_gates = gated::<3>(Args));
per_isa!(run_four_gates = gated::<4>(Args));

/// # Safety
/// The pointers hold what [`multiply`] checks, and the panels have one gate.
#[inline(always)]
unsafe fn plain<S: Simd>(args: &Args) {
    // SAFETY: groups cover each panel once.
    unsafe {
        if args.n_rows == 1 {
            // Six chains of additions at once hide the latency of each.
            for (first, n) in groups(args.n_panels, 6) {
                match n {
                    1 => block::<S, 1, 1, 1>(args, 0, first),
                    2 => block::<S, 1, 2, 1>(args, 0, first),
                    3 => block::<S, 1, 3, 1>(args, 0, first),
                    4 => block::<S, 1, 4, 1>(args, 0, first),
                    5 => block::<S, 1, 5, 1>(args, 0, first),
                    _ => block::<S, 1, 6, 1>(args, 0, first),
                }
            }
        } else {
            for (first, n) in groups(args.n_panels, 3) {
                match n {
                    1 => all_rows::<S, 1, 1>(args, first),
                    2 => all_rows::<S, 2, 1>(args, first),
                    _ => all_rows::<S, 3, 1>(args, first),
                }
            }
        }
    }
}

/// # Safety
/// The pointers hold what [`multiply`] checks, and the panels have `G` gates.
#[inline(always)]
unsafe fn gated<S: Simd, const G: usize>(args: &Args) {
    // SAFETY: groups cover each panel once.
    unsafe {
        if args.n_rows == 1 {
            for (first, n) in groups(args.n_panels, 2) {
                match n {
                    1 => block::<S, 1, 1, G>(args, 0, first),
                    _ => block::<S, 1, 2, G>(args, 0, first),
                }
            }
        } else {
            for panel in 0..args.n_panels {
                all_rows::<S, 1, G>(args, panel);
            }
        }
    }
}

/// All rows against `P` panels.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn all_rows<S: Simd, const P: usize, const G: usize>(args: &Args, panel: usize) {
    let mut row = 0;
    // SAFETY: rows stay below n_rows.
    unsafe {
        if tile_fits::<S>(8, P * G) {
            while row + 8 <= args.n_rows {
                block::<S, 8, P, G>(args, row, panel);
                row += 8;
            }
        }
        if tile_fits::<S>(4, P * G) {
            while row + 4 <= args.n_rows {
                block::<S, 4, P, G>(args, row, panel);
                row += 4;
            }
        }
        if tile_fits::<S>(2, P * G) {
            while row + 2 <= args.n_rows {
                block::<S, 2, P, G>(args, row, panel);
                row += 2;
            }
        }
        while row < args.n_rows {
            block::<S, 1, P, G>(args, row, panel);
            row += 1;
        }
    }
}

/// `ROWS` rows from `row` against `P` panels from `panel`.
///
/// # Safety
/// The pointers hold what [`multiply`] checks; rows and panels are within range and the panels have `G` gates.
#[inline(always)]
unsafe fn block<S: Simd, const ROWS: usize, const P: usize, const G: usize>(args: &Args, row: usize, panel: usize) {
    let place = |p: usize, g: usize| ((panel + p) * G + g) * LANES;
    // SAFETY: places are within a padded row; the output is loaded only when its rows are padded, and stored up to its length.
    unsafe {
        let output = args.output.add(row * args.output_stride);
        let mut sums = [[[S::splat(0.0); G]; P]; ROWS];
        for (r, row_sums) in sums.iter_mut().enumerate() {
            for (p, panel_sums) in row_sums.iter_mut().enumerate() {
                for (g, sum) in panel_sums.iter_mut().enumerate() {
                    *sum = match args.bias {
                        Some(bias) => S::load(bias.add(place(p, g))),
                        None => S::load(output.add(r * args.output_stride + place(p, g))),
                    };
                }
            }
        }
        let sums = add_products::<S, ROWS, P, G>(
            args.rows.add(row * args.row_stride),
            args.row_stride,
            args.n_inputs,
            args.panels.add(panel * args.panel_stride),
            args.panel_stride,
            sums,
        );
        for (r, row_sums) in sums.into_iter().enumerate() {
            for (p, panel_sums) in row_sums.into_iter().enumerate() {
                for (g, sum) in panel_sums.into_iter().enumerate() {
                    let sum = if args.relu { S::max(S::splat(0.0), sum) } else { sum };
                    let place = place(p, g);
                    let to = output.add(r * args.output_stride + place);
                    if place + LANES <= args.output_length {
                        S::store(to, sum);
                    } else if place < args.output_length {
                        S::store_first(to, args.output_length - place, sum);
                    }
                }
            }
        }
    }
}
