//! What a command reads on its standard input: the event as a line of JSON, then, if wanted, the sound after the word as it comes.

use std::io::{self, ErrorKind, Write};
use std::process::ChildStdin;

use super::WakeEvent;
use super::audio_tail::{AudioTail, Piece, s16le};
use crate::units::SampleRate;

/// The sound that follows the event, mono, 16 bits, at the model's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandAudio {
    /// None.
    None,
    /// Bare samples, least significant byte first.
    Raw,
    /// The same after the header of a WAV file whose length is not known.
    Wav,
}

/// Samples handed over at a time: 40 ms.
const PIECE_SAMPLES: usize = 640;

/// The pipe to a command, fed without ever waiting for it.
pub(super) struct CommandInput {
    /// Closed when all is said, or the command has closed its end.
    pipe: Option<ChildStdin>,
    /// What is to be written next, and how much of it is.
    pending: Vec<u8>,
    n_written: usize,
    tail: Option<AudioTail>,
}

impl CommandInput {
    pub(super) fn new(
        pipe: ChildStdin,
        event: &WakeEvent,
        audio: CommandAudio,
        tail: Option<AudioTail>,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let mut pending = event.to_json().into_bytes();
        pending.push(b'\n');
        if audio == CommandAudio::Wav {
            pending.extend(wav_header_of_unknown_length(SampleRate::MODEL));
        }
        Ok(Self { pipe: Some(pipe), pending, n_written: 0, tail })
    }

    /// Writes what there is and what the command takes.
    pub(super) fn pump(&mut self) {
        while let Some(pipe) = &mut self.pipe {
            if self.n_written < self.pending.len() {
                match pipe.write(&self.pending[self.n_written..]) {
                    Ok(n) if n > 0 => self.n_written += n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // It has heard enough.
                    Ok(_) | Err(_) => self.pipe = None,
                }
                continue;
            }
            match self.tail.as_mut().map_or(Piece::End, |tail| tail.next(PIECE_SAMPLES)) {
                Piece::Samples(samples) => (self.pending, self.n_written) = (s16le(&samples), 0),
                Piece::NothingYet => return,
                Piece::End => self.pipe = None,
            }
        }
    }
}

/// The 44 bytes before 16-bit mono samples. Their length is larger than any that will come, and fits a signed number.
fn wav_header_of_unknown_length(rate: SampleRate) -> Vec<u8> {
    const BYTES_PER_SAMPLE: u16 = 2;
    const N_DATA_BYTES: u32 = 0x7fff_f000;
    let mut header = b"RIFF".to_vec();
    header.extend((N_DATA_BYTES + 36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    header.extend([1_u16, 1].iter().flat_map(|field| field.to_le_bytes()));
    header.extend(rate.hz().to_le_bytes());
    header.extend((rate.hz() * u32::from(BYTES_PER_SAMPLE)).to_le_bytes());
    header.extend([BYTES_PER_SAMPLE, 16].iter().flat_map(|field| field.to_le_bytes()));
    header.extend(b"data");
    header.extend(N_DATA_BYTES.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_a_wav_file() {
        let mut bytes = wav_header_of_unknown_length(SampleRate::MODEL);
        assert_eq!(bytes.len(), 44);
        bytes.extend([0; 20]);
        let spec = hound::WavReader::new(&bytes[..]).unwrap().spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
    }
}
