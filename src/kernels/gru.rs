//! A gated recurrent layer over a sequence, state carried from call to call.

use std::ops::Range;

use super::aligned::AlignedBuffer;
use super::gru_step::{SAVED_PER_UNIT, StepInput, StepOutput, step};
use super::isa::{Isa, SupportedIsa};
use super::matmul::{OutputRows, Product, Start, multiply};
use super::panels::{Panels, padded};
use super::simd::LANES;

/// Projected inputs are made for so many numbers at a time, to stay in the second-level cache until they are read.
const PROJECTED_NUMBERS: usize = 64 * 1024;

/// The least time steps that are projected together: whole register tiles.
const PROJECTED_STEPS_MIN: usize = 8;

/// A gated recurrent layer with its weights packed for the kernels.
///
/// The form is PyTorch's: `r, z = sigmoid(W x + W h + b)`, `n = tanh(W_in x + b_in + r * (W_hn h + b_hn))`,
/// `h' = n + z * (h - n)`, with the gates in the order r, z, n.
#[derive(Debug, Clone)]
pub struct PackedGru {
    isa: SupportedIsa,
    input_weights: Panels,
    hidden_weights: Panels,
    /// b_r, b_z and b_in as a padded row `[panel][gate][lane]`.
    input_bias: AlignedBuffer,
    /// b_hn, padded.
    bias_hn: AlignedBuffer,
    n_hidden: usize,
}

/// Working memory of [`PackedGru`], grown on first use and then kept.
#[derive(Debug, Clone, Default)]
pub struct GruScratch {
    projected: AlignedBuffer,
    hidden: [AlignedBuffer; 2],
}

impl PackedGru {
    /// Packs `w_ih`, `(3 hidden, inputs)`, and `w_hh`, `(3 hidden, hidden)`, both row-major with the gates in the order
    /// r, z, n, and `bias`, `(4 hidden)` = b_r, b_z, b_in, b_hn.
    ///
    /// # Panics
    /// When the lengths do not fit together, or the layer has no inputs or no hidden units.
    pub fn new(w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> Self {
        Self::with_isa(Isa::detect(), w_ih, w_hh, bias)
    }

    /// As [`new`](Self::new), for a given instruction set.
    ///
    /// # Panics
    /// As [`new`](Self::new), and when the processor does not support `isa`.
    pub fn with_isa(isa: Isa, w_ih: &[f32], w_hh: &[f32], bias: &[f32]) -> Self {
        let n_hidden = bias.len() / 4;
        assert!(n_hidden > 0 && !w_ih.is_empty(), "a recurrent layer has at least one input and one hidden unit");
        assert_eq!(bias.len(), 4 * n_hidden, "the bias has four parts of equal length");
        assert_eq!(w_hh.len(), 3 * n_hidden * n_hidden, "the recurrent weight is (3 * {n_hidden}, {n_hidden})");
        assert_eq!(w_ih.len() % (3 * n_hidden), 0, "the input weight is (3 * {n_hidden}, inputs)");
        let n_inputs = w_ih.len() / (3 * n_hidden);
        let pack = |weight: &[f32], n_inputs: usize| {
            Panels::new((3, n_hidden, n_inputs), |gate, unit, input| {
                weight[(gate * n_hidden + unit) * n_inputs + input]
            })
        };
        let mut input_bias = AlignedBuffer::zeros(3 * padded(n_hidden));
        let mut bias_hn = AlignedBuffer::zeros(padded(n_hidden));
        for unit in 0..n_hidden {
            for gate in 0..3 {
                let place = (unit / LANES * 3 + gate) * LANES + unit % LANES;
                input_bias.as_mut_slice()[place] = bias[gate * n_hidden + unit];
            }
            bias_hn.as_mut_slice()[unit] = bias[3 * n_hidden + unit];
        }
        Self {
            isa: isa.checked(),
            input_weights: pack(w_ih, n_inputs),
            hidden_weights: pack(w_hh, n_hidden),
            input_bias,
            bias_hn,
            n_hidden,
        }
    }

    /// Numbers in an input row.
    pub fn n_inputs(&self) -> usize {
        self.input_weights.n_inputs
    }

    /// Numbers in the hidden state.
    pub fn n_hidden(&self) -> usize {
        self.n_hidden
    }

    /// Runs `n_steps` time steps of `input`, `(time, inputs)`, from the state in `hidden`, `(hidden)`, and leaves the new
    /// state there; `output`, `(time, hidden)`, takes the state after each step.
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
        hidden: &mut [f32],
        scratch: &mut GruScratch,
        output: &mut [f32],
    ) {
        self.sequence_batch(input, 1, n_steps, hidden, scratch, output);
    }

