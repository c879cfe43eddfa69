//! One time step of a recurrent layer, for any number of rows.
#![allow(unsafe_code)] // Tiles address rows and panels by pointer; `step` checks the bounds once for all of them.

use super::cell::RecurrentCell;
use super::equations::{StepEquations, Stepped};
use super::gru::Gru;
use super::lstm::Lstm;
use super::rnn::Rnn;
use crate::kernels::isa::{SupportedIsa, per_isa};
use crate::kernels::matmul::{add_products, groups};
use crate::kernels::panels::Panels;
use crate::kernels::simd::{LANES, Simd, tile_fits};

/// What a step reads. Rows lie back to back, padded to whole panels.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepInput<'a> {
    pub(super) cell: RecurrentCell,
    pub(super) n_rows: usize,
    pub(super) n_hidden: usize,
    /// Recurrent weights, all gates.
    pub(super) weights: &'a Panels,
    /// The GRU's bias of the recurrent part of n, padded; empty for the others.
    pub(super) recurrent_bias: &'a [f32],
    /// Projected inputs with the other biases, rows `[panel][gate][lane]`.
    pub(super) projected: &'a [f32],
    pub(super) hidden: &'a [f32],
}

/// What a step writes.
pub(super) struct StepOutput<'a> {
    /// The new hidden state, padded rows back to back.
    pub(super) hidden: &'a mut [f32],
    /// The LSTM's c, padded rows back to back, before the step and after it; empty for the others.
    pub(super) memory: &'a mut [f32],
    /// The new hidden state without padding, rows `row_stride` apart.
    pub(super) output: &'a mut [f32],
    pub(super) row_stride: usize,
    /// For the backward pass, rows `[panel][number][lane]` back to back, with the numbers that the cell saves.
    pub(super) saved: Option<&'a mut [f32]>,
}

/// Sums over the hidden state, then the cell's equations.
///
/// # Panics
/// When a slice is shorter than its rows need.
pub(super) fn step(isa: SupportedIsa, input: StepInput<'_>, output: StepOutput<'_>) {
    let StepInput { cell, n_rows, n_hidden, weights, recurrent_bias, projected, hidden } = input;
    if n_rows == 0 {
        return;
    }
    let n_padded = weights.n_panels * LANES;
    assert_eq!(weights.n_gates, cell.n_gates(), "recurrent weights have the cell's gates");
    assert_eq!(weights.n_inputs, n_hidden, "recurrent weights read the hidden state");
    assert_eq!(n_hidden.next_multiple_of(LANES), n_padded, "recurrent weights write the hidden state");
    assert!(hidden.len() >= n_rows * n_padded && output.hidden.len() >= n_rows * n_padded);
    assert!(cell.n_bias_parts() == cell.n_gates() || recurrent_bias.len() >= n_padded);
    assert!(!cell.has_memory() || output.memory.len() >= n_rows * n_padded, "each row has its memory");
    assert!(projected.len() >= n_rows * cell.n_gates() * n_padded, "each row has its gates");
    assert!((n_rows - 1) * output.row_stride + n_hidden <= output.output.len(), "output is shorter than {n_rows} rows");
    if let Some(saved) = &output.saved {
        assert!(saved.len() >= n_rows * cell.saved_per_unit() * n_padded, "each row saves its gates");
    }
    let args = Args {
        n_rows,
        n_hidden,
        n_padded,
        panels: weights.as_slice().as_ptr(),
        panel_stride: weights.stride(),
        n_panels: weights.n_panels,
        recurrent_bias: recurrent_bias.as_ptr(),
        projected: projected.as_ptr(),
        hidden: hidden.as_ptr(),
        new_hidden: output.hidden.as_mut_ptr(),
        memory: output.memory.as_mut_ptr(),
        output: output.output.as_mut_ptr(),
        output_stride: output.row_stride,
        saved: output.saved.map(<[f32]>::as_mut_ptr),
    };
    // SAFETY: the assertions above are the contract.
    unsafe {
        match cell {
            RecurrentCell::Gru => run_gru(isa, &args),
            RecurrentCell::Lstm => run_lstm(isa, &args),
            RecurrentCell::Rnn => run_rnn(isa, &args),
        }
    }
}

/// The checked pointers of one step.
struct Args {
    n_rows: usize,
    n_hidden: usize,
    n_padded: usize,
    panels: *const f32,
    panel_stride: usize,
    n_panels: usize,
    recurrent_bias: *const f32,
    projected: *const f32,
    hidden: *const f32,
    new_hidden: *mut f32,
    memory: *mut f32,
    output: *mut f32,
    output_stride: usize,
    saved: Option<*mut f32>,
}

