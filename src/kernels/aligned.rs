//! Buffers that start on a cache line, so that no vector of packed numbers straddles two of them.
#![allow(unsafe_code)] // Views lines as flat numbers.

use super::simd::LANES;

/// One cache line and one vector.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// A growing buffer of `f32`, aligned to 64 bytes, its length a multiple of [`LANES`].
#[derive(Debug, Clone, Default)]
pub(super) struct AlignedBuffer {
    lines: Vec<Line>,
}

impl AlignedBuffer {
    /// `n` zeros, rounded up to whole vectors.
    pub(super) fn zeros(n: usize) -> Self {
        Self { lines: vec![Line([0.0; LANES]); n.div_ceil(LANES)] }
    }

    /// Grows to at least `n` numbers; never shrinks, and keeps what is there.
    pub(super) fn grow(&mut self, n: usize) {
        let n_lines = n.div_ceil(LANES);
        if self.lines.len() < n_lines {
            self.lines.resize(n_lines, Line([0.0; LANES]));
        }
    }

    /// All numbers.
    pub(super) fn as_slice(&self) -> &[f32] {
        // SAFETY: a line is LANES numbers without padding (64 bytes, aligned to 64), and lines lie back to back.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LANES) }
    }

    /// All numbers, to write.
    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LANES) }
    }
}
