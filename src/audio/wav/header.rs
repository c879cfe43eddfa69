//! The header of a WAV file, after "Multimedia Programming Interface and Data Specifications 1.0" (RIFF),
//! `WAVEFORMATEXTENSIBLE` (Microsoft mmreg.h) and EBU Tech 3306 (RF64, BW64 in ITU-R BS.2088).
//!
//! It is read forwards only, so a pipe will do. More is taken than hound takes: chunks of odd length with their padding,
//! sizes left open by writers that stream, 64-bit floats and sizes, and any chunk before the samples.

use std::io;
use std::path::Path;

use super::super::channels::Encoding;
use super::super::error::AudioError;
use crate::units::SampleRate;

/// What a header says about the samples that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WavHeader {
    pub(super) rate: SampleRate,
    pub(super) n_channels: u16,
    pub(super) encoding: Encoding,
    pub(super) data: DataLength,
    /// Where the samples begin, in bytes from the file's start.
    pub(super) data_offset: u64,
}

/// How many bytes of samples there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataLength {
    /// As promised.
    Bytes(u64),
    /// The writer could not know, or was stopped before it could tell: all that follows.
    ToEndOfFile,
}

/// Chunk sizes that stand for "not known" in files written to a pipe: ffmpeg, sox, arecord.
const UNKNOWN_SIZES: [u32; 3] = [0xFFFF_FFFF, 0x7FFF_F000, 0x8000_0000];

/// In RF64 a 32-bit size of all ones refers to the 64-bit one in the `ds64` chunk.
const SEE_DS64: u32 = 0xFFFF_FFFF;

/// Bytes of `WAVEFORMATEXTENSIBLE`; a longer `fmt ` chunk is skipped from there on.
const FMT_BYTES_MAX: usize = 40;

/// The last 14 bytes of every subformat that is a plain format tag: KSDATAFORMAT_SUBTYPE_... in mmreg.h.
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// A reader that knows how far it is.
struct Cursor<'a, R> {
    reader: &'a mut R,
    path: &'a Path,
    offset: u64,
}

impl<R: io::Read> Cursor<'_, R> {
    /// Fills `bytes` as far as the file goes and returns how many there were.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, AudioError> {
        let mut n_read = 0;
        while n_read < bytes.len() {
            match self.reader.read(&mut bytes[n_read..]) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(AudioError::ReadFailed { name: self.path.display().to_string(), n_samples: 0, source });
                }
            }
        }
        self.offset += n_read as u64;
        Ok(n_read)
    }

    fn array<const N: usize>(&mut self, within: &str) -> Result<[u8; N], AudioError> {
        let mut bytes = [0; N];
        if self.fill(&mut bytes)? < N {
            return Err(self.damaged(format!("the file ends within {within}, after {} bytes", self.offset)));
        }
        Ok(bytes)
    }

    fn skip(&mut self, n_bytes: u64) -> Result<(), AudioError> {
        let mut scratch = [0; 4096];
        let mut left = n_bytes;
        while left > 0 {
            let n_wanted = left.min(scratch.len() as u64) as usize;
            if self.fill(&mut scratch[..n_wanted])? < n_wanted {
                return Err(self.damaged(format!("the file ends after {} bytes, before its samples", self.offset)));
            }
            left -= n_wanted as u64;
        }
        Ok(())
    }

    fn damaged(&self, detail: String) -> AudioError {
        AudioError::HeaderDamaged { path: self.path.to_owned(), detail }
    }
}

