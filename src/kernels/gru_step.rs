//! One time step of a gated recurrent layer, for any number of rows.
#![allow(unsafe_code)] // Tiles address rows and panels by pointer; `step` checks the bounds once for all of them.

use super::activation::{sigmoid, tanh};
use super::isa::{SupportedIsa, per_isa};
use super::matmul::{add_products, groups};
use super::panels::Panels;
use super::simd::{LANES, Simd};

/// Numbers saved for the backward pass for each vector of hidden units: r, z, n and the recurrent part of n.
pub(super) const SAVED_PER_UNIT: usize = 4;

/// What a step reads. Rows lie back to back, padded to whole panels.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepInput<'a> {
    pub(super) n_rows: usize,
    pub(super) n_hidden: usize,
    /// Recurrent weights, three gates.
    pub(super) weights: &'a Panels,
    /// Bias of the recurrent part of n, padded.
    pub(super) bias_hn: &'a [f32],
    /// Projected inputs with the other biases, rows `[panel][gate][lane]`.
    pub(super) projected: &'a [f32],
    pub(super) hidden: &'a [f32],
}

/// What a step writes.
pub(super) struct StepOutput<'a> {
    /// The new hidden state, padded rows back to back.
    pub(super) hidden: &'a mut [f32],
    /// The same without padding, rows `row_stride` apart.
    pub(super) output: &'a mut [f32],
    pub(super) row_stride: usize,
    /// For the backward pass, rows `[panel][r, z, n, recurrent part of n][lane]` back to back.
    pub(super) saved: Option<&'a mut [f32]>,
}

/// `h' = n + z (h - n)` with `r, z = sigmoid(..)` and `n = tanh(x_n + r (W_hn h + b_hn))`.
///
/// # Panics
/// When a slice is shorter than its rows need.
pub(super) fn step(isa: SupportedIsa, input: StepInput<'_>, output: StepOutput<'_>) {
    let StepInput { n_rows, n_hidden, weights, bias_hn, projected, hidden } = input;
    if n_rows == 0 {
        return;
    }
    let n_padded = weights.n_panels * LANES;
    assert_eq!(weights.n_gates, 3, "recurrent weights have three gates");
    assert_eq!(weights.n_inputs, n_hidden, "recurrent weights read the hidden state");
    assert_eq!(n_hidden.next_multiple_of(LANES), n_padded, "recurrent weights write the hidden state");
    assert!(bias_hn.len() >= n_padded && hidden.len() >= n_rows * n_padded && output.hidden.len() >= n_rows * n_padded);
    assert!(projected.len() >= n_rows * 3 * n_padded, "each row has three gates");
    assert!((n_rows - 1) * output.row_stride + n_hidden <= output.output.len(), "output is shorter than {n_rows} rows");
    if let Some(saved) = &output.saved {
        assert!(saved.len() >= n_rows * SAVED_PER_UNIT * n_padded, "each row saves its gates");
    }
    let args = Args {
        n_rows,
        n_hidden,
        n_padded,
        panels: weights.as_slice().as_ptr(),
        panel_stride: weights.stride(),
        n_panels: weights.n_panels,
        bias_hn: bias_hn.as_ptr(),
        projected: projected.as_ptr(),
        hidden: hidden.as_ptr(),
        new_hidden: output.hidden.as_mut_ptr(),
        output: output.output.as_mut_ptr(),
        output_stride: output.row_stride,
        saved: output.saved.map(<[f32]>::as_mut_ptr),
    };
    // SAFETY: the assertions above are the contract.
    unsafe { run_all_panels(isa, &args) };
}

/// The checked pointers of one step.
struct Args {
    n_rows: usize,
    n_hidden: usize,
    n_padded: usize,
    panels: *const f32,
    panel_stride: usize,
    n_panels: usize,
    bias_hn: *const f32,
    projected: *const f32,
    hidden: *const f32,
    new_hidden: *mut f32,
    output: *mut f32,
    output_stride: usize,
    saved: Option<*mut f32>,
}

