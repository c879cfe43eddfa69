//! Sixteen `f32` lanes at a time, on each instruction set.
#![allow(unsafe_code)] // The lanes are loaded through pointers and by intrinsics.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// Lanes in one vector, on every instruction set: packed weights look the same everywhere.
pub(super) const LANES: usize = 16;

/// Added to a number below 2^22 in magnitude, this leaves the number rounded to an integer in the low mantissa bits.
pub(super) const ROUND_TO_INTEGER: f32 = 12_582_912.0; // 1.5 * 2^23

/// Whether the accumulators of a tile of `rows` rows by `n_vectors` vectors stay in registers; up to three vectors take one
/// number of rows, [`Simd::TILE_ROWS`], and four take half of them.
#[inline(always)]
pub(super) const fn tile_fits<S: Simd>(rows: usize, n_vectors: usize) -> bool {
    S::TILE_ROWS >= if n_vectors > 3 { 2 * rows } else { rows }
}

/// The operations that the kernels are made of.
///
/// # Safety
/// All functions: the processor supports the instruction set. Loads and stores: the pointer is valid for [`LANES`]
/// numbers, or for `n_lanes` of them where that is a parameter. No alignment is asked for.
pub(super) trait Simd {
    /// [`LANES`] numbers.
    type V: Copy;

    /// Rows of a register tile that is three vectors wide, so that the accumulators stay in registers.
    const TILE_ROWS: usize;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a < b ? a : b`, so a NaN in `b` comes through.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? a : b`, so a NaN in `b` comes through.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `2^n` of `v = n + ROUND_TO_INTEGER`, for `n` in -126..=127; anything for a NaN.
    unsafe fn power_of_two(v: Self::V) -> Self::V;

    /// The first `n_lanes` numbers, and zeros.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, n_lanes: usize) -> Self::V {
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller vouches for `n_lanes` numbers, at most LANES of them.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n_lanes);
            Self::load(lanes.as_ptr())
        }
    }

    /// Stores the first `n_lanes` numbers.
    #[inline(always)]
    unsafe fn store_first(to: *mut f32, n_lanes: usize, v: Self::V) {
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller vouches for `n_lanes` numbers, at most LANES of them.
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n_lanes);
        }
    }
}
