//! Compressed files as a source: FLAC, MP3, Vorbis, Opus, AAC and others, in whatever holds them, decoded packet by packet in constant
//! memory (symphonia; Opus by opus-decoder).
//!
//! What an encoder added at the ends is taken off, so that a word's time is that of the recording before it was compressed. A packet that
//! cannot be decoded is heard as silence of its length and counted.

mod edit_list;
mod opus;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::channels::MonoMap;
use super::{AudioError, AudioSource, ChannelChoice, Read};
use crate::units::SampleRate;
use edit_list::edit_of;
use opus::OpusPackets;

/// No codec's packets are longer; what says otherwise is damaged, too.
const LONGEST_PACKET_S: f64 = 1.0;

/// What was not as it should be in a file that was read nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// Packets that could not be decoded.
    pub n_bad_packets: u64,
    /// Samples a channel that they stand for, as far as the file tells; silence was heard in their place.
    pub n_silent_samples: u64,
    /// Why the file ended before its end.
    pub ended_early: Option<String>,
}

/// A compressed file, delivered at its own rate.
pub struct DecodedSource {
    format: Box<dyn FormatReader>,
    decoder: Decoder,
    track_id: u32,
    /// Seconds of a tick of the file's clock.
    tick_s: f64,
    name: String,
    rate: SampleRate,
    map: MonoMap,
    len_samples: Option<u64>,
    /// Interleaved samples of the last packet, those before `start` handed out.
    samples: Vec<f32>,
    start: usize,
    /// Samples a channel of silence that stand in for packets that could not be decoded.
    n_lost: u64,
    n_delivered: u64,
    /// Samples a channel that are left out at the beginning, and how many are heard at most.
    n_to_skip: u64,
    n_at_most: u64,
    damage: Damage,
    is_over: bool,
}

enum Decoder {
    Opus(Box<OpusPackets>),
    Other(Box<dyn AudioDecoder>),
}

impl Decoder {
    fn new(params: &AudioCodecParameters) -> Result<Self, Error> {
        if params.codec == CODEC_ID_OPUS {
            return Ok(Self::Opus(Box::new(OpusPackets::new(params)?)));
        }
        let decoder = symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default())?;
        Ok(Self::Other(decoder))
    }

    /// Replaces `samples` by the interleaved samples of `packet`; gives their rate and channels.
    fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), Error> {
        match self {
            Self::Opus(decoder) => decoder.decode(packet, samples),
            Self::Other(decoder) => {
                let decoded = decoder.decode(packet)?;
                decoded.copy_to_vec_interleaved(samples);
                Ok((decoded.spec().rate(), decoded.spec().channels().count()))
            }
        }
    }
}

/// What the next packet brought.
enum Step {
    Samples { rate: u32, n_channels: usize },
    Lost,
    End,
}

