//! The gradient of a gated recurrent layer: back through time, from the gates that the forward pass saved.
//!
//! For each step, last to first: the gradients of the four sums of every unit (n, r, z and the recurrent part of n) from
//! the gradient of the hidden state, and from them the gradient of the state before. Every few steps their products with
//! the inputs and states are added to the weights' gradients, so that nothing of a whole sequence is kept.
#![allow(unsafe_code)] // `gate_gradients` addresses rows by pointer, after checking the bounds.

use super::aligned::AlignedBuffer;
use super::gru_step::SAVED_PER_UNIT;
use super::isa::{Isa, SupportedIsa, per_isa};
use super::matmul::{OutputRows, Product, Start, multiply};
use super::outer::{ROWS_PER_BLOCK, Rows, add_outer_products};
use super::panels::{Panels, padded};
use super::simd::{LANES, Simd};

/// Order of the gates in a row of sum gradients: n, r, z, and the recurrent part of n after them. The first three meet
/// the inputs, the last three the hidden state.
const INPUT_GATES: [usize; 3] = [2, 0, 1];
const HIDDEN_GATES: [usize; 3] = [0, 1, 2];

/// A layer and its forward pass.
pub(super) struct Forward<'a> {
    pub(super) isa: Isa,
    pub(super) n_rows: usize,
    pub(super) n_steps: usize,
    pub(super) n_inputs: usize,
    pub(super) n_hidden: usize,
    /// `(3 hidden, inputs)`
    pub(super) w_ih: &'a [f32],
    /// `(3 hidden, hidden)`
    pub(super) w_hh: &'a [f32],
    /// `(batch, time, inputs)`
    pub(super) input: &'a [f32],
    /// `(batch, hidden)`; zeros when there is none.
    pub(super) initial: Option<&'a [f32]>,
    /// `(batch, time, hidden)`
    pub(super) output: &'a [f32],
    /// `(time, batch, saved)`
    pub(super) saved: &'a [f32],
}

/// Gradients of a layer.
pub(super) struct Gradients {
    /// `(batch, time, inputs)`, when asked for.
    pub(super) input: Option<Vec<f32>>,
    /// Those of w_ih, w_hh and the bias `(4 hidden)`, one after the other.
    pub(super) parameters: Vec<f32>,
}

