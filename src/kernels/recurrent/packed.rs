//! A recurrent layer over a sequence, state carried from call to call.

use std::ops::Range;

use super::cell::RecurrentCell;
use super::step::{StepInput, StepOutput, step};
use crate::kernels::aligned::AlignedBuffer;
use crate::kernels::isa::{Isa, SupportedIsa};
use crate::kernels::matmul::{OutputRows, Product, Start, multiply};
use crate::kernels::panels::{Panels, padded};
use crate::kernels::simd::LANES;

/// Projected inputs are made for so many numbers at a time, to stay in the second-level cache until they are read.
const PROJECTED_NUMBERS: usize = 64 * 1024;

/// The least time steps that are projected together: whole register tiles.
const PROJECTED_STEPS_MIN: usize = 8;

/// A recurrent layer with its weights packed for the kernels. [`RecurrentCell`] has the equations.
#[derive(Debug, Clone)]
pub struct PackedRecurrent {
    isa: SupportedIsa,
    cell: RecurrentCell,
    input_weights: Panels,
    hidden_weights: Panels,
    /// The biases of the gates as a padded row `[panel][gate][lane]`.
    input_bias: AlignedBuffer,
    /// The GRU's b_hn, padded; empty for the others.
    recurrent_bias: AlignedBuffer,
    n_hidden: usize,
}

/// Working memory of [`PackedRecurrent`], grown on first use and then kept.
#[derive(Debug, Clone, Default)]
pub struct RecurrentScratch {
    projected: AlignedBuffer,
    hidden: [AlignedBuffer; 2],
    memory: AlignedBuffer,
}

