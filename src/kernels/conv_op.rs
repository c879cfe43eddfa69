//! Strided convolution over time as a differentiable operation.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::aligned::AlignedBuffer;
use super::dense::{Activation, PackedDense};
use super::isa::Isa;
use super::matmul::{OutputRows, Product, Start, multiply};
use super::outer::{ROWS_PER_BLOCK, Rows, add_outer_products};
use super::panels::{Panels, padded};
use super::simd::LANES;
use super::tensor::{check_f32, floats, stored_floats};

/// The window of a convolution over time, in feature frames, and what is done to its sums.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Feature frames under the window.
    pub kernel: usize,
    /// Feature frames from one window to the next.
    pub stride: usize,
    /// What is done to the sums.
    pub activation: Activation,
}

/// Convolves `x`, `(batch, time, n_mels)`, over time: window `i` is the `kernel` feature frames from `i * stride`, and
/// the result is `(batch, (time - kernel) / stride + 1, channels)`, bit for bit that of [`PackedDense::forward`] on
/// overlapping rows.
///
/// `weight` is `(channels, kernel * n_mels)`, windows flattened frame by frame; `bias` is `(channels)`. The result is
/// differentiable in `weight` and `bias`, and in `x` where `x` depends on a variable; features that are data cost nothing.
///
/// # Errors
/// When the shapes do not fit together, the window is longer than the sequence, or a tensor is not `f32` on the CPU.
pub fn unfold_conv(x: &Tensor, weight: &Tensor, bias: &Tensor, shape: ConvShape) -> Result<Tensor> {
    unfold_conv_with_isa(Isa::detect(), x, weight, bias, shape)
}

/// As [`unfold_conv`], for a given instruction set.
pub(super) fn unfold_conv_with_isa(
    isa: Isa,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    shape: ConvShape,
) -> Result<Tensor> {
    check_f32("unfold_conv", &[x, weight, bias])?;
    let (_, n_frames, n_mels) = x.dims3()?;
    let (n_channels, window_length) = weight.dims2()?;
    let ConvShape { kernel, stride, .. } = shape;
    if kernel == 0 || stride == 0 || n_mels == 0 || n_channels == 0 {
        bail!(
            "unfold_conv: kernel {kernel}, stride {stride}, {n_mels} features and {n_channels} channels must be at least 1"
        );
    }
    if window_length != kernel * n_mels || bias.dims() != [n_channels] {
        bail!(
            "unfold_conv: weight {:?} and bias {:?} do not fit {kernel} frames of {n_mels} features",
            weight.dims(),
            bias.dims()
        );
    }
    if n_frames < kernel {
        bail!("unfold_conv: a window of {kernel} frames does not fit in {n_frames}");
    }
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, UnfoldConv { isa, shape })
}

/// One call of [`unfold_conv`].
struct UnfoldConv {
    isa: Isa,
    shape: ConvShape,
}

impl UnfoldConv {
    fn n_windows(&self, n_frames: usize) -> usize {
        (n_frames - self.shape.kernel) / self.shape.stride + 1
    }
}

impl CustomOp3 for UnfoldConv {
    fn name(&self) -> &'static str {
        "unfold-conv"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n_rows, n_frames, n_mels) = x_layout.shape().dims3()?;
        let n_windows = self.n_windows(n_frames);
        let layer = PackedDense::with_isa(self.isa, floats(weight, weight_layout)?, floats(bias, bias_layout)?);
        let n_channels = layer.n_outputs();
        let mut output = vec![0.0; n_rows * n_windows * n_channels];
        for (clip, output) in
            floats(x, x_layout)?.chunks_exact(n_frames * n_mels).zip(output.chunks_exact_mut(n_windows * n_channels))
        {
            layer.forward(clip, self.shape.stride * n_mels, n_windows, self.shape.activation, output);
        }
        Ok((CpuStorage::F32(output), (n_rows, n_windows, n_channels).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let output_gradient = output_gradient.contiguous()?;
        let (x_storage, x_layout) = x.storage_and_layout();
        let (weight_storage, weight_layout) = weight.storage_and_layout();
        let (output_storage, output_layout) = output.storage_and_layout();
        let (gradient_storage, gradient_layout) = output_gradient.storage_and_layout();
        let (_, n_frames, n_mels) = x.dims3()?;
        let gradients = self.backward(
            (n_frames, n_mels, bias.dims1()?),
            stored_floats(&x_storage, x_layout)?,
            stored_floats(&weight_storage, weight_layout)?,
            stored_floats(&output_storage, output_layout)?,
            stored_floats(&gradient_storage, gradient_layout)?,
            x.track_op(),
        );
        let input_gradient = gradients.input.map(|numbers| Tensor::from_vec(numbers, x.shape(), x.device()));
        Ok((
            input_gradient.transpose()?,
            Some(Tensor::from_vec(gradients.weight, weight.shape(), x.device())?),
            Some(Tensor::from_vec(gradients.bias, bias.shape(), x.device())?),
        ))
    }
}

