//! The recurrent layer as a differentiable operation.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::backward::{Forward, backward};
use super::cell::RecurrentCell;
use super::packed::{PackedRecurrent, RecurrentScratch};
use crate::kernels::aligned::AlignedBuffer;
use crate::kernels::isa::Isa;
use crate::kernels::panels::padded;
use crate::kernels::tensor::{check_f32, floats, stored_floats};

/// Runs a recurrent layer over a batch of sequences: `x` is `(batch, time, inputs)`; gives `(batch, time, hidden)`, bit for
/// bit that of [`PackedRecurrent::sequence`] on each row, and the state after the last step, `(batch, state)`.
///
/// The parameters are those of [`PackedRecurrent::new`]: `w_ih` `(gates · hidden, inputs)`, `w_hh` `(gates · hidden, hidden)`
/// and `bias` `(bias parts · hidden)`. States are rows of [`RecurrentCell::state_size`] numbers; no `initial_state` means zeros.
/// Both results are differentiable in `x`, the three parameters and the initial state, once for each call.
///
/// # Errors
/// When the shapes do not fit together, or a tensor is not `f32` on the CPU.
pub fn recurrent_sequence(
    cell: RecurrentCell,
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: &Tensor,
    initial_state: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    recurrent_sequence_with_isa((Isa::detect(), cell), x, w_ih, w_hh, bias, initial_state)
}

/// As [`recurrent_sequence`], for a given instruction set.
fn recurrent_sequence_with_isa(
    (isa, cell): (Isa, RecurrentCell),
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: &Tensor,
    initial_state: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    check_f32("recurrent_sequence", &[x, w_ih, w_hh, bias])?;
    let (n_rows, n_steps, n_inputs) = x.dims3()?;
    let (n_gates, n_bias_parts) = (cell.n_gates(), cell.n_bias_parts());
    let n_hidden = bias.dims1()? / n_bias_parts;
    if n_hidden == 0
        || n_inputs == 0
        || bias.dims1()? != n_bias_parts * n_hidden
        || w_ih.dims2()? != (n_gates * n_hidden, n_inputs)
        || w_hh.dims2()? != (n_gates * n_hidden, n_hidden)
    {
        bail!(
            "recurrent_sequence: parameters of shapes {:?}, {:?} and {:?} are no {} layer for inputs {:?}; expected \
             ({n_gates} hidden, {n_inputs}), ({n_gates} hidden, hidden) and ({n_bias_parts} hidden)",
            w_ih.dims(),
            w_hh.dims(),
            bias.dims(),
            cell.name(),
            x.dims()
        );
    }
    let state_size = cell.state_size(n_hidden);
    let initial_state = match initial_state {
        None => Tensor::zeros((n_rows, state_size), x.dtype(), x.device())?,
        Some(state) if state.dims() == [n_rows, state_size] => state.contiguous()?,
        Some(state) => {
            bail!("recurrent_sequence: the initial state is {:?}, expected ({n_rows}, {state_size})", state.dims())
        }
    };
    check_f32("recurrent_sequence", &[&initial_state])?;
    if n_steps == 0 {
        return Ok((Tensor::zeros((n_rows, 0, n_hidden), x.dtype(), x.device())?, initial_state));
    }
    // One input for all parameters, because operations have three inputs at most; they are small beside the sequences.
    let parameters = Tensor::cat(&[&w_ih.flatten_all()?, &w_hh.flatten_all()?, bias], 0)?;
    let x = x.contiguous()?;
    let is_tracked = x.track_op() || parameters.track_op() || initial_state.track_op();
    let op = RecurrentSequence { isa, cell, n_hidden, saved: is_tracked.then(|| Mutex::new(None)) };
    let rows = if is_tracked {
        x.apply_op3(&parameters, &initial_state, op)
    } else {
        x.apply_op3_no_bwd(&parameters, &initial_state, &op)
    }?;
    let n_outputs = n_steps * n_hidden;
    let output = if cell.has_memory() { rows.narrow(1, 0, n_outputs)? } else { rows.clone() };
    let output = output.reshape((n_rows, n_steps, n_hidden))?;
    // The last h, and behind it in each row the last c.
    Ok((output, rows.narrow(1, n_outputs - n_hidden, state_size)?))
}

/// Why a lock is never poisoned.
const LOCK: &str = "no holder of this lock panics";

/// One call of [`recurrent_sequence`]: its inputs are `x`, the parameters one after the other and the initial state, its output
/// `(batch, time · hidden)`, h after each step and behind it the LSTM's c after the last.
struct RecurrentSequence {
    isa: Isa,
    cell: RecurrentCell,
    n_hidden: usize,
    /// What the cell saves in the forward pass, where a backward pass may follow.
    saved: Option<Mutex<Option<AlignedBuffer>>>,
}

impl RecurrentSequence {
    /// w_ih, w_hh and bias, which lie one after the other.
    fn split<'a>(&self, parameters: &'a [f32], n_inputs: usize) -> (&'a [f32], &'a [f32], &'a [f32]) {
        let n_lines = self.cell.n_gates() * self.n_hidden;
        let (w_ih, rest) = parameters.split_at(n_lines * n_inputs);
        let (w_hh, bias) = rest.split_at(n_lines * self.n_hidden);
        (w_ih, w_hh, bias)
    }
}