/// Reads up to the first byte of the samples, where the reader then stands.
pub(super) fn parse(reader: &mut impl io::Read, path: &Path) -> Result<WavHeader, AudioError> {
    let mut cursor = Cursor { reader, path, offset: 0 };
    let mut riff = [0; 12];
    let n_read = cursor.fill(&mut riff)?;
    if n_read == 0 {
        return Err(AudioError::EmptyFile { path: path.to_owned() });
    }
    let is_64_bit = matches!(&riff[..4], b"RF64" | b"BW64");
    let is_riff = is_64_bit || &riff[..4] == b"RIFF";
    if n_read < riff.len() || !is_riff || &riff[8..] != b"WAVE" {
        if is_riff && n_read < riff.len() {
            return Err(cursor.damaged(format!("the file ends after {n_read} bytes, expected at least 44")));
        }
        return Err(AudioError::NotWav { path: path.to_owned(), looks_like: guess(&riff[..n_read]) });
    }
    let riff_size = u32_at(&riff, 4);

    let mut format = None;
    let mut data_size_64 = None;
    loop {
        let mut head = [0; 8];
        let n_read = cursor.fill(&mut head)?;
        if n_read < head.len() {
            let detail = format!("no 'data' chunk with samples before the file ends after {} bytes", cursor.offset);
            return Err(cursor.damaged(detail));
        }
        let size = u32_at(&head, 4);
        // Chunks are padded to an even length; the padding is not counted in the size.
        let padded = u64::from(size) + u64::from(size % 2);
        match &head[..4] {
            b"fmt " => {
                if size < 16 {
                    return Err(cursor.damaged(format!("the 'fmt ' chunk has {size} bytes, expected at least 16")));
                }
                let mut fmt = [0; FMT_BYTES_MAX];
                let n_wanted = FMT_BYTES_MAX.min(size as usize);
                if cursor.fill(&mut fmt[..n_wanted])? < n_wanted {
                    return Err(cursor.damaged("the file ends within the 'fmt ' chunk".to_owned()));
                }
                format = Some(parse_fmt(&fmt[..n_wanted], path)?);
                cursor.skip(padded - n_wanted as u64)?;
            }
            b"ds64" if is_64_bit => {
                if size < 16 {
                    return Err(cursor.damaged(format!("the 'ds64' chunk has {size} bytes, expected at least 16")));
                }
                let sizes = cursor.array::<16>("the 'ds64' chunk")?;
                data_size_64 = Some(u64::from_le_bytes(*sizes.last_chunk().expect("16 bytes hold 8")));
                cursor.skip(padded - 16)?;
            }
            b"data" => {
                let Some((rate, n_channels, encoding)) = format else {
                    return Err(cursor.damaged("the 'data' chunk comes before any 'fmt ' chunk".to_owned()));
                };
                let data = match data_size_64 {
                    Some(n_bytes) if size == SEE_DS64 => DataLength::Bytes(n_bytes),
                    _ => data_length(size, riff_size, cursor.offset),
                };
                return Ok(WavHeader { rate, n_channels, encoding, data, data_offset: cursor.offset });
            }
            id if id.iter().all(|byte| (0x20..0x7F).contains(byte)) => cursor.skip(padded)?,
            id => {
                let at = cursor.offset - 8;
                return Err(cursor.damaged(format!("no chunk name at byte {at}, found {}", id.escape_ascii())));
            }
        }
    }
}

/// What the size in the `data` chunk means, whose samples begin at `data_offset`.
fn data_length(size: u32, riff_size: u32, data_offset: u64) -> DataLength {
    if UNKNOWN_SIZES.contains(&size) {
        return DataLength::ToEndOfFile;
    }
    // No samples and other chunks after them is a true zero. A RIFF size that ends here as well was never filled in.
    let riff_is_open = UNKNOWN_SIZES.contains(&riff_size) || u64::from(riff_size) + 8 <= data_offset;
    if size == 0 && riff_is_open {
        return DataLength::ToEndOfFile;
    }
    DataLength::Bytes(u64::from(size))
}

