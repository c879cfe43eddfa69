//! The gradient of a recurrent layer: back through time, from what the forward pass saved.
//!
//! For each step, last to first: the gradients of the sums of every unit from the gradient of the state, and from them the
//! gradient of the state before. Every few steps their products with the inputs and states are added to the weights'
//! gradients, so that nothing of a whole sequence is kept.

use super::cell::RecurrentCell;
use super::step_gradient::{StepSlices, step_gradient};
use crate::kernels::aligned::AlignedBuffer;
use crate::kernels::isa::Isa;
use crate::kernels::matmul::{OutputRows, Product, Start, multiply};
use crate::kernels::outer::{ROWS_PER_BLOCK, Rows, add_outer_products};
use crate::kernels::panels::{Panels, padded};

/// How the gradients of a unit's sums lie in a row. There are as many sums as parts of the bias.
struct SumOrder {
    /// The gates that meet the inputs, from the first place on.
    input_gates: &'static [usize],
    /// The gates that meet the hidden state, up to the last place.
    hidden_gates: &'static [usize],
    /// The place of each part of the bias.
    bias_places: &'static [usize],
}

impl SumOrder {
    fn of(cell: RecurrentCell) -> Self {
        let same = |gates: &'static [usize]| Self { input_gates: gates, hidden_gates: gates, bias_places: gates };
        match cell {
            // n, r, z and the recurrent part of n: so the three gates lie in one piece for the inputs and for the state.
            RecurrentCell::Gru => {
                Self { input_gates: &[2, 0, 1], hidden_gates: &[0, 1, 2], bias_places: &[1, 2, 0, 3] }
            }
            RecurrentCell::Lstm => same(&[0, 1, 2, 3]),
            RecurrentCell::Rnn => same(&[0]),
        }
    }
}

/// A layer and its forward pass.
pub(super) struct Forward<'a> {
    pub(super) isa: Isa,
    pub(super) cell: RecurrentCell,
    pub(super) n_rows: usize,
    pub(super) n_steps: usize,
    pub(super) n_inputs: usize,
    pub(super) n_hidden: usize,
    /// `(gates · hidden, inputs)`
    pub(super) w_ih: &'a [f32],
    /// `(gates · hidden, hidden)`
    pub(super) w_hh: &'a [f32],
    /// `(batch, time, inputs)`
    pub(super) input: &'a [f32],
    /// `(batch, state)`
    pub(super) initial: &'a [f32],
    /// `(batch, time, hidden)`, and behind each row's last step the LSTM's last c.
    pub(super) output: &'a [f32],
    /// `(time, batch, saved)`
    pub(super) saved: &'a [f32],
}

/// Gradients of a layer.
pub(super) struct Gradients {
    /// `(batch, time, inputs)`, when asked for.
    pub(super) input: Option<Vec<f32>>,
    /// `(batch, state)`, when asked for.
    pub(super) initial: Option<Vec<f32>>,
    /// Those of w_ih, w_hh and the bias, one after the other.
    pub(super) parameters: Vec<f32>,
}

