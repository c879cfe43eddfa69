//! The equation of Elman's network.
#![allow(unsafe_code)] // Built from the operations of `Simd`.

use super::cell::RecurrentCell;
use super::equations::{StepDerivative, StepEquations, StepGradients, Stepped, tanh_slope};
use crate::kernels::activation::tanh;
use crate::kernels::simd::Simd;

/// Saves the new state.
pub(super) struct Rnn;

impl StepEquations<1, 1> for Rnn {
    const CELL: RecurrentCell = RecurrentCell::Rnn;

    #[inline(always)]
    unsafe fn step<S: Simd>(
        [sum]: [S::V; 1],
        _projected: impl Fn(usize) -> S::V,
        _hidden: S::V,
        memory: S::V,
    ) -> Stepped<S::V, 1> {
        // SAFETY: the caller vouches for the instruction set.
        let hidden = unsafe { tanh::<S>(sum) };
        Stepped { hidden, memory, saved: [hidden] }
    }
}

impl StepDerivative<1, 1> for Rnn {
    const CELL: RecurrentCell = RecurrentCell::Rnn;

    #[inline(always)]
    unsafe fn gradients<S: Simd>(
        [new_hidden]: [S::V; 1],
        _hidden: S::V,
        d_hidden: S::V,
        d_memory: S::V,
    ) -> StepGradients<S::V, 1> {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            let sum = S::mul(d_hidden, tanh_slope::<S>(new_hidden));
            StepGradients { sums: [sum], hidden: S::splat(0.0), memory: d_memory }
        }
    }
}
