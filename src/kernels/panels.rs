//! Weights laid out in the order in which the kernels read them.

use super::aligned::AlignedBuffer;
use super::simd::LANES;

/// `n` rounded up to whole vectors.
pub(super) fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// A weight matrix in panels, laid out as `[panel][input][gate][lane]`: panel `p` serves the [`LANES`] output units from
/// `p * LANES`, for each of the gates, and its numbers are read once from front to back. A plain matrix has one gate.
/// Units past the last are zeros.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    numbers: AlignedBuffer,
    pub(super) n_inputs: usize,
    pub(super) n_panels: usize,
    pub(super) n_gates: usize,
}

impl Panels {
    /// Packs the weights that `weight(gate, unit, input)` gives.
    pub(super) fn new(
        (n_gates, n_units, n_inputs): (usize, usize, usize),
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let n_panels = n_units.div_ceil(LANES);
        let mut numbers = AlignedBuffer::zeros(n_panels * n_inputs * n_gates * LANES);
        let mut lanes = numbers.as_mut_slice().chunks_exact_mut(LANES);
        for panel in 0..n_panels {
            let first_unit = panel * LANES;
            for input in 0..n_inputs {
                for gate in 0..n_gates {
                    let lanes = lanes.next().expect("the buffer holds a vector for each panel, input and gate");
                    for (lane, unit) in lanes.iter_mut().zip(first_unit..n_units) {
                        *lane = weight(gate, unit, input);
                    }
                }
            }
        }
        Self { numbers, n_inputs, n_panels, n_gates }
    }

    /// The packed numbers.
    pub(super) fn as_slice(&self) -> &[f32] {
        self.numbers.as_slice()
    }

    /// Numbers from one panel to the next.
    pub(super) fn stride(&self) -> usize {
        self.n_inputs * self.n_gates * LANES
    }

    /// Numbers in one padded output row `[panel][gate][lane]`.
    pub(super) fn row_length(&self) -> usize {
        self.n_panels * self.n_gates * LANES
    }
}
