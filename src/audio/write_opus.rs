//! Speech as Opus in Ogg (RFC 7845), which browsers play by themselves: two kilobytes a second.

use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use ropus::{Application, Bitrate, Channels, Encoder, Signal};

/// The rate that Ogg counts in, whatever goes in.
const OGG_HZ: u64 = 48_000;
/// In a packet: 60 ms, the longest that is coded as one.
const PACKET_MS: u64 = 60;
/// A packet may have no more than 1275 bytes for each 20 ms.
const MAX_PACKET: usize = 4000;
const BITS_PER_S: u32 = 16_000;
/// Of 10: good enough to tell words, in a third of the time.
const COMPLEXITY: u8 = 0;
const SERIAL: u32 = 1;

/// A file of mono `samples` at 16 kHz. `None` where the encoder refuses.
pub fn ogg_opus(samples: &[i16]) -> Option<Vec<u8>> {
    const RATE_HZ: u32 = 16_000;
    let mut encoder = Encoder::builder(RATE_HZ, Channels::Mono, Application::Voip)
        .bitrate(Bitrate::try_bits(BITS_PER_S).ok()?)
        .complexity(COMPLEXITY)
        .signal(Signal::Voice)
        .vbr(true)
        .build()
        .ok()?;
    let factor = OGG_HZ / u64::from(RATE_HZ);
    // What a decoder has to leave out at the beginning, in samples at 48 kHz.
    let n_skipped = u64::from(encoder.lookahead()) * factor;
    let packet_samples = (u64::from(RATE_HZ) * PACKET_MS / 1000) as usize;
    let n_packets = (samples.len() + encoder.lookahead() as usize).div_ceil(packet_samples).max(1);
    let n_all = n_skipped + samples.len() as u64 * factor;

    let mut writer = PacketWriter::new(Vec::new());
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend((n_skipped as u16).to_le_bytes());
    head.extend(RATE_HZ.to_le_bytes());
    // No gain, one stream of one or two channels.
    head.extend([0, 0, 0]);
    writer.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0).ok()?;
    let vendor = b"tripword";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    writer.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0).ok()?;

    let mut frame = vec![0; packet_samples];
    let mut packet = [0; MAX_PACKET];
    for i in 0..n_packets {
        let part = samples.get(i * packet_samples..).unwrap_or_default();
        let part = &part[..part.len().min(packet_samples)];
        frame[..part.len()].copy_from_slice(part);
        frame[part.len()..].fill(0);
        let n_bytes = encoder.encode(&frame, &mut packet).ok()?;
        let is_last = i + 1 == n_packets;
        let granule = ((i + 1) as u64 * packet_samples as u64 * factor).min(if is_last { n_all } else { u64::MAX });
        let end = if is_last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        writer.write_packet(packet[..n_bytes].to_vec(), SERIAL, end, granule).ok()?;
    }
    Some(writer.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::file::FileSource;
    use crate::audio::{ChannelChoice, read_to_end};

    #[test]
    fn what_is_coded_is_heard_again_at_its_place_in_few_bytes() {
        // Bursts of a tone that glides, as long as a word.
        let n = 24_321;
        let loud = |i: usize| (i / 4000) % 2 == 1;
        let samples: Vec<i16> = (0..n)
            .map(|i| if loud(i) { (8000.0 * (i as f32 * 0.1 + (i as f32 * 0.001).sin()).sin()) as i16 } else { 0 })
            .collect();
        let bytes = ogg_opus(&samples).unwrap();
        assert!(bytes.len() < 5000, "{} bytes", bytes.len());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.ogg");
        std::fs::write(&path, bytes).unwrap();
        let heard = read_to_end(&mut FileSource::open(&path, ChannelChoice::Mix).unwrap()).unwrap();
        // The decoder gives 48 kHz.
        assert_eq!(heard.len(), 3 * n);
        let power = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32;
        for burst in 0..6 {
            let part = &heard[3 * (burst * 4000 + 800)..3 * (burst * 4000 + 3200)];
            let is_loud = power(part) > 0.01;
            assert_eq!(is_loud, burst % 2 == 1, "burst {burst}: {}", power(part));
        }
    }

    #[test]
    fn very_short_sound_is_coded_too() {
        assert!(ogg_opus(&[]).is_some() && ogg_opus(&[1; 7]).is_some());
    }
}