impl DecodedSource {
    /// Opens a file and decodes its first packet: only that tells for certain what is in it.
    ///
    /// # Errors
    /// When the file cannot be opened, is of no kind that is known, has no sound in it, or not the channel that is wanted.
    pub fn open(path: impl AsRef<Path>, channels: ChannelChoice) -> Result<Self, AudioError> {
        let path = path.as_ref();
        let undecodable = |detail: String| AudioError::Undecodable { path: path.to_owned(), detail };
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
            hint.with_extension(extension);
        }
        let file = File::open(path).map_err(|source| AudioError::OpenFailed { path: path.to_owned(), source })?;
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let probe = symphonia::default::get_probe();
        let options = (FormatOptions::default(), MetadataOptions::default());
        let format = decoding(|| probe.probe(&hint, stream, options.0, options.1))
            .map_err(|error| undecodable(error.to_string()))?;
        let (track, params) = sound_of(&*format).ok_or_else(|| undecodable("there is no sound in it".into()))?;
        let decoder = Decoder::new(params).map_err(|error| undecodable(error.to_string()))?;
        let tick_s = track.time_base.map_or(0.0, |base| f64::from(base.numer.get()) / f64::from(base.denom.get()));
        let duration_s = track.duration.map(|duration| duration.get() as f64 * tick_s);
        let track_id = track.id;
        let mut source = Self {
            decoder,
            track_id,
            tick_s,
            name: path.display().to_string(),
            rate: SampleRate::MODEL,
            map: MonoMap::new(1, ChannelChoice::Mix).expect("one channel can be mixed"),
            len_samples: None,
            samples: Vec::new(),
            start: 0,
            n_lost: 0,
            n_delivered: 0,
            n_to_skip: 0,
            n_at_most: u64::MAX,
            damage: Damage::default(),
            is_over: false,
            format,
        };
        let mut n_lost_s = 0.0;
        loop {
            match source.step()? {
                Step::Samples { rate, n_channels } => {
                    let n_channels = u16::try_from(n_channels).unwrap_or(u16::MAX);
                    if rate == 0 || n_channels == 0 {
                        return Err(undecodable(format!("it says {rate} samples a second in {n_channels} channels")));
                    }
                    source.rate = SampleRate::new(rate);
                    source.map = MonoMap::new(n_channels, channels).ok_or_else(|| {
                        let ChannelChoice::One(wanted) = channels else {
                            unreachable!("there is at least one channel")
                        };
                        AudioError::NoSuchChannel { name: source.name.clone(), wanted, n_channels }
                    })?;
                    let samples = |seconds: f64| (seconds * f64::from(rate)).round() as u64;
                    source.len_samples = duration_s.map(samples);
                    if let Some(edit) = edit_of(path) {
                        source.n_to_skip = samples(edit.start_s);
                        source.n_at_most = edit.duration_s.map_or(u64::MAX, samples);
                        source.len_samples =
                            source.len_samples.map(|n| n.saturating_sub(source.n_to_skip).min(source.n_at_most));
                    }
                    // What was lost before is known in ticks only now.
                    source.n_lost = (n_lost_s * f64::from(rate)).round() as u64;
                    source.damage.n_silent_samples = source.n_lost;
                    return Ok(source);
                }
                Step::Lost => n_lost_s += source.rate.seconds(std::mem::take(&mut source.n_lost)),
                Step::End => {
                    let reason = source.damage.ended_early.unwrap_or_else(|| "there is no sound in it".into());
                    return Err(undecodable(reason));
                }
            }
        }
    }

    /// Samples a channel, at the file's own rate, as the file says; `None` where it does not.
    pub fn len_samples(&self) -> Option<u64> {
        self.len_samples
    }

    /// The same in seconds.
    pub fn duration_s(&self) -> Option<f64> {
        Some(self.rate.seconds(self.len_samples()?))
    }

    /// Channels in the file.
    pub fn n_channels(&self) -> u16 {
        self.map.n_channels() as u16
    }

    /// What was not as it should be so far.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Decodes until there is something to tell.
    fn step(&mut self) -> Result<Step, AudioError> {
        loop {
            let packet = match decoding(|| self.format.next_packet()) {
                Ok(Some(packet)) if packet.track_id == self.track_id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(Step::End),
                Err(Error::ResetRequired) => match self.next_part() {
                    Ok(()) => continue,
                    Err(error) => return Ok(self.end_early(&error)),
                },
                Err(Error::IoError(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                    let (name, n_samples) = (self.name.clone(), self.n_delivered);
                    return Err(AudioError::ReadFailed { name, n_samples, source });
                }
                Err(error) => return Ok(self.end_early(&error)),
            };
            self.start = 0;
            match decoding(|| self.decoder.decode(&packet, &mut self.samples)) {
                Ok(_) if self.samples.is_empty() => {}
                Ok((rate, n_channels)) => return Ok(Step::Samples { rate, n_channels }),
                Err(Error::DecodeError(_) | Error::IoError(_)) => {
                    self.forget_packet();
                    self.damage.n_bad_packets += 1;
                    let seconds = (packet.block_dur().get() as f64 * self.tick_s).min(LONGEST_PACKET_S);
                    self.n_lost = (seconds * f64::from(self.rate.hz())).round() as u64;
                    self.damage.n_silent_samples += self.n_lost;
                    if self.n_lost > 0 {
                        return Ok(Step::Lost);
                    }
                }
                Err(error) => return Ok(self.end_early(&error)),
            }
        }
    }

    /// Goes on with the next recording of a file that is a chain of them.
    fn next_part(&mut self) -> Result<(), Error> {
        let (track, params) = sound_of(&*self.format).ok_or(Error::Unsupported("a part without sound follows"))?;
        self.decoder = Decoder::new(params)?;
        self.track_id = track.id;
        Ok(())
    }

    fn forget_packet(&mut self) {
        self.samples.clear();
        self.start = 0;
    }

    fn end_early(&mut self, error: &Error) -> Step {
        self.damage.ended_early = Some(error.to_string());
        Step::End
    }
}

/// Does what reads other people's bytes. Should it panic over them, the bytes are at fault, and the other recordings go on.
fn decoding<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::DecodeError("the decoder cannot go on")))
}

/// The track that is heard.
fn sound_of(format: &dyn FormatReader) -> Option<(&Track, &AudioCodecParameters)> {
    let track = format.default_track(TrackType::Audio)?;
    Some((track, track.codec_params.as_ref()?.audio()?))
}

impl AudioSource for DecodedSource {
    fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, chunk: &mut [f32]) -> Result<Read, AudioError> {
        loop {
            if self.n_lost > 0 {
                let n = usize::try_from(self.n_lost).unwrap_or(usize::MAX).min(chunk.len());
                chunk[..n].fill(0.0);
                self.n_lost -= n as u64;
                self.n_delivered += n as u64;
                return Ok(Read::Samples(n));
            }
            let n_channels = self.map.n_channels();
            let waiting = &self.samples[self.start..];
            let n_waiting = waiting.len() / n_channels;
            let n_skipped = self.n_to_skip.min(n_waiting as u64);
            if n_skipped > 0 {
                self.n_to_skip -= n_skipped;
                self.start += n_skipped as usize * n_channels;
                continue;
            }
            if self.n_delivered >= self.n_at_most {
                return Ok(Read::End);
            }
            let n_wanted = usize::try_from(self.n_at_most - self.n_delivered).unwrap_or(usize::MAX).min(chunk.len());
            let n = n_waiting.min(n_wanted);
            if n > 0 {
                self.map.convert(&waiting[..n * n_channels], |sample| sample, &mut chunk[..n]);
                self.start += n * n_channels;
                self.n_delivered += n as u64;
                return Ok(Read::Samples(n));
            }
            if self.is_over {
                return Ok(Read::End);
            }
            match self.step()? {
                Step::Samples { rate, n_channels: found } if rate == self.rate.hz() && found == n_channels => {}
                Step::Samples { rate, n_channels: found } => {
                    self.forget_packet();
                    self.damage.ended_early = Some(format!(
                        "it goes on with {rate} samples a second in {found} channels, and began with {} in {n_channels}",
                        self.rate.hz()
                    ));
                    self.is_over = true;
                }
                Step::Lost => {}
                Step::End => {
                    self.forget_packet();
                    self.is_over = true;
                }
            }
        }
    }
}