/// Gradients of a convolution, in the shapes of its inputs.
struct Gradients {
    input: Option<Vec<f32>>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl UnfoldConv {
    fn backward(
        &self,
        (n_frames, n_mels, n_channels): (usize, usize, usize),
        x: &[f32],
        weight: &[f32],
        output: &[f32],
        output_gradient: &[f32],
        with_input: bool,
    ) -> Gradients {
        let isa = self.isa.checked();
        let ConvShape { kernel, stride, activation } = self.shape;
        let (window_length, window_stride) = (kernel * n_mels, stride * n_mels);
        let (clip_length, n_windows) = (n_frames * n_mels, self.n_windows(n_frames));
        let (padded_channels, padded_window) = (padded(n_channels), padded(window_length));
        let to_window = with_input.then(|| {
            Panels::new((1, window_length, n_channels), |_, unit, channel| weight[channel * window_length + unit])
        });
        let no_bias = AlignedBuffer::zeros(padded_window);
        let mut sum_gradients = AlignedBuffer::zeros(ROWS_PER_BLOCK * padded_channels);
        let mut windows = AlignedBuffer::zeros(ROWS_PER_BLOCK * padded_window);
        let mut weight_gradient = AlignedBuffer::zeros(padded_channels * padded_window);
        let mut bias_gradient = vec![0.0; padded_channels];
        let mut input_gradient = with_input.then(|| vec![0.0; x.len()]);

        for (row, clip) in x.chunks_exact(clip_length).enumerate() {
            for first in (0..n_windows).step_by(ROWS_PER_BLOCK) {
                let n_block = ROWS_PER_BLOCK.min(n_windows - first);
                for (i, sums) in
                    sum_gradients.as_mut_slice().chunks_exact_mut(padded_channels).take(n_block).enumerate()
                {
                    let place = (row * n_windows + first + i) * n_channels;
                    let gradient = &output_gradient[place..][..n_channels];
                    match activation {
                        Activation::None => sums[..n_channels].copy_from_slice(gradient),
                        Activation::Relu => {
                            for ((sum, &d), &y) in sums.iter_mut().zip(gradient).zip(&output[place..]) {
                                // A NaN output hands its gradient on, so that nothing hides it.
                                *sum = if y <= 0.0 { 0.0 } else { d };
                            }
                        }
                    }
                    bias_gradient.iter_mut().zip(&*sums).for_each(|(total, d)| *total += d);
                }
                let clip_windows = &clip[first * window_stride..];
                let right = if window_length.is_multiple_of(LANES) {
                    Rows { numbers: clip_windows, stride: window_stride, width: window_length }
                } else {
                    for (i, window) in windows.as_mut_slice().chunks_exact_mut(padded_window).take(n_block).enumerate()
                    {
                        window[..window_length].copy_from_slice(&clip_windows[i * window_stride..][..window_length]);
                    }
                    Rows { numbers: windows.as_slice(), stride: padded_window, width: padded_window }
                };
                let left = Rows { numbers: sum_gradients.as_slice(), stride: padded_channels, width: padded_channels };
                add_outer_products(isa, n_block, left, right, weight_gradient.as_mut_slice());

                if let (Some(weights), Some(input_gradient)) = (&to_window, &mut input_gradient) {
                    multiply(
                        isa,
                        Product {
                            weights,
                            input: sum_gradients.as_slice(),
                            row_stride: padded_channels,
                            n_rows: n_block,
                            start: Start::Bias(no_bias.as_slice()),
                            relu: false,
                        },
                        OutputRows {
                            numbers: windows.as_mut_slice(),
                            row_stride: padded_window,
                            row_length: window_length,
                        },
                    );
                    for (i, window) in windows.as_slice().chunks_exact(padded_window).take(n_block).enumerate() {
                        let place = row * clip_length + (first + i) * window_stride;
                        let frames = &mut input_gradient[place..][..window_length];
                        frames.iter_mut().zip(window).for_each(|(total, d)| *total += d);
                    }
                }
            }
        }

        bias_gradient.truncate(n_channels);
        let rows = weight_gradient.as_slice().chunks_exact(padded_window).take(n_channels);
        let weight = rows.flat_map(|row| &row[..window_length]).copied().collect();
        Gradients { input: input_gradient, weight, bias: bias_gradient }
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
    fn values_and_gradients_agree_on_every_instruction_set() -> Result<()> {
        let (n_rows, n_frames, n_mels, n_channels) = (3, 60, 9, 37);
        let shape = ConvShape { kernel: 4, stride: 2, activation: Activation::Relu };
        let variables = [
            variable(1, &[n_rows, n_frames, n_mels])?,
            variable(2, &[n_channels, shape.kernel * n_mels])?,
            variable(3, &[n_channels])?,
        ];
        let run = |isa: Isa| -> Result<Vec<f32>> {
            let [x, weight, bias] = &variables;
            let output = unfold_conv_with_isa(isa, x, weight, bias, shape)?;
            let gradients = output.sum_all()?.backward()?;
            let each = variables.iter().map(|variable| numbers(gradients.get(variable).expect("a gradient")));
            Ok([each.collect::<Result<Vec<_>>>()?.concat(), numbers(&output)?].concat())
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
