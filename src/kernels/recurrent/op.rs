//! The recurrent layer as a differentiable operation.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

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
/// and `bias` `(bias parts · hidden)`. The sequence is differentiable in `x` and the three parameters, once for each call. The
/// states before the first step and after the last, rows of [`RecurrentCell::state_size`] numbers, are constants; no
/// `initial_state` means zeros.
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
    let (n_rows, _, n_inputs) = x.dims3()?;
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
        None => None,
        Some(state) if state.dims() == [n_rows, state_size] => Some(state.flatten_all()?.to_vec1()?),
        Some(state) => {
            bail!("recurrent_sequence: the initial state is {:?}, expected ({n_rows}, {state_size})", state.dims())
        }
    };
    // One input for all parameters, because operations have three inputs at most; they are small beside the sequences.
    let parameters = Tensor::cat(&[&w_ih.flatten_all()?, &w_hh.flatten_all()?, bias], 0)?;
    let x = x.contiguous()?;
    let is_tracked = x.track_op() || parameters.track_op();
    let final_state = Arc::new(Mutex::new(Vec::new()));
    let op = RecurrentSequence {
        isa,
        cell,
        n_hidden,
        initial_state,
        final_state: Arc::clone(&final_state),
        saved: is_tracked.then(|| Mutex::new(None)),
    };
    let output = if is_tracked { x.apply_op2(&parameters, op) } else { x.apply_op2_no_bwd(&parameters, &op) }?;
    let final_state = std::mem::take(&mut *final_state.lock().expect(LOCK));
    Ok((output, Tensor::from_vec(final_state, (n_rows, state_size), x.device())?))
}

/// Why a lock is never poisoned.
const LOCK: &str = "no holder of this lock panics";

/// One call of [`recurrent_sequence`], its inputs `x` and the parameters one after the other.
struct RecurrentSequence {
    isa: Isa,
    cell: RecurrentCell,
    n_hidden: usize,
    initial_state: Option<Vec<f32>>,
    /// Left here by the forward pass, since an operation has one output.
    final_state: Arc<Mutex<Vec<f32>>>,
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

impl CustomOp2 for RecurrentSequence {
    fn name(&self) -> &'static str {
        "recurrent-sequence"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n_rows, n_steps, n_inputs) = x_layout.shape().dims3()?;
        let n_hidden = self.n_hidden;
        let (w_ih, w_hh, bias) = self.split(floats(parameters, parameters_layout)?, n_inputs);
        let layer = PackedRecurrent::with_isa(self.isa, self.cell, w_ih, w_hh, bias);
        let mut state = self.initial_state.clone().unwrap_or_else(|| vec![0.0; n_rows * layer.state_size()]);
        let mut output = vec![0.0; n_rows * n_steps * n_hidden];
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
        *self.final_state.lock().expect(LOCK) = state;
        if let Some(place) = &self.saved {
            *place.lock().expect(LOCK) = saved;
        }
        Ok((CpuStorage::F32(output), (n_rows, n_steps, n_hidden).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let saved = self.saved.as_ref().and_then(|place| place.lock().expect(LOCK).take());
        let Some(saved) = saved else {
            bail!("recurrent_sequence: the gradient was already taken once for this forward pass")
        };
        let (n_rows, n_steps, n_inputs) = x.dims3()?;
        let n_hidden = self.n_hidden;
        let output_gradient = output_gradient.contiguous()?;
        let (x_storage, x_layout) = x.storage_and_layout();
        let (parameter_storage, parameter_layout) = parameters.storage_and_layout();
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
                initial: self.initial_state.as_deref(),
                output: stored_floats(&output_storage, output_layout)?,
                saved: saved.as_slice(),
            },
            stored_floats(&gradient_storage, gradient_layout)?,
            x.track_op(),
        );
        let input_gradient = gradients.input.map(|numbers| Tensor::from_vec(numbers, x.shape(), x.device()));
        let n_parameters = gradients.parameters.len();
        let parameter_gradient = Tensor::from_vec(gradients.parameters, n_parameters, x.device())?;
        Ok((input_gradient.transpose()?, Some(parameter_gradient)))
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
            ];
            let run = |isa: Isa| -> Result<Vec<f32>> {
                let [x, w_ih, w_hh, bias] = &variables;
                let (output, _) = recurrent_sequence_with_isa((isa, cell), x, w_ih, w_hh, bias, None)?;
                let gradients = output.sqr()?.sum_all()?.backward()?;
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