/// Gradients for `output_gradient`, `(batch, time, hidden)`.
pub(super) fn backward(forward: &Forward<'_>, output_gradient: &[f32], with_input: bool) -> Gradients {
    let &Forward { n_rows, n_steps, n_inputs, n_hidden, w_ih, w_hh, input, initial, output, saved, .. } = forward;
    let isa = forward.isa.checked();
    let (padded_hidden, padded_inputs) = (padded(n_hidden), padded(n_inputs));
    let sums_length = 4 * padded_hidden;
    let transposed = |weight: &[f32], n_units: usize, gates: [usize; 3]| {
        Panels::new((1, n_units, 3 * padded_hidden), |_, unit, place| {
            let (gate, hidden) = (gates[place / padded_hidden], place % padded_hidden);
            if hidden < n_hidden { weight[(gate * n_hidden + hidden) * n_units + unit] } else { 0.0 }
        })
    };
    let to_hidden = transposed(w_hh, n_hidden, HIDDEN_GATES);
    let to_input = with_input.then(|| transposed(w_ih, n_inputs, INPUT_GATES));
    let no_bias = AlignedBuffer::zeros(padded_inputs);

    let steps_per_block = (ROWS_PER_BLOCK / n_rows.max(1)).clamp(1, n_steps.max(1));
    let block_rows = steps_per_block * n_rows;
    let mut inputs = AlignedBuffer::zeros(block_rows * padded_inputs);
    let mut states = AlignedBuffer::zeros(block_rows * padded_hidden);
    let mut sum_gradients = AlignedBuffer::zeros(block_rows * sums_length);
    let mut hidden_gradient = AlignedBuffer::zeros(n_rows * padded_hidden);
    let mut bias_gradient = AlignedBuffer::zeros(sums_length);
    let mut w_ih_gradient = AlignedBuffer::zeros(3 * padded_hidden * padded_inputs);
    let mut w_hh_gradient = AlignedBuffer::zeros(3 * padded_hidden * padded_hidden);
    let mut input_gradient = with_input.then(|| vec![0.0; n_rows * n_steps * n_inputs]);

    let mut end = n_steps;
    while end > 0 && n_rows > 0 {
        let start = end.saturating_sub(steps_per_block);
        for time in (start..end).rev() {
            let block_row = (time - start) * n_rows;
            let step_states = &mut states.as_mut_slice()[block_row * padded_hidden..][..n_rows * padded_hidden];
            for (row, state) in step_states.chunks_exact_mut(padded_hidden).enumerate() {
                match (time, initial) {
                    (0, None) => state.fill(0.0),
                    (0, Some(initial)) => state[..n_hidden].copy_from_slice(&initial[row * n_hidden..][..n_hidden]),
                    _ => {
                        state[..n_hidden].copy_from_slice(&output[(row * n_steps + time - 1) * n_hidden..][..n_hidden])
                    }
                }
            }
            let step_inputs = &mut inputs.as_mut_slice()[block_row * padded_inputs..][..n_rows * padded_inputs];
            for (row, padded_row) in step_inputs.chunks_exact_mut(padded_inputs).enumerate() {
                padded_row[..n_inputs].copy_from_slice(&input[(row * n_steps + time) * n_inputs..][..n_inputs]);
            }
            let step_sums = &mut sum_gradients.as_mut_slice()[block_row * sums_length..][..n_rows * sums_length];
            gate_gradients(
                isa,
                n_hidden,
                StepGradients {
                    output: &output_gradient[time * n_hidden..],
                    output_stride: n_steps * n_hidden,
                    saved: &saved[time * n_rows * SAVED_PER_UNIT * padded_hidden..],
                    states: step_states,
                    hidden: hidden_gradient.as_mut_slice(),
                    sums: step_sums,
                    bias: bias_gradient.as_mut_slice(),
                },
            );
            if time > 0 {
                multiply(
                    isa,
                    Product {
                        weights: &to_hidden,
                        input: &step_sums[padded_hidden..],
                        row_stride: sums_length,
                        n_rows,
                        start: Start::Output,
                        relu: false,
                    },
                    OutputRows {
                        numbers: hidden_gradient.as_mut_slice(),
                        row_stride: padded_hidden,
                        row_length: padded_hidden,
                    },
                );
            }
        }

        let n_block_rows = (end - start) * n_rows;
        let gates = |first: usize| Rows {
            numbers: &sum_gradients.as_slice()[first..],
            stride: sums_length,
            width: 3 * padded_hidden,
        };
        let right = |numbers, width| Rows { numbers, stride: width, width };
        add_outer_products(
            isa,
            n_block_rows,
            gates(0),
            right(inputs.as_slice(), padded_inputs),
            w_ih_gradient.as_mut_slice(),
        );
        add_outer_products(
            isa,
            n_block_rows,
            gates(padded_hidden),
            right(states.as_slice(), padded_hidden),
            w_hh_gradient.as_mut_slice(),
        );
        if let (Some(weights), Some(input_gradient)) = (&to_input, &mut input_gradient) {
            let mut to_rows = |row: usize, time: usize, n: usize, sums_stride: usize, stride: usize| {
                multiply(
                    isa,
                    Product {
                        weights,
                        input: &sum_gradients.as_slice()[((time - start) * n_rows + row) * sums_length..],
                        row_stride: sums_stride,
                        n_rows: n,
                        start: Start::Bias(no_bias.as_slice()),
                        relu: false,
                    },
                    OutputRows {
                        numbers: &mut input_gradient[(row * n_steps + time) * n_inputs..],
                        row_stride: stride,
                        row_length: n_inputs,
                    },
                );
            };
            // Whichever fills the register tiles: the rows of one step, or the steps of one row.
            if n_rows >= end - start {
                (start..end).for_each(|time| to_rows(0, time, n_rows, sums_length, n_steps * n_inputs));
            } else {
                (0..n_rows).for_each(|row| to_rows(row, start, end - start, n_rows * sums_length, n_inputs));
            }
        }
        end = start;
    }

    let mut parameters = Vec::with_capacity(3 * n_hidden * (n_inputs + n_hidden) + 4 * n_hidden);
    for (gradient, gates, width) in [(&w_ih_gradient, INPUT_GATES, n_inputs), (&w_hh_gradient, HIDDEN_GATES, n_hidden)]
    {
        for gate in 0..3 {
            let place = gates.iter().position(|&g| g == gate).expect("each gate has a place");
            let rows = gradient.as_slice().chunks_exact(padded(width)).skip(place * padded_hidden).take(n_hidden);
            rows.for_each(|row| parameters.extend_from_slice(&row[..width]));
        }
    }
    // Gradients of the sums lie as n, r, z, hn; the bias as r, z, n, hn.
    for place in [1, 2, 0, 3] {
        parameters.extend_from_slice(&bias_gradient.as_slice()[place * padded_hidden..][..n_hidden]);
    }
    Gradients { input: input_gradient, parameters }
}

