//! Random numbers that depend on what they are for and not on when they are drawn.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// One seed out of several numbers; any change in any of them gives an unrelated seed.
pub fn seed_of(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |seed, &part| mix(seed ^ mix(part)))
}

/// A generator for one purpose.
pub(super) fn generator(parts: &[u64]) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed_of(parts))
}

/// The output function of SplitMix64 (Steele, Lea & Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
