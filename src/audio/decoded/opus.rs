//! Packets of Opus (RFC 6716) as a file holds them (RFC 7845): with their channels, the samples at the beginning that do not count, and the
//! gain.

use opus_decoder::OpusMultistreamDecoder;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;

/// What Opus is decoded at; the rate in its head is that of what was encoded.
const RATE_HZ: u32 = 48_000;
/// 120 ms, which no packet exceeds.
const FRAMES_MOST: usize = RATE_HZ as usize / 1000 * 120;

/// Decodes them.
pub(super) struct OpusPackets {
    decoder: OpusMultistreamDecoder,
    n_channels: usize,
    /// Sample frames at the beginning that are still to be left out.
    n_skipped: usize,
    gain: f32,
}

struct Head {
    n_channels: usize,
    pre_skip: usize,
    gain: f32,
    n_streams: usize,
    n_coupled: usize,
    mapping: Vec<u8>,
}

impl Head {
    /// `OpusHead` and what follows.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.strip_prefix(b"OpusHead")?.split_first_chunk::<11>()?;
        let [_, n_channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family] = *head;
        let n_channels = usize::from(n_channels);
        let (n_streams, n_coupled, mapping) = match (family, rest) {
            (0, _) if (1..=2).contains(&n_channels) => (1, n_channels - 1, vec![0, 1][..n_channels].to_vec()),
            (1.., [n_streams, n_coupled, mapping @ ..]) => {
                (usize::from(*n_streams), usize::from(*n_coupled), mapping.get(..n_channels)?.to_vec())
            }
            _ => return None,
        };
        // In 256ths of a decibel.
        let gain_db = f32::from(i16::from_le_bytes([gain_low, gain_high])) / 256.0;
        Some(Self {
            n_channels,
            pre_skip: usize::from(u16::from_le_bytes([skip_low, skip_high])),
            gain: 10f32.powf(gain_db / 20.0),
            n_streams,
            n_coupled,
            mapping,
        })
    }
}

impl OpusPackets {
    pub(super) fn new(params: &AudioCodecParameters) -> Result<Self, Error> {
        let head = params.extra_data.as_deref().and_then(Head::parse);
        let head = head.ok_or(Error::Unsupported("its Opus head is damaged or of a kind that is not known"))?;
        let decoder =
            OpusMultistreamDecoder::new(RATE_HZ, head.n_channels, head.n_streams, head.n_coupled, &head.mapping)
                .map_err(|_| Error::Unsupported("its Opus head is damaged or of a kind that is not known"))?;
        Ok(Self { decoder, n_channels: head.n_channels, n_skipped: head.pre_skip, gain: head.gain })
    }

    pub(super) fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), Error> {
        samples.clear();
        samples.resize(FRAMES_MOST * self.n_channels, 0.0);
        let n_frames = self
            .decoder
            .decode_float(&packet.data, samples, false)
            .map_err(|_| Error::DecodeError("an Opus packet cannot be decoded"))?;
        // Of the last packet only a part may be meant.
        let n_meant = n_frames.saturating_sub(usize::try_from(packet.trim_end.get()).unwrap_or(usize::MAX));
        samples.truncate(n_meant * self.n_channels);
        let n_skipped = self.n_skipped.min(n_meant);
        self.n_skipped -= n_skipped;
        samples.drain(..n_skipped * self.n_channels);
        if self.gain != 1.0 {
            samples.iter_mut().for_each(|sample| *sample *= self.gain);
        }
        Ok((RATE_HZ, self.n_channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_channels_gain_and_what_to_skip() {
        let mut bytes = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\xfa\0".to_vec();
        let head = Head::parse(&bytes).unwrap();
        assert_eq!((head.n_channels, head.pre_skip, head.n_streams, head.n_coupled), (2, 312, 1, 1));
        assert!((head.gain - 0.501).abs() < 0.001, "{}", head.gain);
        bytes[18] = 1;
        assert!(Head::parse(&bytes).is_none(), "the mapping is missing");
        bytes.extend([2, 0, 1, 0]);
        assert_eq!(Head::parse(&bytes).unwrap().mapping, [1, 0]);
        for end in 0..bytes.len() {
            let _ = Head::parse(&bytes[..end]);
        }
    }
}
