//! From what a file or device delivers to mono `f32`: the one place where sample formats and channels are converted.
//! Every source uses it, so a file and a microphone that carry the same samples give the same numbers.

use super::ChannelChoice;

/// How interleaved channels become one. A *sample frame* is one sample of every channel, taken at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MonoMap {
    n_channels: usize,
    choice: ChannelChoice,
}

impl MonoMap {
    /// `None` when the chosen channel is not among the `n_channels`.
    pub(super) fn new(n_channels: u16, choice: ChannelChoice) -> Option<Self> {
        let exists = match choice {
            ChannelChoice::Mix => n_channels > 0,
            ChannelChoice::One(channel) => channel < n_channels,
        };
        exists.then_some(Self { n_channels: usize::from(n_channels), choice })
    }

    /// Samples in one sample frame.
    pub(super) fn n_channels(self) -> usize {
        self.n_channels
    }

    /// Writes one mono sample for each sample frame, as many as both sides have. Allocates nothing.
    #[inline]
    pub(super) fn convert<S: Copy>(self, interleaved: &[S], to_f32: impl Fn(S) -> f32, out: &mut [f32]) {
        match self.choice {
            _ if self.n_channels == 1 => {
                for (out, &sample) in out.iter_mut().zip(interleaved) {
                    *out = to_f32(sample);
                }
            }
            ChannelChoice::One(channel) => {
                let channel = usize::from(channel);
                for (out, frame) in out.iter_mut().zip(interleaved.chunks_exact(self.n_channels)) {
                    *out = to_f32(frame[channel]);
                }
            }
            ChannelChoice::Mix => {
                let n = self.n_channels as f32;
                for (out, frame) in out.iter_mut().zip(interleaved.chunks_exact(self.n_channels)) {
                    *out = frame.iter().map(|&sample| to_f32(sample)).sum::<f32>() / n;
                }
            }
        }
    }
}

/// How one sample is stored in bytes, least significant byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 8 bits, unsigned, silence at 128.
    U8,
    /// 16 bits, signed.
    S16,
    /// 24 bits, signed, in 3 bytes.
    S24,
    /// 24 bits, signed, in the low 3 of 4 bytes; the highest byte is ignored.
    S24Low,
    /// 32 bits, signed.
    S32,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
}

impl Encoding {
    /// Bytes a sample.
    pub(super) const fn n_bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S24Low | Self::S32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Decodes whole sample frames from `bytes` into mono samples; see [`MonoMap::convert`].
    pub(super) fn decode(self, bytes: &[u8], map: MonoMap, out: &mut [f32]) {
        match self {
            Self::U8 => map.convert(bytes, |b| (f32::from(b) - 128.0) / 128.0, out),
            Self::S16 => map.convert(bytes.as_chunks().0, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0, out),
            // Put into the upper 24 bits of 32: the sign comes out right, and the value is exact in f32.
            Self::S24 => map.convert(bytes.as_chunks().0, |[a, b, c]| of_i32(i32::from_le_bytes([0, a, b, c])), out),
            Self::S24Low => {
                map.convert(bytes.as_chunks().0, |[a, b, c, _]: [u8; 4]| of_i32(i32::from_le_bytes([0, a, b, c])), out);
            }
            Self::S32 => map.convert(bytes.as_chunks().0, |b| of_i32(i32::from_le_bytes(b)), out),
            Self::F32 => map.convert(bytes.as_chunks().0, f32::from_le_bytes, out),
            Self::F64 => map.convert(bytes.as_chunks().0, |b| f64::from_le_bytes(b) as f32, out),
        }
    }
}

/// Full scale of 32-bit integers is 2^31.
fn of_i32(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, bytes: &[u8]) -> Vec<f32> {
        let map = MonoMap::new(1, ChannelChoice::Mix).unwrap();
        let mut out = vec![9.0; bytes.len() / encoding.n_bytes()];
        encoding.decode(bytes, map, &mut out);
        out
    }

    #[test]
    fn full_scale_and_silence_are_the_same_in_every_encoding() {
        let cases: [(Encoding, Vec<u8>); 7] = [
            (Encoding::U8, vec![0, 128, 192]),
            (Encoding::S16, [i16::MIN, 0, 1 << 14].iter().flat_map(|s| s.to_le_bytes()).collect()),
            (Encoding::S24, vec![0, 0, 0x80, 0, 0, 0, 0, 0, 0x40]),
            (Encoding::S24Low, vec![0, 0, 0x80, 0xFF, 0, 0, 0, 0, 0, 0, 0x40, 0x55]),
            (Encoding::S32, [i32::MIN, 0, 1 << 30].iter().flat_map(|s| s.to_le_bytes()).collect()),
            (Encoding::F32, [-1.0f32, 0.0, 0.5].iter().flat_map(|s| s.to_le_bytes()).collect()),
            (Encoding::F64, [-1.0f64, 0.0, 0.5].iter().flat_map(|s| s.to_le_bytes()).collect()),
        ];
        for (encoding, bytes) in cases {
            assert_eq!(decode(encoding, &bytes), [-1.0, 0.0, 0.5], "{encoding:?}");
        }
    }

    #[test]
    fn one_channel_is_picked_and_all_are_averaged() {
        let interleaved = [0.0f32, 1.0, 0.5, 0.25, 0.75, 0.5];
        let mut out = [0.0; 2];
        MonoMap::new(3, ChannelChoice::One(1)).unwrap().convert(&interleaved, |s| s, &mut out);
        assert_eq!(out, [1.0, 0.75]);
        MonoMap::new(3, ChannelChoice::Mix).unwrap().convert(&interleaved, |s| s, &mut out);
        assert_eq!(out, [0.5, 0.5]);
    }

    #[test]
    fn a_channel_beyond_the_last_is_refused() {
        assert_eq!(MonoMap::new(2, ChannelChoice::One(2)), None);
        assert!(MonoMap::new(2, ChannelChoice::One(1)).is_some());
        assert_eq!(MonoMap::new(0, ChannelChoice::Mix), None);
    }

    #[test]
    fn values_that_are_not_finite_pass_through() {
        let bytes: Vec<u8> = [f32::NAN, f32::INFINITY, 1e30].iter().flat_map(|s| s.to_le_bytes()).collect();
        let out = decode(Encoding::F32, &bytes);
        assert!(out[0].is_nan());
        assert_eq!(out[1..], [f32::INFINITY, 1e30]);
    }
}
