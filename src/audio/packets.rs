//! Raw samples that come in portions, as over a network: decoded, mixed to mono, and brought to the model's rate.

use super::channels::MonoMap;
use super::pcm::PcmFormat;
use super::resample::Resampler;
use super::{AudioError, ChannelChoice};
use crate::units::SampleRate;

/// Portions of bytes, cut anywhere, to mono samples at the model's rate.
#[derive(Debug)]
pub struct PacketDecoder {
    format: PcmFormat,
    map: MonoMap,
    /// The beginning of a sample frame whose rest is still to come.
    partial: Vec<u8>,
    mono: Vec<f32>,
    resampler: Resampler,
}

impl PacketDecoder {
    /// A decoder at the start of a stream.
    ///
    /// # Errors
    /// When the chosen channel is not there, or the rate cannot be converted.
    pub fn new(format: PcmFormat, channels: ChannelChoice) -> Result<Self, AudioError> {
        let map = MonoMap::new(format.channels, channels).ok_or_else(|| AudioError::NoSuchChannel {
            name: format.to_string(),
            wanted: match channels {
                ChannelChoice::One(channel) => channel,
                ChannelChoice::Mix => 0,
            },
            n_channels: format.channels,
        })?;
        let resampler = Resampler::new(format.rate, SampleRate::MODEL)?;
        Ok(Self { format, map, partial: Vec::new(), mono: Vec::new(), resampler })
    }

    /// What it decodes.
    pub fn format(&self) -> PcmFormat {
        self.format
    }

    /// Takes a portion and appends the samples that it completes to `samples`.
    pub fn push(&mut self, mut bytes: &[u8], samples: &mut Vec<f32>) {
        let encoding = self.format.sample_format.encoding();
        let frame_bytes = encoding.n_bytes() * self.map.n_channels();
        self.mono.clear();
        if !self.partial.is_empty() {
            let n_missing = (frame_bytes - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..n_missing]);
            bytes = &bytes[n_missing..];
            if self.partial.len() == frame_bytes {
                self.mono.push(0.0);
                encoding.decode(&self.partial, self.map, &mut self.mono);
                self.partial.clear();
            }
        }
        let n_frames = bytes.len() / frame_bytes;
        let (whole, rest) = bytes.split_at(n_frames * frame_bytes);
        let start = self.mono.len();
        self.mono.resize(start + n_frames, 0.0);
        encoding.decode(whole, self.map, &mut self.mono[start..]);
        self.partial.extend_from_slice(rest);
        self.resampler.push(&self.mono, samples);
    }

    /// Ends the stream: appends what the conversion of the rate still holds. A part of a sample frame is dropped.
    pub fn finish(&mut self, samples: &mut Vec<f32>) {
        self.resampler.finish(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::super::pcm::{PcmSampleFormat, PcmSource};
    use super::super::read_to_end;
    use super::super::resample::Resampled;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_portions_give_what_the_whole_gives(
            bytes in prop::collection::vec(any::<u8>(), 0..20_000),
            portions in prop::collection::vec(1usize..3000, 1..20),
            format_idx in 0usize..5, rate_idx in 0usize..3, channels in 1u16..4,
        ) {
            let rate = SampleRate::new([16_000, 44_100, 8_000][rate_idx]);
            let format = PcmFormat { rate, channels, sample_format: PcmSampleFormat::ALL[format_idx] };
            let mut decoder = PacketDecoder::new(format, ChannelChoice::Mix).unwrap();
            let (mut samples, mut rest) = (Vec::new(), &bytes[..]);
            for portion in portions.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*portion).min(rest.len()));
                decoder.push(now, &mut samples);
                rest = later;
            }
            decoder.finish(&mut samples);
            let source = PcmSource::new(Box::new(std::io::Cursor::new(bytes)), "test", format, ChannelChoice::Mix).unwrap();
            let whole = read_to_end(&mut Resampled::new(source, SampleRate::MODEL).unwrap()).unwrap();
            let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&samples), bits(&whole));
        }
    }
}
