//! The gradient of one time step: from the new state to the sums and to the state before.
#![allow(unsafe_code)] // Rows are addressed by pointer; `step_gradient` checks the bounds once for all of them.

use super::cell::RecurrentCell;
use super::equations::{StepDerivative, StepGradients};
use super::gru::Gru;
use super::lstm::Lstm;
use super::rnn::Rnn;
use crate::kernels::isa::{SupportedIsa, per_isa};
use crate::kernels::panels::padded;
use crate::kernels::simd::{LANES, Simd};

/// The slices of one time step. Rows lie back to back and padded, but for the output's gradient.
pub(super) struct StepSlices<'a> {
    /// Rows of `n_hidden`, `output_stride` apart.
    pub(super) output: &'a [f32],
    pub(super) output_stride: usize,
    pub(super) saved: &'a [f32],
    /// The hidden state before the step.
    pub(super) states: &'a [f32],
    /// In: the gradient of the state after the step from all later ones. Out: of the state before, by the direct path.
    pub(super) hidden: &'a mut [f32],
    /// The same of the LSTM's c; empty for the others.
    pub(super) memory: &'a mut [f32],
    /// Out: the gradients of the sums, in the order of the cell's derivative.
    pub(super) sums: &'a mut [f32],
    /// Their running sums over rows and steps.
    pub(super) bias: &'a mut [f32],
}

/// From the gradient of the new state to the gradients of the sums, for as many rows as `states` has.
///
/// # Panics
/// When a slice is shorter than its rows need.
pub(super) fn step_gradient(isa: SupportedIsa, cell: RecurrentCell, n_hidden: usize, step: StepSlices<'_>) {
    let n_padded = padded(n_hidden);
    let n_rows = step.states.len() / n_padded;
    let n_sums = cell.n_bias_parts();
    assert!(n_rows > 0 && step.output.len() >= (n_rows - 1) * step.output_stride + n_hidden);
    assert!(step.hidden.len() >= n_rows * n_padded && step.sums.len() >= n_rows * n_sums * n_padded);
    assert!(!cell.has_memory() || step.memory.len() >= n_rows * n_padded);
    assert!(step.saved.len() >= n_rows * cell.saved_per_unit() * n_padded && step.bias.len() == n_sums * n_padded);
    let args = Args {
        n_rows,
        n_hidden,
        n_padded,
        output: step.output.as_ptr(),
        output_stride: step.output_stride,
        saved: step.saved.as_ptr(),
        states: step.states.as_ptr(),
        hidden: step.hidden.as_mut_ptr(),
        memory: step.memory.as_mut_ptr(),
        sums: step.sums.as_mut_ptr(),
        bias: step.bias.as_mut_ptr(),
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
    output: *const f32,
    output_stride: usize,
    saved: *const f32,
    states: *const f32,
    hidden: *mut f32,
    memory: *mut f32,
    sums: *mut f32,
    bias: *mut f32,
}

per_isa!(run_gru = all_units::<Gru, 4, 4>(Args));
per_isa!(run_lstm = all_units::<Lstm, 4, 6>(Args));
per_isa!(run_rnn = all_units::<Rnn, 1, 1>(Args));

/// All rows of all units; `M` sums, `N` numbers saved.
///
/// # Safety
/// The pointers hold what [`step_gradient`] checks for the cell `C`.
#[inline(always)]
unsafe fn all_units<S: Simd, C: StepDerivative<M, N>, const M: usize, const N: usize>(args: &Args) {
    const {
        assert!(M == C::CELL.n_bias_parts() && N == C::CELL.saved_per_unit(), "the derivative fits the cell");
    }
    let n_padded = args.n_padded;
    for unit in (0..n_padded).step_by(LANES) {
        let n_lanes = LANES.min(args.n_hidden - unit);
        // SAFETY: units and rows are within range; the output's gradient is loaded up to n_hidden.
        unsafe {
            let mut bias = [S::splat(0.0); M];
            for (place, sum) in bias.iter_mut().enumerate() {
                *sum = S::load(args.bias.add(place * n_padded + unit));
            }
            for row in 0..args.n_rows {
                let saved = args.saved.add((row * n_padded + unit) * N);
                let saved: [S::V; N] = std::array::from_fn(|number| S::load(saved.add(number * LANES)));
                let state = S::load(args.states.add(row * n_padded + unit));
                let output = args.output.add(row * args.output_stride + unit);
                let output = if n_lanes == LANES { S::load(output) } else { S::load_first(output, n_lanes) };
                let hidden = args.hidden.add(row * n_padded + unit);
                let d_hidden = S::add(S::load(hidden), output);
                let d_memory =
                    if C::CELL.has_memory() { S::load(args.memory.add(row * n_padded + unit)) } else { S::splat(0.0) };

                let before: StepGradients<S::V, M> = C::gradients::<S>(saved, state, d_hidden, d_memory);
                S::store(hidden, before.hidden);
                if C::CELL.has_memory() {
                    S::store(args.memory.add(row * n_padded + unit), before.memory);
                }
                for (place, d) in before.sums.into_iter().enumerate() {
                    S::store(args.sums.add((row * M + place) * n_padded + unit), d);
                    bias[place] = S::add(bias[place], d);
                }
            }
            for (place, sum) in bias.into_iter().enumerate() {
                S::store(args.bias.add(place * n_padded + unit), sum);
            }
        }
    }
}
