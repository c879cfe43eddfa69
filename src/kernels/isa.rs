//! Which instructions do the work, and the way from a safe caller to code compiled for them.

/// An instruction set the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// x86-64 with AVX-512F: 16 lanes in one register.
    Avx512,
    /// x86-64 with AVX2 and FMA: 16 lanes in two registers.
    Avx2,
    /// Plain arrays, for any processor.
    Portable,
}

impl Isa {
    /// All instruction sets, fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// The fastest instruction set of this processor.
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|isa| isa.is_supported()).unwrap_or(Self::Portable)
    }

    /// Whether this processor can run code compiled for `self`.
    pub fn is_supported(self) -> bool {
        match self {
            // The standard library asks the processor once and remembers the answer.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// Proof that this processor supports `self`.
    ///
    /// # Panics
    /// When it does not.
    pub(super) fn checked(self) -> SupportedIsa {
        assert!(self.is_supported(), "{self:?} kernels were asked for on a processor without these instructions");
        SupportedIsa(self)
    }
}

/// An instruction set that this processor is known to support; made only by [`Isa::checked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SupportedIsa(Isa);

impl SupportedIsa {
    /// Which one it is.
    pub(super) fn isa(self) -> Isa {
        self.0
    }
}

/// Defines `unsafe fn $name(isa, args)`, which runs the generic `$body::<S>(args)` compiled for `isa`; further generic
/// arguments of the body are written behind it.
///
/// The body and all it calls must be `#[inline(always)]`, so that they take on the target features of the function they
/// end up in. Calling the result is sound when the contract of `$body` holds.
macro_rules! per_isa {
    ($name:ident = $body:ident $(::<$($generic:tt),+>)?($args:ty)) => {
        unsafe fn $name(isa: $crate::kernels::isa::SupportedIsa, args: &$args) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512(args: &$args) {
                // SAFETY: the caller keeps the body's contract; the target feature is enabled on this function.
                unsafe { $body::<$crate::kernels::simd::Avx512 $(, $($generic),+)?>(args) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(args: &$args) {
                // SAFETY: as above.
                unsafe { $body::<$crate::kernels::simd::Avx2 $(, $($generic),+)?>(args) }
            }
            unsafe fn portable(args: &$args) {
                // SAFETY: as above; no target feature is needed.
                unsafe { $body::<$crate::kernels::simd::Portable $(, $($generic),+)?>(args) }
            }
            // SAFETY: the processor supports `isa`; the caller keeps the body's contract.
            unsafe {
                match isa.isa() {
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::isa::Isa::Avx512 => avx512(args),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::isa::Isa::Avx2 => avx2(args),
                    _ => portable(args),
                }
            }
        }
    };
}
pub(super) use per_isa;