fn parse_fmt(fmt: &[u8], path: &Path) -> Result<(SampleRate, u16, Encoding), AudioError> {
    // Format tags of mmreg.h.
    const PCM: u16 = 0x0001;
    const IEEE_FLOAT: u16 = 0x0003;
    const EXTENSIBLE: u16 = 0xFFFE;

    let mut tag = u16_at(fmt, 0);
    let n_channels = u16_at(fmt, 2);
    let rate = u32_at(fmt, 4);
    let frame_bytes = u16_at(fmt, 12);
    let bits = u16_at(fmt, 14);

    if tag == EXTENSIBLE {
        let Some(subformat) = fmt.get(24..40) else {
            let detail = format!("an extensible 'fmt ' chunk has {} bytes, expected 40", fmt.len());
            return Err(AudioError::HeaderDamaged { path: path.to_owned(), detail });
        };
        if subformat[2..] != SUBFORMAT_TAIL {
            let encoding = format!("an unknown encoding (subformat {})", hex(subformat));
            return Err(AudioError::UnsupportedEncoding { path: path.to_owned(), encoding });
        }
        tag = u16_at(subformat, 0);
    }
    if tag != PCM && tag != IEEE_FLOAT {
        return Err(AudioError::UnsupportedEncoding { path: path.to_owned(), encoding: tag_name(tag) });
    }
    if n_channels == 0 {
        return Err(AudioError::ZeroChannels { path: path.to_owned() });
    }
    if rate == 0 {
        return Err(AudioError::ZeroRate { path: path.to_owned() });
    }
    if !frame_bytes.is_multiple_of(n_channels) || frame_bytes == 0 || bits == 0 {
        let detail = format!("{frame_bytes} bytes for {n_channels} channel(s) of {bits} bits each");
        return Err(AudioError::HeaderDamaged { path: path.to_owned(), detail });
    }
    // The container counts. Fewer valid bits stand in its upper end, with zeros below them, so it is read whole;
    // only a plain 24 in 4 bytes, which the specification does not know, is found with the bits in the lower end.
    let container_bytes = frame_bytes / n_channels;
    let encoding = match (tag, container_bytes, bits) {
        (_, bytes, bits) if u32::from(bits) > 8 * u32::from(bytes) => {
            let detail = format!("{bits} bits in a container of {bytes} byte(s)");
            return Err(AudioError::HeaderDamaged { path: path.to_owned(), detail });
        }
        (PCM, 1, 8) => Encoding::U8,
        (PCM, 2, 9..=16) => Encoding::S16,
        (PCM, 3, 17..=24) => Encoding::S24,
        (PCM, 4, 24) => Encoding::S24Low,
        (PCM, 4, 25..=32) => Encoding::S32,
        (IEEE_FLOAT, 4, 32) => Encoding::F32,
        (IEEE_FLOAT, 8, 64) => Encoding::F64,
        (tag, bytes, bits) => {
            let kind = if tag == PCM { "integers" } else { "floats" };
            let encoding = format!("{kind} of {bits} bits in {bytes} byte(s)");
            return Err(AudioError::UnsupportedEncoding { path: path.to_owned(), encoding });
        }
    };
    Ok((SampleRate::new(rate), n_channels, encoding))
}

/// Names for the tags that are met in files; numbers after mmreg.h.
fn tag_name(tag: u16) -> String {
    let name = match tag {
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law (G.711)",
        0x0007 => "mu-law (G.711)",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0050 => "MPEG audio",
        0x0055 => "MP3",
        0x00FF | 0x1600 | 0x1610 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0x2000 => "AC-3",
        0x674F..=0x6771 => "Ogg Vorbis",
        0x704F => "Opus",
        0xF1AC => "FLAC",
        _ => return format!("an unknown encoding (format tag {tag:#06x})"),
    };
    format!("{name} (format tag {tag:#06x})")
}

/// What a file that is no WAV file begins like.
fn guess(first: &[u8]) -> &'static str {
    match first {
        [b'f', b'L', b'a', b'C', ..] => "FLAC",
        [b'O', b'g', b'g', b'S', ..] => "Ogg (Vorbis or Opus)",
        [b'I', b'D', b'3', ..] | [0xFF, 0xE2..=0xFF, ..] => "MP3 or AAC",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4 (M4A)",
        [b'F', b'O', b'R', b'M', ..] => "AIFF",
        [b'c', b'a', b'f', b'f', ..] => "Core Audio",
        [b'.', b's', b'n', b'd', ..] => "AU",
        [b'r', b'i', b'f', b'f', ..] => "Wave64",
        [b'R', b'I', b'F', b'X', ..] => "big-endian WAV (RIFX)",
        [b'R', b'I', b'F', b'F', ..] => "another kind of RIFF file (AVI, WebP)",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "Matroska or WebM",
        [b'<', ..] => "a web page",
        _ if first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => "text",
        _ => "raw samples or something unknown",
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