impl CustomOp3 for RecurrentSequence {
    fn name(&self) -> &'static str {
        "recurrent-sequence"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
        initial: &CpuStorage,
        initial_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n_rows, n_steps, n_inputs) = x_layout.shape().dims3()?;
        let n_hidden = self.n_hidden;
        let (w_ih, w_hh, bias) = self.split(floats(parameters, parameters_layout)?, n_inputs);
        let layer = PackedRecurrent::with_isa(self.isa, self.cell, w_ih, w_hh, bias);
        let mut state = floats(initial, initial_layout)?.to_vec();
        let n_outputs = n_steps * n_hidden;
        let mut output = vec![0.0; n_rows * n_outputs];
        let n_saved = n_steps * n_rows * self.cell.saved_per_unit() * padded(n_hidden);
        let mut saved = self.saved.as_ref().map(|_| AlignedBuffer::zeros(n_saved));
        layer.run(
            floats(x, x_layout)?,
            (n_rows, n_steps),
            &mut state,
            &mut RecurrentScratch::default(),
            &mut output,
            saved.as_mut().map(AlignedBuffer::as_mut_slice),
        );
        if let Some(place) = &self.saved {
            *place.lock().expect(LOCK) = saved;
        }
        if self.cell.has_memory() {
            let rows = output.chunks_exact(n_outputs).zip(state.chunks_exact(2 * n_hidden));
            output = rows.flat_map(|(row, state)| row.iter().chain(&state[n_hidden..]).copied()).collect();
        }
        let shape = (n_rows, output.len() / n_rows.max(1));
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        initial: &Tensor,
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let saved = self.saved.as_ref().and_then(|place| place.lock().expect(LOCK).take());
        let Some(saved) = saved else {
            bail!("recurrent_sequence: the gradient was already taken once for this forward pass")
        };
        let (n_rows, n_steps, n_inputs) = x.dims3()?;
        let n_hidden = self.n_hidden;
        let output_gradient = output_gradient.contiguous()?;
        let (x_storage, x_layout) = x.storage_and_layout();
        let (parameter_storage, parameter_layout) = parameters.storage_and_layout();
        let (initial_storage, initial_layout) = initial.storage_and_layout();
        let (output_storage, output_layout) = output.storage_and_layout();
        let (gradient_storage, gradient_layout) = output_gradient.storage_and_layout();
        let (w_ih, w_hh, _) = self.split(stored_floats(&parameter_storage, parameter_layout)?, n_inputs);
        let gradients = backward(
            &Forward {
                isa: self.isa,
                cell: self.cell,
                n_rows,
                n_steps,
                n_inputs,
                n_hidden,
                w_ih,
                w_hh,
                input: stored_floats(&x_storage, x_layout)?,
                initial: stored_floats(&initial_storage, initial_layout)?,
                output: stored_floats(&output_storage, output_layout)?,
                saved: saved.as_slice(),
            },
            stored_floats(&gradient_storage, gradient_layout)?,
            x.track_op(),
            initial.track_op(),
        );
        let n_parameters = gradients.parameters.len();
        let of = |numbers: Option<Vec<f32>>, like: &Tensor| {
            numbers.map(|numbers| Tensor::from_vec(numbers, like.shape(), like.device())).transpose()
        };
        let parameter_gradient = Tensor::from_vec(gradients.parameters, n_parameters, x.device())?;
        Ok((of(gradients.input, x)?, Some(parameter_gradient), of(gradients.initial, initial)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Numbers in -0.5..0.5 without any pattern that matters.
    fn variable(seed: usize, shape: &[usize]) -> Result<Var> {
        let number = |i: usize| ((i + seed) * 7919 % 1009) as f32 / 1009.0 - 0.5;
        Var::from_vec((0..shape.iter().product()).map(number).collect(), shape, &Device::Cpu)
    }

    fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
        tensor.flatten_all()?.to_vec1()
    }

    #[test]
    fn gradients_agree_on_every_instruction_set() -> Result<()> {
        let (n_rows, n_steps, n_inputs, n_hidden) = (11, 19, 21, 37);
        for cell in RecurrentCell::ALL {
            let variables = [
                variable(1, &[n_rows, n_steps, n_inputs])?,
                variable(2, &[cell.n_gates() * n_hidden, n_inputs])?,
                variable(3, &[cell.n_gates() * n_hidden, n_hidden])?,
                variable(4, &[cell.n_bias_parts() * n_hidden])?,
                variable(5, &[n_rows, cell.state_size(n_hidden)])?,
            ];
            let run = |isa: Isa| -> Result<Vec<f32>> {
                let [x, w_ih, w_hh, bias, initial] = &variables;
                let (output, last) = recurrent_sequence_with_isa((isa, cell), x, w_ih, w_hh, bias, Some(initial))?;
                let gradients = (output.sqr()?.sum_all()? + last.powf(3.0)?.sum_all()?)?.backward()?;
                let each = variables.iter().map(|variable| numbers(gradients.get(variable).expect("a gradient")));
                Ok(each.collect::<Result<Vec<_>>>()?.concat())
            };
            let expected = run(Isa::Portable)?;
            let scale = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
                // The portable path rounds products where the target has no fused multiply-add.
                for (actual, expected) in run(isa)?.iter().zip(&expected) {
                    let distance = (actual - expected).abs();
                    assert!(distance < 1e-5 * scale, "{cell:?}, {isa:?}: {actual} against {expected} of {scale}");
                }
            }
            if Isa::Avx512.is_supported() && Isa::Avx2.is_supported() {
                assert_eq!(run(Isa::Avx512)?, run(Isa::Avx2)?, "{cell:?}");
            }
        }
        Ok(())
    }
}
