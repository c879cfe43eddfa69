//! The equations of the gated recurrent unit.
#![allow(unsafe_code)] // Built from the operations of `Simd`.

use super::cell::RecurrentCell;
use super::equations::{StepDerivative, StepEquations, StepGradients, Stepped, sigmoid_slope, tanh_slope};
use crate::kernels::activation::{sigmoid, tanh};
use crate::kernels::simd::Simd;

/// Saves r, z, n and the recurrent part of n.
pub(super) struct Gru;

impl StepEquations<3, 4> for Gru {
    const CELL: RecurrentCell = RecurrentCell::Gru;

    /// The gate r scales the recurrent part of n, which is therefore summed apart from the inputs.
    #[inline(always)]
    fn start<V: Copy>(projected: impl Fn(usize) -> V, recurrent_bias: impl Fn() -> V) -> [V; 3] {
        [projected(0), projected(1), recurrent_bias()]
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(
        [sum_r, sum_z, recurrent_n]: [S::V; 3],
        projected: impl Fn(usize) -> S::V,
        hidden: S::V,
        memory: S::V,
    ) -> Stepped<S::V, 4> {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let gate_r = sigmoid::<S>(sum_r);
            let gate_z = sigmoid::<S>(sum_z);
            let n = tanh::<S>(S::fma(gate_r, recurrent_n, projected(2)));
            let new_hidden = S::fma(gate_z, S::sub(hidden, n), n);
            Stepped { hidden: new_hidden, memory, saved: [gate_r, gate_z, n, recurrent_n] }
        }
    }
}

/// Sums in the order n, r, z, recurrent part of n: the first three meet the inputs, the last three the hidden state.
impl StepDerivative<4, 4> for Gru {
    const CELL: RecurrentCell = RecurrentCell::Gru;

    #[inline(always)]
    unsafe fn gradients<S: Simd>(
        [gate_r, gate_z, n, recurrent_n]: [S::V; 4],
        hidden: S::V,
        d_hidden: S::V,
        d_memory: S::V,
    ) -> StepGradients<S::V, 4> {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let d_z = S::mul(S::mul(d_hidden, S::sub(hidden, n)), sigmoid_slope::<S>(gate_z));
            let d_n = S::mul(S::mul(d_hidden, S::sub(S::splat(1.0), gate_z)), tanh_slope::<S>(n));
            let d_r = S::mul(S::mul(d_n, recurrent_n), sigmoid_slope::<S>(gate_r));
            let d_hn = S::mul(d_n, gate_r);
            StepGradients { sums: [d_n, d_r, d_z, d_hn], hidden: S::mul(d_hidden, gate_z), memory: d_memory }
        }
    }
}
