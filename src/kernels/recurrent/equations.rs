//! What a cell does with the sums of its units, and the derivative: the seam between the cells and the frame around them.
#![allow(unsafe_code)] // Built from the operations of `Simd`.

use super::cell::RecurrentCell;
use crate::kernels::simd::Simd;

/// One step of a vector of units, from their sums to their state.
pub(super) trait StepEquations<const GATES: usize, const SAVED: usize> {
    /// Which cell this is.
    const CELL: RecurrentCell;

    /// What the sums over the hidden state start from: the projected inputs with their bias.
    #[inline(always)]
    fn start<V: Copy>(projected: impl Fn(usize) -> V, _recurrent_bias: impl Fn() -> V) -> [V; GATES] {
        std::array::from_fn(projected)
    }

    /// The new state, from the finished sums and the state before; `memory` means nothing where the cell has none.
    ///
    /// # Safety
    /// The processor supports `S`.
    unsafe fn step<S: Simd>(
        sums: [S::V; GATES],
        projected: impl Fn(usize) -> S::V,
        hidden: S::V,
        memory: S::V,
    ) -> Stepped<S::V, SAVED>;
}

/// What comes of a step.
pub(super) struct Stepped<V, const SAVED: usize> {
    pub(super) hidden: V,
    pub(super) memory: V,
    /// What the derivative will ask for.
    pub(super) saved: [V; SAVED],
}

/// The derivative of a step.
pub(super) trait StepDerivative<const SUMS: usize, const SAVED: usize> {
    /// Which cell this is.
    const CELL: RecurrentCell;

    /// From the gradients of the new state to those of the sums and of the state before. `hidden` is the state before.
    ///
    /// # Safety
    /// The processor supports `S`.
    unsafe fn gradients<S: Simd>(
        saved: [S::V; SAVED],
        hidden: S::V,
        d_hidden: S::V,
        d_memory: S::V,
    ) -> StepGradients<S::V, SUMS>;
}

/// Gradients of what a step started from.
pub(super) struct StepGradients<V, const SUMS: usize> {
    pub(super) sums: [V; SUMS],
    /// By the direct path; what comes through the sums is added to it.
    pub(super) hidden: V,
    pub(super) memory: V,
}

/// The slope of a sigmoid of value `y`: `y (1 - y)`.
///
/// # Safety
/// The processor supports `S`.
#[inline(always)]
pub(super) unsafe fn sigmoid_slope<S: Simd>(y: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { S::mul(y, S::sub(S::splat(1.0), y)) }
}

/// The slope of a hyperbolic tangent of value `y`: `1 - y^2`.
///
/// # Safety
/// The processor supports `S`.
#[inline(always)]
pub(super) unsafe fn tanh_slope<S: Simd>(y: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe { S::sub(S::splat(1.0), S::mul(y, y)) }
}