per_isa!(run_all_panels = all_panels(Args));

/// # Safety
/// The pointers hold what [`step`] checks.
#[inline(always)]
unsafe fn all_panels<S: Simd>(args: &Args) {
    // SAFETY: each panel is visited once, with rows below n_rows.
    unsafe {
        if args.n_rows == 1 {
            // Two panels at once hide the latency of the additions.
            for (first, n) in groups(args.n_panels, 2) {
                match n {
                    1 => block::<S, 1, 1>(args, 0, first),
                    _ => block::<S, 1, 2>(args, 0, first),
                }
            }
            return;
        }
        for panel in 0..args.n_panels {
            let mut row = 0;
            if S::TILE_ROWS >= 8 {
                while row + 8 <= args.n_rows {
                    block::<S, 8, 1>(args, row, panel);
                    row += 8;
                }
                if row + 4 <= args.n_rows {
                    block::<S, 4, 1>(args, row, panel);
                    row += 4;
                }
            }
            if S::TILE_ROWS >= 2 {
                while row + 2 <= args.n_rows {
                    block::<S, 2, 1>(args, row, panel);
                    row += 2;
                }
            }
            while row < args.n_rows {
                block::<S, 1, 1>(args, row, panel);
                row += 1;
            }
        }
    }
}

/// `ROWS` rows from `row`, `P` panels of hidden units from `panel`.
///
/// # Safety
/// The pointers hold what [`step`] checks; rows and panels are within range.
#[inline(always)]
unsafe fn block<S: Simd, const ROWS: usize, const P: usize>(args: &Args, row: usize, panel: usize) {
    // SAFETY: all places are within padded rows; the output is stored up to n_hidden.
    unsafe {
        let projected = |r: usize, p: usize, g: usize| {
            S::load(args.projected.add((row + r) * 3 * args.n_padded + ((panel + p) * 3 + g) * LANES))
        };
        let mut sums = [[[S::splat(0.0); 3]; P]; ROWS];
        for (r, row_sums) in sums.iter_mut().enumerate() {
            for (p, gates) in row_sums.iter_mut().enumerate() {
                *gates = [projected(r, p, 0), projected(r, p, 1), S::load(args.bias_hn.add((panel + p) * LANES))];
            }
        }
        let sums = add_products::<S, ROWS, P, 3>(
            args.hidden.add(row * args.n_padded),
            args.n_padded,
            args.n_hidden,
            args.panels.add(panel * args.panel_stride),
            args.panel_stride,
            sums,
        );
        for (r, row_sums) in sums.into_iter().enumerate() {
            for (p, [sum_r, sum_z, recurrent_n]) in row_sums.into_iter().enumerate() {
                let unit = (panel + p) * LANES;
                let place = (row + r) * args.n_padded + unit;
                let gate_r = sigmoid::<S>(sum_r);
                let gate_z = sigmoid::<S>(sum_z);
                let n = tanh::<S>(S::fma(gate_r, recurrent_n, projected(r, p, 2)));
                let h = S::load(args.hidden.add(place));
                let new_h = S::fma(gate_z, S::sub(h, n), n);
                S::store(args.new_hidden.add(place), new_h);
                let output = args.output.add((row + r) * args.output_stride + unit);
                if unit + LANES <= args.n_hidden {
                    S::store(output, new_h);
                } else {
                    S::store_first(output, args.n_hidden - unit, new_h);
                }
                if let Some(saved) = args.saved {
                    let saved = saved.add(place * SAVED_PER_UNIT);
                    S::store(saved, gate_r);
                    S::store(saved.add(LANES), gate_z);
                    S::store(saved.add(2 * LANES), n);
                    S::store(saved.add(3 * LANES), recurrent_n);
                }
            }
        }
    }
}
