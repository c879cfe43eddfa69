//! The equations of the long short-term memory.
#![allow(unsafe_code)] // Built from the operations of `Simd`.

use super::cell::RecurrentCell;
use super::equations::{StepDerivative, StepEquations, StepGradients, Stepped, sigmoid_slope, tanh_slope};
use crate::kernels::activation::{sigmoid, tanh};
use crate::kernels::simd::Simd;

/// Saves i, f, g, o, the c before the step and the tanh of the c after it.
pub(super) struct Lstm;

impl StepEquations<4, 6> for Lstm {
    const CELL: RecurrentCell = RecurrentCell::Lstm;

    #[inline(always)]
    unsafe fn step<S: Simd>(
        [sum_i, sum_f, sum_g, sum_o]: [S::V; 4],
        _projected: impl Fn(usize) -> S::V,
        _hidden: S::V,
        memory: S::V,
    ) -> Stepped<S::V, 6> {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let gate_i = sigmoid::<S>(sum_i);
            let gate_f = sigmoid::<S>(sum_f);
            let g = tanh::<S>(sum_g);
            let gate_o = sigmoid::<S>(sum_o);
            let new_memory = S::fma(gate_f, memory, S::mul(gate_i, g));
            let shown = tanh::<S>(new_memory);
            Stepped {
                hidden: S::mul(gate_o, shown),
                memory: new_memory,
                saved: [gate_i, gate_f, g, gate_o, memory, shown],
            }
        }
    }
}

/// Sums in the order of the gates.
impl StepDerivative<4, 6> for Lstm {
    const CELL: RecurrentCell = RecurrentCell::Lstm;

    #[inline(always)]
    unsafe fn gradients<S: Simd>(
        [gate_i, gate_f, g, gate_o, memory, shown]: [S::V; 6],
        _hidden: S::V,
        d_hidden: S::V,
        d_memory: S::V,
    ) -> StepGradients<S::V, 4> {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let d_memory = S::fma(S::mul(d_hidden, gate_o), tanh_slope::<S>(shown), d_memory);
            let d_i = S::mul(S::mul(d_memory, g), sigmoid_slope::<S>(gate_i));
            let d_f = S::mul(S::mul(d_memory, memory), sigmoid_slope::<S>(gate_f));
            let d_g = S::mul(S::mul(d_memory, gate_i), tanh_slope::<S>(g));
            let d_o = S::mul(S::mul(d_hidden, shown), sigmoid_slope::<S>(gate_o));
            StepGradients { sums: [d_i, d_f, d_g, d_o], hidden: S::splat(0.0), memory: S::mul(d_memory, gate_f) }
        }
    }
}