impl PackedRecurrent {
    /// Packs `w_ih`, `(gates · hidden, inputs)`, and `w_hh`, `(gates · hidden, hidden)`, both row-major with the gates in the
    /// order of [`RecurrentCell`], and `bias`, `(bias parts · hidden)`.
    ///
    /// # Panics
    /// When the lengths do not fit together, or the layer has no inputs or no hidden units.
    pub fn new(cell: RecurrentCell, w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> Self {
        Self::with_isa(Isa::detect(), cell, w_ih, w_hh, bias)
    }

    /// As [`new`](Self::new), for a given instruction set.
    ///
    /// # Panics
    /// As [`new`](Self::new), and when the processor does not support `isa`.
    pub fn with_isa(isa: Isa, cell: RecurrentCell, w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> Self {
        let (n_gates, n_bias_parts) = (cell.n_gates(), cell.n_bias_parts());
        let n_hidden = bias.len() / n_bias_parts;
        assert!(n_hidden > 0 && !w_ih.is_empty(), "a recurrent layer has at least one input and one hidden unit");
        assert_eq!(bias.len(), n_bias_parts * n_hidden, "the bias has {n_bias_parts} parts of equal length");
        assert_eq!(
            w_hh.len(),
            n_gates * n_hidden * n_hidden,
            "the recurrent weight is ({n_gates} * {n_hidden}, {n_hidden})"
        );
        assert_eq!(w_ih.len() % (n_gates * n_hidden), 0, "the input weight is ({n_gates} * {n_hidden}, inputs)");
        let n_inputs = w_ih.len() / (n_gates * n_hidden);
        let pack = |weight: &[f32], n_inputs: usize| {
            Panels::new((n_gates, n_hidden, n_inputs), |gate, unit, input| {
                weight[(gate * n_hidden + unit) * n_inputs + input]
            })
        };
        let (gate_biases, recurrent) = bias.split_at(n_gates * n_hidden);
        let mut input_bias = AlignedBuffer::zeros(n_gates * padded(n_hidden));
        for (i, &number) in gate_biases.iter().enumerate() {
            let (gate, unit) = (i / n_hidden, i % n_hidden);
            input_bias.as_mut_slice()[(unit / LANES * n_gates + gate) * LANES + unit % LANES] = number;
        }
        let mut recurrent_bias = AlignedBuffer::zeros(recurrent.len());
        recurrent_bias.as_mut_slice()[..recurrent.len()].copy_from_slice(recurrent);
        Self {
            isa: isa.checked(),
            cell,
            input_weights: pack(w_ih, n_inputs),
            hidden_weights: pack(w_hh, n_hidden),
            input_bias,
            recurrent_bias,
            n_hidden,
        }
    }

    /// Numbers in an input row.
    pub fn n_inputs(&self) -> usize {
        self.input_weights.n_inputs
    }

    /// Numbers in an output row, the hidden state.
    pub fn n_hidden(&self) -> usize {
        self.n_hidden
    }

    /// Numbers that one stream carries: h, and behind it the LSTM's c.
    pub fn state_size(&self) -> usize {
        self.cell.state_size(self.n_hidden)
    }

    /// Runs `n_steps` time steps of `input`, `(time, inputs)`, from `state`, `(state)`, and leaves the new state there;
    /// `output`, `(time, hidden)`, takes h after each step.
    ///
    /// Any division of a recording into calls gives the same bits. Does not allocate once `scratch` has seen a call of
    /// this size.
    ///
    /// # Panics
    /// When a slice does not have the length its shape asks for.
    pub fn sequence(
        &self,
        input: &[f32],
        n_steps: usize,
        state: &mut [f32],
        scratch: &mut RecurrentScratch,
        output: &mut [f32],
    ) {
        self.sequence_batch(input, 1, n_steps, state, scratch, output);
    }

    /// As [`sequence`](Self::sequence) for `n_rows` independent rows at once: `input` is `(batch, time, inputs)`,
    /// `state` `(batch, state)`, `output` `(batch, time, hidden)`. The bits are those of a call for each row.
    ///
    /// # Panics
    /// When a slice does not have the length its shape asks for.
    pub fn sequence_batch(
        &self,
        input: &[f32],
        n_rows: usize,
        n_steps: usize,
        state: &mut [f32],
        scratch: &mut RecurrentScratch,
        output: &mut [f32],
    ) {
        self.run(input, (n_rows, n_steps), state, scratch, output, None);
    }

    /// The sequence, with what the backward pass needs saved as `(time, batch, saved)` when asked for.
    pub(super) fn run(
        &self,
        input: &[f32],
        (n_rows, n_steps): (usize, usize),
        state: &mut [f32],
        scratch: &mut RecurrentScratch,
        output: &mut [f32],
        mut saved: Option<&mut [f32]>,
    ) {
        let (n_inputs, n_hidden, state_size) = (self.n_inputs(), self.n_hidden, self.state_size());
        assert_eq!(input.len(), n_rows * n_steps * n_inputs, "the input is ({n_rows}, {n_steps}, {n_inputs})");
        assert_eq!(output.len(), n_rows * n_steps * n_hidden, "the output is ({n_rows}, {n_steps}, {n_hidden})");
        assert_eq!(state.len(), n_rows * state_size, "the state is ({n_rows}, {state_size})");
        if n_rows == 0 {
            return;
        }
        let n_padded = padded(n_hidden);
        let row_length = self.hidden_weights.row_length();
        let row_saved = self.cell.saved_per_unit() * n_padded;
        let steps_per_block = (PROJECTED_NUMBERS / (n_rows * row_length)).max(PROJECTED_STEPS_MIN).min(n_steps);
        let RecurrentScratch { projected, hidden: [now, next], memory } = scratch;
        let (mut now, mut next) = (now, next);
        projected.grow(steps_per_block * n_rows * row_length);
        next.grow(n_rows * n_padded);
        // h, then c where there is one.
        let mut parts = [&mut *now, &mut *memory];
        for (part, buffer) in parts.iter_mut().take(state_size / n_hidden).enumerate() {
            buffer.grow(n_rows * n_padded);
            for (padded_row, row) in
                buffer.as_mut_slice().chunks_exact_mut(n_padded).zip(state.chunks_exact(state_size))
            {
                padded_row[..n_hidden].copy_from_slice(&row[part * n_hidden..][..n_hidden]);
                padded_row[n_hidden..].fill(0.0);
            }
        }

        let mut first_step = 0;
        while first_step < n_steps {
            let n_block = steps_per_block.min(n_steps - first_step);
            self.project(input, (n_rows, n_steps), first_step..first_step + n_block, projected.as_mut_slice());
            for block_step in 0..n_block {
                let time = first_step + block_step;
                step(
                    self.isa,
                    StepInput {
                        cell: self.cell,
                        n_rows,
                        n_hidden,
                        weights: &self.hidden_weights,
                        recurrent_bias: self.recurrent_bias.as_slice(),
                        projected: &projected.as_slice()[block_step * n_rows * row_length..],
                        hidden: now.as_slice(),
                    },
                    StepOutput {
                        hidden: next.as_mut_slice(),
                        memory: memory.as_mut_slice(),
                        output: &mut output[time * n_hidden..],
                        row_stride: n_steps * n_hidden,
                        saved: saved
                            .as_deref_mut()
                            .map(|saved| &mut saved[time * n_rows * row_saved..(time + 1) * n_rows * row_saved]),
                    },
                );
                std::mem::swap(&mut now, &mut next);
            }
            first_step += n_block;
        }
        for (part, buffer) in [now, memory].into_iter().take(state_size / n_hidden).enumerate() {
            for (row, padded_row) in state.chunks_exact_mut(state_size).zip(buffer.as_slice().chunks_exact(n_padded)) {
                row[part * n_hidden..][..n_hidden].copy_from_slice(&padded_row[..n_hidden]);
            }
        }
    }

    /// Projects the inputs of a range of time steps into `projected`, padded rows `(time, batch)`.
    fn project(&self, input: &[f32], (n_rows, n_steps): (usize, usize), times: Range<usize>, projected: &mut [f32]) {
        let n_inputs = self.n_inputs();
        let row_length = self.input_weights.row_length();
        let mut project = |row: usize, time: usize, n: usize, input_stride: usize, projected_stride: usize| {
            multiply(
                self.isa,
                Product {
                    weights: &self.input_weights,
                    input: &input[(row * n_steps + time) * n_inputs..],
                    row_stride: input_stride,
                    n_rows: n,
                    start: Start::Bias(self.input_bias.as_slice()),
                    relu: false,
                },
                OutputRows {
                    numbers: &mut projected[((time - times.start) * n_rows + row) * row_length..],
                    row_stride: projected_stride,
                    row_length,
                },
            );
        };
        // Whichever fills the register tiles: the steps of one row, or the rows of one step.
        if times.len() >= n_rows.min(PROJECTED_STEPS_MIN) {
            for row in 0..n_rows {
                project(row, times.start, times.len(), n_inputs, n_rows * row_length);
            }
        } else {
            for time in times.clone() {
                project(0, time, n_rows, n_steps * n_inputs, row_length);
            }
        }
    }
}