/// The slices of one time step. Rows lie back to back and padded, but for the output's gradient.
struct StepGradients<'a> {
    /// Rows of `n_hidden`, `output_stride` apart.
    output: &'a [f32],
    output_stride: usize,
    saved: &'a [f32],
    /// The hidden state before the step.
    states: &'a [f32],
    /// In: the gradient of the state after the step from all later ones. Out: of the state before, by the direct path.
    hidden: &'a mut [f32],
    /// Out: the gradients of the sums, rows n, r, z, recurrent part of n.
    sums: &'a mut [f32],
    /// Their running sums over rows and steps.
    bias: &'a mut [f32],
}

/// From the gradient of the new state to the gradients of the sums, for as many rows as `states` has.
fn gate_gradients(isa: SupportedIsa, n_hidden: usize, step: StepGradients<'_>) {
    let n_padded = padded(n_hidden);
    let n_rows = step.states.len() / n_padded;
    assert!(n_rows > 0 && step.output.len() >= (n_rows - 1) * step.output_stride + n_hidden);
    assert!(step.hidden.len() >= n_rows * n_padded && step.sums.len() >= n_rows * 4 * n_padded);
    assert!(step.saved.len() >= n_rows * SAVED_PER_UNIT * n_padded && step.bias.len() == 4 * n_padded);
    let args = Args {
        n_rows,
        n_hidden,
        n_padded,
        output: step.output.as_ptr(),
        output_stride: step.output_stride,
        saved: step.saved.as_ptr(),
        states: step.states.as_ptr(),
        hidden: step.hidden.as_mut_ptr(),
        sums: step.sums.as_mut_ptr(),
        bias: step.bias.as_mut_ptr(),
    };
    // SAFETY: the assertions above are the contract.
    unsafe { run_all_units(isa, &args) };
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
    sums: *mut f32,
    bias: *mut f32,
}

per_isa!(run_all_units = all_units(Args));

/// # Safety
/// The pointers hold what [`gate_gradients`] checks.
#[inline(always)]
unsafe fn all_units<S: Simd>(args: &Args) {
    let n_padded = args.n_padded;
    for unit in (0..n_padded).step_by(LANES) {
        let n_lanes = LANES.min(args.n_hidden - unit);
        // SAFETY: units and rows are within range; the output's gradient is loaded up to n_hidden.
        unsafe {
            let one = S::splat(1.0);
            let mut bias = [S::splat(0.0); 4];
            for (place, sum) in bias.iter_mut().enumerate() {
                *sum = S::load(args.bias.add(place * n_padded + unit));
            }
            for row in 0..args.n_rows {
                let saved = args.saved.add((row * n_padded + unit) * SAVED_PER_UNIT);
                let gate_r = S::load(saved);
                let gate_z = S::load(saved.add(LANES));
                let n = S::load(saved.add(2 * LANES));
                let recurrent_n = S::load(saved.add(3 * LANES));
                let state = S::load(args.states.add(row * n_padded + unit));
                let output = args.output.add(row * args.output_stride + unit);
                let output = if n_lanes == LANES { S::load(output) } else { S::load_first(output, n_lanes) };
                let hidden = args.hidden.add(row * n_padded + unit);
                let d_state = S::add(S::load(hidden), output);

                let d_z = S::mul(S::mul(d_state, S::sub(state, n)), S::mul(gate_z, S::sub(one, gate_z)));
                let d_n = S::mul(S::mul(d_state, S::sub(one, gate_z)), S::sub(one, S::mul(n, n)));
                let d_r = S::mul(S::mul(d_n, recurrent_n), S::mul(gate_r, S::sub(one, gate_r)));
                let d_hn = S::mul(d_n, gate_r);

                S::store(hidden, S::mul(d_state, gate_z));
                for (place, d) in [d_n, d_r, d_z, d_hn].into_iter().enumerate() {
                    S::store(args.sums.add((row * 4 + place) * n_padded + unit), d);
                    bias[place] = S::add(bias[place], d);
                }
            }
            for (place, sum) in bias.into_iter().enumerate() {
                S::store(args.bias.add(place * n_padded + unit), sum);
            }
        }
    }
}