/// Gradients for `output_gradient`, which lies like the output.
pub(super) fn backward(
    forward: &Forward<'_>,
    output_gradient: &[f32],
    with_input: bool,
    with_initial: bool,
) -> Gradients {
    let &Forward { cell, n_rows, n_steps, n_inputs, n_hidden, w_ih, w_hh, input, initial, output, saved, .. } = forward;
    let isa = forward.isa.checked();
    let (padded_hidden, padded_inputs) = (padded(n_hidden), padded(n_inputs));
    let state_size = cell.state_size(n_hidden);
    let n_last_memory = state_size - n_hidden;
    let output_stride = n_steps * n_hidden + n_last_memory;
    let SumOrder { input_gates, hidden_gates, bias_places } = SumOrder::of(cell);
    let gates_length = cell.n_gates() * padded_hidden;
    let sums_length = bias_places.len() * padded_hidden;
    // Where the sums that meet the hidden state begin.
    let hidden_place = sums_length - gates_length;
    let transposed = |weight: &[f32], n_units: usize, gates: &[usize]| {
        Panels::new((1, n_units, gates_length), |_, unit, place| {
            let (gate, hidden) = (gates[place / padded_hidden], place % padded_hidden);
            if hidden < n_hidden { weight[(gate * n_hidden + hidden) * n_units + unit] } else { 0.0 }
        })
    };
    let to_hidden = transposed(w_hh, n_hidden, hidden_gates);
    let to_input = with_input.then(|| transposed(w_ih, n_inputs, input_gates));
    let no_bias = AlignedBuffer::zeros(padded_inputs);

    let steps_per_block = (ROWS_PER_BLOCK / n_rows.max(1)).clamp(1, n_steps.max(1));
    let block_rows = steps_per_block * n_rows;
    let mut inputs = AlignedBuffer::zeros(block_rows * padded_inputs);
    let mut states = AlignedBuffer::zeros(block_rows * padded_hidden);
    let mut sum_gradients = AlignedBuffer::zeros(block_rows * sums_length);
    let mut hidden_gradient = AlignedBuffer::zeros(n_rows * padded_hidden);
    let mut memory_gradient = AlignedBuffer::zeros(if cell.has_memory() { n_rows * padded_hidden } else { 0 });
    if cell.has_memory() {
        let rows = memory_gradient.as_mut_slice().chunks_exact_mut(padded_hidden);
        for (gradient, row) in rows.zip(output_gradient.chunks_exact(output_stride)) {
            gradient[..n_hidden].copy_from_slice(&row[n_steps * n_hidden..]);
        }
    }
    let mut bias_gradient = AlignedBuffer::zeros(sums_length);
    let mut w_ih_gradient = AlignedBuffer::zeros(gates_length * padded_inputs);
    let mut w_hh_gradient = AlignedBuffer::zeros(gates_length * padded_hidden);
    let mut input_gradient = with_input.then(|| vec![0.0; n_rows * n_steps * n_inputs]);

    let mut end = n_steps;
    while end > 0 && n_rows > 0 {
        let start = end.saturating_sub(steps_per_block);
        for time in (start..end).rev() {
            let block_row = (time - start) * n_rows;
            let step_states = &mut states.as_mut_slice()[block_row * padded_hidden..][..n_rows * padded_hidden];
            for (row, state) in step_states.chunks_exact_mut(padded_hidden).enumerate() {
                let before = match time {
                    0 => &initial[row * state_size..],
                    _ => &output[row * output_stride + (time - 1) * n_hidden..],
                };
                state[..n_hidden].copy_from_slice(&before[..n_hidden]);
            }
            let step_inputs = &mut inputs.as_mut_slice()[block_row * padded_inputs..][..n_rows * padded_inputs];
            for (row, padded_row) in step_inputs.chunks_exact_mut(padded_inputs).enumerate() {
                padded_row[..n_inputs].copy_from_slice(&input[(row * n_steps + time) * n_inputs..][..n_inputs]);
            }
            let step_sums = &mut sum_gradients.as_mut_slice()[block_row * sums_length..][..n_rows * sums_length];
            step_gradient(
                isa,
                cell,
                n_hidden,
                StepSlices {
                    output: &output_gradient[time * n_hidden..],
                    output_stride,
                    saved: &saved[time * n_rows * cell.saved_per_unit() * padded_hidden..],
                    states: step_states,
                    hidden: hidden_gradient.as_mut_slice(),
                    memory: memory_gradient.as_mut_slice(),
                    sums: step_sums,
                    bias: bias_gradient.as_mut_slice(),
                },
            );
            if time > 0 || with_initial {
                multiply(
                    isa,
                    Product {
                        weights: &to_hidden,
                        input: &step_sums[hidden_place..],
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
            width: gates_length,
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
            gates(hidden_place),
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

    let initial_gradient = with_initial.then(|| {
        let mut gradient = vec![0.0; n_rows * state_size];
        for (row, numbers) in gradient.chunks_exact_mut(state_size).enumerate() {
            let (hidden, memory) = numbers.split_at_mut(n_hidden);
            hidden.copy_from_slice(&hidden_gradient.as_slice()[row * padded_hidden..][..n_hidden]);
            if cell.has_memory() {
                memory.copy_from_slice(&memory_gradient.as_slice()[row * padded_hidden..][..n_hidden]);
            }
        }
        gradient
    });
    let n_gates = cell.n_gates();
    let mut parameters =
        Vec::with_capacity(n_gates * n_hidden * (n_inputs + n_hidden) + cell.n_bias_parts() * n_hidden);
    for (gradient, gates, width) in [(&w_ih_gradient, input_gates, n_inputs), (&w_hh_gradient, hidden_gates, n_hidden)]
    {
        for gate in 0..n_gates {
            let place = gates.iter().position(|&g| g == gate).expect("each gate has a place");
            let rows = gradient.as_slice().chunks_exact(padded(width)).skip(place * padded_hidden).take(n_hidden);
            rows.for_each(|row| parameters.extend_from_slice(&row[..width]));
        }
    }
    for place in bias_places {
        parameters.extend_from_slice(&bias_gradient.as_slice()[place * padded_hidden..][..n_hidden]);
    }
    Gradients { input: input_gradient, initial: initial_gradient, parameters }
}
