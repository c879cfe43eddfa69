//! A dense layer, and with overlapping rows a strided convolution over time.

use super::aligned::AlignedBuffer;
use super::isa::{Isa, SupportedIsa};
use super::matmul::{OutputRows, Product, Start, multiply};
use super::panels::Panels;

/// What is done to the sums of a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Negative numbers become zero; NaN stays NaN.
    Relu,
}

/// A dense layer with its weights packed for the kernels.
#[derive(Debug, Clone)]
pub struct PackedDense {
    isa: SupportedIsa,
    weights: Panels,
    /// One number for each place of a padded output row.
    bias: AlignedBuffer,
    n_outputs: usize,
}

impl PackedDense {
    /// Packs `weight`, `(outputs, inputs)` row-major, and `bias`, `(outputs)`.
    ///
    /// # Panics
    /// When `bias` is empty, or `weight` is empty or not a multiple of it.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        Self::with_isa(Isa::detect(), weight, bias)
    }

    /// As [`new`](Self::new), for a given instruction set.
    ///
    /// # Panics
    /// As [`new`](Self::new), and when the processor does not support `isa`.
    pub fn with_isa(isa: Isa, weight: &[f32], bias: &[f32]) -> Self {
        let n_outputs = bias.len();
        assert!(n_outputs > 0 && !weight.is_empty(), "a dense layer has at least one input and one output");
        assert_eq!(weight.len() % n_outputs, 0, "a weight of {} numbers has no {n_outputs} rows", weight.len());
        let n_inputs = weight.len() / n_outputs;
        let weights = Panels::new((1, n_outputs, n_inputs), |_, unit, input| weight[unit * n_inputs + input]);
        let mut padded_bias = AlignedBuffer::zeros(weights.row_length());
        padded_bias.as_mut_slice()[..n_outputs].copy_from_slice(bias);
        Self { isa: isa.checked(), weights, bias: padded_bias, n_outputs }
    }

    /// Numbers in an input row.
    pub fn n_inputs(&self) -> usize {
        self.weights.n_inputs
    }

    /// Numbers in an output row.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Applies the layer to `n_rows` rows of `input`, of which row `i` starts at `i * row_stride`, into `output`,
    /// `(n_rows, outputs)`.
    ///
    /// Rows may overlap. Over time-major features `(time, n_mels)`, a convolution of `k` feature frames every `s` is a
    /// layer of `k * n_mels` inputs with a row stride of `s * n_mels`, and nothing is copied. Does not allocate.
    ///
    /// # Panics
    /// When `input` ends before the last row does, or `output` is not `n_rows * outputs` long.
    pub fn forward(&self, input: &[f32], row_stride: usize, n_rows: usize, activation: Activation, output: &mut [f32]) {
        assert_eq!(output.len(), n_rows * self.n_outputs, "the output has {n_rows} rows of {}", self.n_outputs);
        multiply(
            self.isa,
            Product {
                weights: &self.weights,
                input,
                row_stride,
                n_rows,
                start: Start::Bias(self.bias.as_slice()),
                relu: activation == Activation::Relu,
            },
            OutputRows { numbers: output, row_stride: self.n_outputs, row_length: self.n_outputs },
        );
    }
}
