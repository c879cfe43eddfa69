//! The recurrent layer as a differentiable operation.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::aligned::AlignedBuffer;
use super::gru::{GruScratch, PackedGru};
use super::gru_backward::{Forward, backward};
use super::gru_step::SAVED_PER_UNIT;
use super::isa::Isa;
use super::panels::padded;
use super::tensor::{check_f32, floats, stored_floats};

/// Runs a gated recurrent layer over a batch of sequences: `x` is `(batch, time, inputs)`, the result
/// `(batch, time, hidden)`, bit for bit that of [`PackedGru::sequence`] on each row.
///
/// The parameters are those of [`PackedGru::new`]: `w_ih` `(3 hidden, inputs)`, `w_hh` `(3 hidden, hidden)`, gates r, z,
/// n, and `bias` `(4 hidden)` = b_r, b_z, b_in, b_hn. The result is differentiable in `x` and the three parameters, once
/// for each call. The state before the first step, `initial_state` `(batch, hidden)`, is a constant; none means zeros.
///
/// # Errors
/// When the shapes do not fit together, or a tensor is not `f32` on the CPU.
pub fn gru_sequence(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: &Tensor,
    initial_state: Option<&Tensor>,
) -> Result<Tensor> {
    gru_sequence_with_isa(Isa::detect(), x, w_ih, w_hh, bias, initial_state)
}

/// As [`gru_sequence`], for a given instruction set.
pub(super) fn gru_sequence_with_isa(
    isa: Isa,
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: &Tensor,
    initial_state: Option<&Tensor>,
) -> Result<Tensor> {
    check_f32("gru_sequence", &[x, w_ih, w_hh, bias])?;
    let (n_rows, _, n_inputs) = x.dims3()?;
    let n_hidden = bias.dims1()? / 4;
    if n_hidden == 0
        || n_inputs == 0
        || bias.dims1()? != 4 * n_hidden
        || w_ih.dims2()? != (3 * n_hidden, n_inputs)
        || w_hh.dims2()? != (3 * n_hidden, n_hidden)
    {
        bail!(
            "gru_sequence: parameters of shapes {:?}, {:?} and {:?} are no layer for inputs {:?}; expected (3 hidden, {n_inputs}), \
             (3 hidden, hidden) and (4 hidden)",
            w_ih.dims(),
            w_hh.dims(),
            bias.dims(),
            x.dims()
        );
    }
    let initial_state = match initial_state {
        None => None,
        Some(state) if state.dims() == [n_rows, n_hidden] => Some(state.flatten_all()?.to_vec1()?),
        Some(state) => bail!("gru_sequence: the initial state is {:?}, expected ({n_rows}, {n_hidden})", state.dims()),
    };
    // One input for all parameters, because operations have three inputs at most; they are small beside the sequences.
    let parameters = Tensor::cat(&[&w_ih.flatten_all()?, &w_hh.flatten_all()?, bias], 0)?;
    let x = x.contiguous()?;
    let is_tracked = x.track_op() || parameters.track_op();
    let op = GruSequence { isa, n_hidden, initial_state, saved: is_tracked.then(|| Mutex::new(None)) };
    if is_tracked { x.apply_op2(&parameters, op) } else { x.apply_op2_no_bwd(&parameters, &op) }
}

/// One call of [`gru_sequence`], its inputs `x` and the parameters one after the other.
struct GruSequence {
    isa: Isa,
    n_hidden: usize,
    initial_state: Option<Vec<f32>>,
    /// The gates of the forward pass, where a backward pass may follow.
    saved: Option<Mutex<Option<AlignedBuffer>>>,
}

/// The parameters that lie one after the other.
fn split(parameters: &[f32], n_inputs: usize, n_hidden: usize) -> (&[f32], &[f32], &[f32]) {
    let (w_ih, rest) = parameters.split_at(3 * n_hidden * n_inputs);
    let (w_hh, bias) = rest.split_at(3 * n_hidden * n_hidden);
    (w_ih, w_hh, bias)
}

impl CustomOp2 for GruSequence {
    fn name(&self) -> &'static str {
        "gru-sequence"
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
        let (w_ih, w_hh, bias) = split(floats(parameters, parameters_layout)?, n_inputs, n_hidden);
        let layer = PackedGru::with_isa(self.isa, w_ih, w_hh, bias);
        let mut hidden = self.initial_state.clone().unwrap_or_else(|| vec![0.0; n_rows * n_hidden]);
        let mut output = vec![0.0; n_rows * n_steps * n_hidden];
        let mut saved =
            self.saved.as_ref().map(|_| AlignedBuffer::zeros(n_steps * n_rows * SAVED_PER_UNIT * padded(n_hidden)));
        layer.run(
            floats(x, x_layout)?,
            (n_rows, n_steps),
            &mut hidden,
            &mut GruScratch::default(),
            &mut output,
            saved.as_mut().map(AlignedBuffer::as_mut_slice),
        );
        if let Some(cell) = &self.saved {
            *cell.lock().expect("no holder of this lock panics") = saved;
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
        let saved = self.saved.as_ref().and_then(|cell| cell.lock().expect("no holder of this lock panics").take());
        let Some(saved) = saved else {
            bail!("gru_sequence: the gradient was already taken once for this forward pass")
        };
        let (n_rows, n_steps, n_inputs) = x.dims3()?;
        let n_hidden = self.n_hidden;
        let output_gradient = output_gradient.contiguous()?;
        let (x_storage, x_layout) = x.storage_and_layout();
        let (parameter_storage, parameter_layout) = parameters.storage_and_layout();
        let (output_storage, output_layout) = output.storage_and_layout();
        let (gradient_storage, gradient_layout) = output_gradient.storage_and_layout();
        let (w_ih, w_hh, _) = split(stored_floats(&parameter_storage, parameter_layout)?, n_inputs, n_hidden);
        let gradients = backward(
            &Forward {
                isa: self.isa,
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
        let variables = [
            variable(1, &[n_rows, n_steps, n_inputs])?,
            variable(2, &[3 * n_hidden, n_inputs])?,
            variable(3, &[3 * n_hidden, n_hidden])?,
            variable(4, &[4 * n_hidden])?,
        ];
        let run = |isa: Isa| -> Result<Vec<f32>> {
            let [x, w_ih, w_hh, bias] = &variables;
            let gradients = gru_sequence_with_isa(isa, x, w_ih, w_hh, bias, None)?.sqr()?.sum_all()?.backward()?;
            let each = variables.iter().map(|variable| numbers(gradients.get(variable).expect("a gradient")));
            Ok(each.collect::<Result<Vec<_>>>()?.concat())
        };
        let expected = run(Isa::Portable)?;
        let scale = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
            // The portable path rounds products where the target has no fused multiply-add.
            for (actual, expected) in run(isa)?.iter().zip(&expected) {
                assert!((actual - expected).abs() < 1e-5 * scale, "{isa:?}: {actual} against {expected} of {scale}");
            }
        }
        if Isa::Avx512.is_supported() && Isa::Avx2.is_supported() {
            assert_eq!(run(Isa::Avx512)?, run(Isa::Avx2)?);
        }
        Ok(())
    }
}
