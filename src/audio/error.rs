//! What can go wrong with sound: one variant a cause, each with what was found, where, and what to try next.

use std::io;
use std::path::PathBuf;

use crate::units::SampleRate;

/// Why a source of sound could not be opened, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    // Files.
    /// No file at this path.
    #[error("there is no file at {}; check the path", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// A folder where a file was expected.
    #[error("{} is a folder, expected a WAV file; name a file in it", path.display())]
    IsFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("no permission to read {}; run as a user who may, or change the file's mode", path.display())]
    NoPermission {
        /// The path as given.
        path: PathBuf,
    },
    /// The file could not be opened for another reason.
    #[error("cannot open {}", path.display())]
    OpenFailed {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed after the file or stream was opened.
    #[error("reading {name} failed after {n_samples} samples; the medium may be damaged or the connection gone")]
    ReadFailed {
        /// The path, or `-` for standard input.
        name: String,
        /// How many samples a channel had been delivered.
        n_samples: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A file of no bytes.
    #[error("{} is empty (0 bytes), expected a WAV file; record or copy it again", path.display())]
    EmptyFile {
        /// The path as given.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "{} is not a WAV file, it looks like {looks_like}; convert it: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav",
        path.display()
    )]
    NotWav {
        /// The path as given.
        path: PathBuf,
        /// What its first bytes suggest.
        looks_like: &'static str,
    },
    /// No kind of sound file that is known, or a damaged one.
    #[error(
        "{} cannot be decoded: {detail}; expected WAV, FLAC, MP3, Ogg (Vorbis, Opus), WebM, M4A or another common sound file; \
         convert it: ffmpeg -i INPUT OUTPUT.flac",
        path.display()
    )]
    Undecodable {
        /// The path as given.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// It begins as a WAV file, but the header cannot be followed.
    #[error("the WAV header of {} is damaged: {detail}; export or convert the file again", path.display())]
    HeaderDamaged {
        /// The path as given.
        path: PathBuf,
        /// What was found and what was expected.
        detail: String,
    },
    /// The samples are stored in a way that is not read here.
    #[error(
        "{} holds {encoding}, expected integers of 8, 16, 24 or 32 bits or floats of 32 or 64 bits; \
         convert it: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav",
        path.display()
    )]
    UnsupportedEncoding {
        /// The path as given.
        path: PathBuf,
        /// The encoding's name, or its number.
        encoding: String,
    },
    /// A header that promises no channels.
    #[error("the WAV header of {} says 0 channels, expected at least 1; export the file again", path.display())]
    ZeroChannels {
        /// The path as given.
        path: PathBuf,
    },
    /// A header with a rate of 0.
    #[error("the WAV header of {} says 0 samples a second; export the file again", path.display())]
    ZeroRate {
        /// The path as given.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {}; check that its folder exists, is writable and has room", path.display())]
    WriteFailed {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    // Channels, rates, formats.
    /// A channel that the source does not have.
    #[error(
        "{name} has {n_channels} channel(s), so there is no channel {}; choose 1 to {n_channels}, or 'mix'",
        u32::from(*wanted) + 1
    )]
    NoSuchChannel {
        /// The path, or the device.
        name: String,
        /// The channel asked for, from 0.
        wanted: u16,
        /// How many there are.
        n_channels: u16,
    },
    /// A rate outside of what can be converted.
    #[error("cannot convert audio from {from} to {to}; rates from {min} to {max} can be converted")]
    RateOutOfRange {
        /// The rate of the source.
        from: SampleRate,
        /// The rate wanted.
        to: SampleRate,
        /// The lowest rate that can be converted.
        min: SampleRate,
        /// The highest rate that can be converted.
        max: SampleRate,
    },
    /// A name of a sample format that is not known.
    #[error("unknown sample format '{found}'; expected one of {choices}")]
    UnknownSampleFormat {
        /// The text found.
        found: String,
        /// The names that are known, with commas.
        choices: String,
    },
    /// A choice of channel that is neither `mix` nor a number.
    #[error("unknown channel '{found}'; expected 'mix', or a channel counted from 1")]
    BadChannelChoice {
        /// The text found.
        found: String,
    },
    /// A description of raw audio that cannot be read.
    #[error(
        "cannot read '{found}' as a raw audio format: {detail}; expected FORMAT[,RATE[,CHANNELS]], as in s16le,16000,1"
    )]
    BadPcmFormat {
        /// The whole text.
        found: String,
        /// Which part, and why.
        detail: String,
    },
    /// Standard input could not be made ready for waiting.
    #[error("cannot wait on {name}")]
    WaitFailed {
        /// `-` for standard input.
        name: String,
        /// What the system said.
        source: io::Error,
    },

    // Devices.
    /// The sound system itself is missing or refuses.
    #[error(
        "the sound system cannot be reached: {reason}; on Linux check that libasound2 is installed and the sound server runs"
    )]
    NoSoundSystem {
        /// What the sound system said.
        reason: String,
    },
    /// No way into the sound system of this name.
    #[error(
        "this build has no sound system '{wanted}', it has: {choices}; 'pulseaudio' comes with: cargo build --features pulseaudio"
    )]
    UnknownHost {
        /// The name asked for.
        wanted: String,
        /// The names there are, with commas.
        choices: String,
    },
    /// There is no default microphone.
    #[error("no microphone found: {reason}; plug one in, or see what the sound system offers with: tripword devices")]
    NoMicrophone {
        /// What the sound system said.
        reason: String,
    },
    /// No device of this name.
    #[error("no capture device matches '{wanted}'; there are: {choices}; see also: tripword devices")]
    UnknownDevice {
        /// The id, name or part of a name asked for.
        wanted: String,
        /// The devices there are, with commas.
        choices: String,
    },
    /// More than one device matches.
    #[error("'{wanted}' matches more than one capture device: {choices}; give a whole id from: tripword devices")]
    AmbiguousDevice {
        /// The part of a name asked for.
        wanted: String,
        /// The devices that match, with commas.
        choices: String,
    },
    /// The device is known but cannot be opened, as it is not there.
    #[error(
        "the capture device {device} is not available: {reason}; plug it in, or choose another from: tripword devices"
    )]
    DeviceUnavailable {
        /// The device's id.
        device: String,
        /// What the sound system said.
        reason: String,
    },
    /// Another program holds the device.
    #[error(
        "the capture device {device} is in use by another program: {reason}; close that program, or choose another from: tripword devices"
    )]
    DeviceBusy {
        /// The device's id.
        device: String,
        /// What the sound system said.
        reason: String,
    },
    /// The system forbids access to the device.
    #[error(
        "no permission to record from {device}: {reason}; on Linux add the user to the group 'audio', \
         elsewhere allow microphone access in the system's privacy settings"
    )]
    DevicePermission {
        /// The device's id.
        device: String,
        /// What the sound system said.
        reason: String,
    },
    /// The device offers nothing that can be used.
    #[error("the capture device {device} offers no usable format: {reason}; see its formats with: tripword devices")]
    NoUsableFormat {
        /// The device's id.
        device: String,
        /// What was tried.
        reason: String,
    },
    /// The device was there and is gone, or its server died.
    #[error("the capture device {device} was lost: {reason}; reopen it, or see what there is with: tripword devices")]
    DeviceLost {
        /// The device's id.
        device: String,
        /// What the sound system said first.
        reason: String,
    },
    /// The device is open but has stopped delivering, with no error.
    #[error(
        "the capture device {device} has delivered no samples for {seconds:.1} s; reopen it, or see what there is with: tripword devices"
    )]
    DeviceSilent {
        /// The device's id.
        device: String,
        /// How long nothing came.
        seconds: f64,
    },
    /// Samples come far faster than sound: whatever delivers them, it is no microphone that works.
    #[error(
        "the capture device {device} delivers sound {times:.0} times faster than time passes; a plugin without a clock may stand in its \
         place, see: tripword devices"
    )]
    DeviceTooFast {
        /// The device's id.
        device: String,
        /// Audio time over wall time.
        times: f64,
    },
    /// Samples come at a rate that has little to do with the one agreed on.
    #[error(
        "the capture device {device} delivers {found_hz:.0} samples a second, agreed were {agreed}; ask for another rate with input.rate_hz"
    )]
    DeviceWrongRate {
        /// The device's id.
        device: String,
        /// Samples a second as counted.
        found_hz: f64,
        /// The rate it was opened with.
        agreed: SampleRate,
    },
    /// The device's stream ended by itself.
    #[error("the capture device {device} ended its stream; see what there is with: tripword devices")]
    DeviceEnded {
        /// The device's id.
        device: String,
    },
    /// The sound system takes too long.
    #[error("the sound system has not answered for {seconds:.0} s; the sound server may hang, restart it")]
    NoAnswer {
        /// How long.
        seconds: f64,
    },
    /// The thread that opens devices could not be started.
    #[error("cannot start the thread that opens microphones")]
    NoThread {
        /// What the system said.
        source: io::Error,
    },
}