    /// As [`sequence`](Self::sequence) for `n_rows` independent rows at once: `input` is `(batch, time, inputs)`,
    /// `hidden` `(batch, hidden)`, `output` `(batch, time, hidden)`. The bits are those of a call for each row.
    ///
    /// # Panics
    /// When a slice does not have the length its shape asks for.
    pub fn sequence_batch(
        &self,
        input: &[f32],
        n_rows: usize,
        n_steps: usize,
        hidden: &mut [f32],
        scratch: &mut GruScratch,
        output: &mut [f32],
    ) {
        self.run(input, (n_rows, n_steps), hidden, scratch, output, None);
    }

    /// The sequence, with the gates saved for the backward pass as `(time, batch, saved)` when asked for.
    pub(super) fn run(
        &self,
        input: &[f32],
        (n_rows, n_steps): (usize, usize),
        hidden: &mut [f32],
        scratch: &mut GruScratch,
        output: &mut [f32],
        mut saved: Option<&mut [f32]>,
    ) {
        let (n_inputs, n_hidden) = (self.n_inputs(), self.n_hidden);
        assert_eq!(input.len(), n_rows * n_steps * n_inputs, "the input is ({n_rows}, {n_steps}, {n_inputs})");
        assert_eq!(output.len(), n_rows * n_steps * n_hidden, "the output is ({n_rows}, {n_steps}, {n_hidden})");
        assert_eq!(hidden.len(), n_rows * n_hidden, "the hidden state is ({n_rows}, {n_hidden})");
        if n_rows == 0 {
            return;
        }
        let n_padded = padded(n_hidden);
        let row_length = self.hidden_weights.row_length();
        let steps_per_block = (PROJECTED_NUMBERS / (n_rows * row_length)).max(PROJECTED_STEPS_MIN).min(n_steps);
        scratch.projected.grow(steps_per_block * n_rows * row_length);
        let [mut now, mut next] = scratch.hidden.each_mut();
        for (buffer, hidden) in [(&mut *now, Some(&*hidden)), (&mut *next, None)] {
            buffer.grow(n_rows * n_padded);
            for (padded_row, row) in
                buffer.as_mut_slice().chunks_exact_mut(n_padded).zip(hidden.unwrap_or_default().chunks_exact(n_hidden))
            {
                padded_row[..n_hidden].copy_from_slice(row);
                padded_row[n_hidden..].fill(0.0);
            }
        }

        let mut first_step = 0;
        while first_step < n_steps {
            let n_block = steps_per_block.min(n_steps - first_step);
            self.project(input, (n_rows, n_steps), first_step..first_step + n_block, scratch.projected.as_mut_slice());
            for block_step in 0..n_block {
                let time = first_step + block_step;
                step(
                    self.isa,
                    StepInput {
                        n_rows,
                        n_hidden,
                        weights: &self.hidden_weights,
                        bias_hn: self.bias_hn.as_slice(),
                        projected: &scratch.projected.as_slice()[block_step * n_rows * row_length..],
                        hidden: now.as_slice(),
                    },
                    StepOutput {
                        hidden: next.as_mut_slice(),
                        output: &mut output[time * n_hidden..],
                        row_stride: n_steps * n_hidden,
                        saved: saved.as_deref_mut().map(|saved| {
                            let row_saved = SAVED_PER_UNIT * n_padded;
                            &mut saved[time * n_rows * row_saved..(time + 1) * n_rows * row_saved]
                        }),
                    },
                );
                std::mem::swap(&mut now, &mut next);
            }
            first_step += n_block;
        }
        for (row, padded_row) in hidden.chunks_exact_mut(n_hidden).zip(now.as_slice().chunks_exact(n_padded)) {
            row.copy_from_slice(&padded_row[..n_hidden]);
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