per_isa!(run_gru = all_panels::<Gru, 3, 4>(Args));
per_isa!(run_lstm = all_panels::<Lstm, 4, 6>(Args));
per_isa!(run_rnn = all_panels::<Rnn, 1, 1>(Args));

/// # Safety
/// The pointers hold what [`step`] checks for the cell `C`.
#[inline(always)]
unsafe fn all_panels<S: Simd, C: StepEquations<G, N>, const G: usize, const N: usize>(args: &Args) {
    const {
        assert!(G == C::CELL.n_gates() && N == C::CELL.saved_per_unit(), "the equations fit the cell");
    }
    // SAFETY: each panel is visited once, with rows below n_rows.
    unsafe {
        if args.n_rows == 1 {
            // Two panels at once hide the latency of the additions.
            for (first, n) in groups(args.n_panels, 2) {
                match n {
                    1 => block::<S, C, G, N, 1, 1>(args, 0, first),
                    _ => block::<S, C, G, N, 1, 2>(args, 0, first),
                }
            }
            return;
        }
        for panel in 0..args.n_panels {
            let mut row = 0;
            if tile_fits::<S>(8, G) {
                while row + 8 <= args.n_rows {
                    block::<S, C, G, N, 8, 1>(args, row, panel);
                    row += 8;
                }
            }
            if tile_fits::<S>(4, G) {
                while row + 4 <= args.n_rows {
                    block::<S, C, G, N, 4, 1>(args, row, panel);
                    row += 4;
                }
            }
            if tile_fits::<S>(2, G) {
                while row + 2 <= args.n_rows {
                    block::<S, C, G, N, 2, 1>(args, row, panel);
                    row += 2;
                }
            }
            while row < args.n_rows {
                block::<S, C, G, N, 1, 1>(args, row, panel);
                row += 1;
            }
        }
    }
}

/// `ROWS` rows from `row`, `P` panels of hidden units from `panel`; `G` gates, `N` numbers saved.
///
/// # Safety
/// As [`all_panels`]; rows and panels are within range.
#[inline(always)]
unsafe fn block<S: Simd, C: StepEquations<G, N>, const G: usize, const N: usize, const ROWS: usize, const P: usize>(
    args: &Args,
    row: usize,
    panel: usize,
) {
    // SAFETY: all places are within padded rows; the output is stored up to n_hidden.
    unsafe {
        let projected = |r: usize, p: usize, g: usize| {
            S::load(args.projected.add((row + r) * G * args.n_padded + ((panel + p) * G + g) * LANES))
        };
        let mut sums = [[[S::splat(0.0); G]; P]; ROWS];
        for (r, row_sums) in sums.iter_mut().enumerate() {
            for (p, gates) in row_sums.iter_mut().enumerate() {
                *gates = C::start(|g| projected(r, p, g), || S::load(args.recurrent_bias.add((panel + p) * LANES)));
            }
        }
        let sums = add_products::<S, ROWS, P, G>(
            args.hidden.add(row * args.n_padded),
            args.n_padded,
            args.n_hidden,
            args.panels.add(panel * args.panel_stride),
            args.panel_stride,
            sums,
        );
        for (r, row_sums) in sums.into_iter().enumerate() {
            for (p, sums) in row_sums.into_iter().enumerate() {
                let unit = (panel + p) * LANES;
                let place = (row + r) * args.n_padded + unit;
                let hidden = S::load(args.hidden.add(place));
                let memory = if C::CELL.has_memory() { S::load(args.memory.add(place)) } else { S::splat(0.0) };
                let Stepped { hidden, memory, saved } = C::step::<S>(sums, |g| projected(r, p, g), hidden, memory);
                S::store(args.new_hidden.add(place), hidden);
                if C::CELL.has_memory() {
                    S::store(args.memory.add(place), memory);
                }
                let output = args.output.add((row + r) * args.output_stride + unit);
                if unit + LANES <= args.n_hidden {
                    S::store(output, hidden);
                } else {
                    S::store_first(output, args.n_hidden - unit, hidden);
                }
                if let Some(to) = args.saved {
                    let to = to.add(place * N);
                    for (number, saved) in saved.into_iter().enumerate() {
                        S::store(to.add(number * LANES), saved);
                    }
                }
            }
        }
    }
}
