//! Exponential, sigmoid and hyperbolic tangent of a vector, within 2e-7 of the exact values.
//!
//! The exponential is Cephes' `expf`: reduce to `x - n ln 2`, a polynomial there, times `2^n`.
#![allow(unsafe_code)] // Built from the operations of `Simd`.

use super::simd::{ROUND_TO_INTEGER, Simd};

/// Past this magnitude the sigmoid is 0 or 1 to the last bit, and `e^x` is still a normal number on both sides.
const EXP_RANGE: f32 = 87.0;

/// ln 2 in two parts (Cephes): the first has trailing zeros, so that its product with a small integer is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `(e^x - 1 - x) / x^2` on |x| <= ln 2 / 2, highest power first (Cephes expf.c).
const EXP_POLYNOMIAL: [f32; 6] = [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `e^x` for |x| up to [`EXP_RANGE`], held there beyond; NaN of NaN.
///
/// # Safety
/// The processor supports `S`.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let x = S::max(S::splat(-EXP_RANGE), S::min(S::splat(EXP_RANGE), x));
        let magic = S::splat(ROUND_TO_INTEGER);
        let shifted = S::fma(x, S::splat(std::f32::consts::LOG2_E), magic);
        let n = S::sub(shifted, magic);
        let r = S::fma(n, S::splat(-LN_2_HIGH), x);
        let r = S::fma(n, S::splat(-LN_2_LOW), r);
        let mut p = S::splat(EXP_POLYNOMIAL[0]);
        for &coefficient in &EXP_POLYNOMIAL[1..] {
            p = S::fma(p, r, S::splat(coefficient));
        }
        let p = S::add(S::fma(p, S::mul(r, r), r), S::splat(1.0));
        S::mul(p, S::power_of_two(shifted))
    }
}

/// `1 / (1 + e^-x)`.
///
/// # Safety
/// The processor supports `S`.
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::mul(x, S::splat(-1.0)))))
    }
}

/// `tanh x = 1 - 2 / (1 + e^2x)`.
///
/// # Safety
/// The processor supports `S`.
#[inline(always)]
pub(super) unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = S::splat(1.0);
        S::sub(one, S::div(S::splat(2.0), S::add(one, exp::<S>(S::add(x, x)))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Isa, per_isa};
    use super::super::simd::LANES;
    use super::*;

    struct Gates {
        x: [f32; LANES],
        sigmoid: *mut [f32; LANES],
        tanh: *mut [f32; LANES],
    }

    #[inline(always)]
    unsafe fn gates<S: Simd>(args: &Gates) {
        // SAFETY: the arrays hold LANES numbers.
        unsafe {
            let x = S::load(args.x.as_ptr());
            S::store(args.sigmoid.cast(), sigmoid::<S>(x));
            S::store(args.tanh.cast(), tanh::<S>(x));
        }
    }

    per_isa!(run_gates = gates(Gates));

    fn both(isa: Isa, x: [f32; LANES]) -> ([f32; LANES], [f32; LANES]) {
        let (mut sigmoid, mut tanh) = ([0.0; LANES], [0.0; LANES]);
        // SAFETY: `checked` makes sure of the instruction set.
        unsafe { run_gates(isa.checked(), &Gates { x, sigmoid: &mut sigmoid, tanh: &mut tanh }) };
        (sigmoid, tanh)
    }

    #[test]
    fn gates_are_within_2e_7_of_exact_on_every_instruction_set() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
            for block in -2000..2000 {
                let x: [f32; LANES] = std::array::from_fn(|i| (block * 16 + i as i32) as f32 * 0.003_7);
                let (sigmoid, tanh) = both(isa, x);
                for i in 0..LANES {
                    let exact = f64::from(x[i]);
                    assert!((f64::from(sigmoid[i]) - 1.0 / (1.0 + (-exact).exp())).abs() < 2e-7, "{isa:?} {exact}");
                    assert!((f64::from(tanh[i]) - exact.tanh()).abs() < 2e-7, "{isa:?} {exact}");
                }
            }
        }
    }

    #[test]
    fn gates_saturate_at_infinity_and_pass_every_nan_on() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
            let mut x = [0.0; LANES];
            x[0] = f32::INFINITY;
            x[1] = f32::NEG_INFINITY;
            x[2] = f32::NAN;
            x[3] = f32::from_bits(0xffc0_0001);
            x[4] = f32::from_bits(0x7fff_ffff);
            let (sigmoid, tanh) = both(isa, x);
            assert!((sigmoid[0], tanh[0], tanh[1]) == (1.0, 1.0, -1.0) && sigmoid[1] < 1e-37, "{isa:?}");
            for i in 2..5 {
                assert!(sigmoid[i].is_nan() && tanh[i].is_nan(), "{isa:?} {i}");
            }
            assert_eq!((sigmoid[5], tanh[5]), (0.5, 0.0));
        }
    }
}
