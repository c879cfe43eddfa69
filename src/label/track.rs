//! What is heard at a time: a recording's mix, or one of its channels.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Recording;
use crate::audio::ChannelChoice;

/// Which of a recording's channels are labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// All as one, or one of them.
    Choice(ChannelChoice),
    /// Each by itself.
    Each,
}

impl Channels {
    /// The tracks of `recording`, which has `n_channels`.
    pub fn tracks(self, recording: &Recording, n_channels: u16) -> Vec<Track<'_>> {
        match self {
            Self::Choice(channels) => vec![Track { recording, channels, is_one_of_each: false }],
            Self::Each => (0..n_channels).map(|channel| Track::one_of_each(recording, channel)).collect(),
        }
    }

    /// A track that every recording has; where its outputs go, those of the others go, too.
    pub fn first_track(self, recording: &Recording) -> Track<'_> {
        match self {
            Self::Choice(channels) => Track { recording, channels, is_one_of_each: false },
            Self::Each => Track::one_of_each(recording, 0),
        }
    }
}

impl FromStr for Channels {
    type Err = String;

    /// `mix`, `each`, or a channel as people count them, from 1.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "each" => Ok(Self::Each),
            choice => choice.parse().map(Self::Choice).map_err(|_| {
                format!("'{text}' is no choice of channels; expected 'mix', 'each' or a channel's number from 1")
            }),
        }
    }
}

/// One mono signal of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track<'a> {
    /// The recording.
    pub recording: &'a Recording,
    /// What of it is heard.
    pub channels: ChannelChoice,
    /// Whether the recording has a track for each channel, whose outputs then have the channel in their names.
    pub is_one_of_each: bool,
}

impl<'a> Track<'a> {
    fn one_of_each(recording: &'a Recording, channel: u16) -> Self {
        Self { recording, channels: ChannelChoice::One(channel), is_one_of_each: true }
    }

    /// The channel, counted from 1, unless it is the mix.
    pub fn channel(&self) -> Option<u16> {
        match self.channels {
            ChannelChoice::Mix => None,
            ChannelChoice::One(channel) => Some(channel + 1),
        }
    }

    /// Where an output with this ending goes: below `folder` as the recording lies below the folder that was named, or beside the
    /// recording. `talk.wav` has `talk.ENDING`, its second channel among each `talk.ch2.ENDING`.
    pub fn output_path(&self, folder: Option<&Path>, ending: &str) -> PathBuf {
        self.base_path(folder).with_extension(match self.channel() {
            Some(channel) if self.is_one_of_each => format!("ch{channel}.{ending}"),
            _ => ending.to_owned(),
        })
    }

    /// The folder below `folder` for the track's own outputs of which there may be many: `talk`, or `talk.ch2`.
    pub fn output_folder(&self, folder: &Path) -> PathBuf {
        self.base_path(Some(folder)).with_extension(match self.channel() {
            Some(channel) if self.is_one_of_each => format!("ch{channel}"),
            _ => String::new(),
        })
    }

    fn base_path(&self, folder: Option<&Path>) -> PathBuf {
        folder.map_or_else(|| self.recording.path.clone(), |folder| folder.join(&self.recording.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_named_after_recording_and_channel() {
        let recording = Recording { path: "/archive/a/talk.v2.wav".into(), place: "a/talk.v2.wav".into() };
        let mix: Channels = "mix".parse().unwrap();
        let mix = mix.tracks(&recording, 2);
        assert_eq!(mix.len(), 1);
        assert_eq!(mix[0].output_path(None, "rttm"), Path::new("/archive/a/talk.v2.rttm"));
        assert_eq!(mix[0].output_folder(Path::new("out")), Path::new("out/a/talk.v2"));
        let each: Channels = "each".parse().unwrap();
        let each = each.tracks(&recording, 2);
        assert_eq!(each.iter().map(Track::channel).collect::<Vec<_>>(), [Some(1), Some(2)]);
        assert_eq!(each[1].output_path(Some(Path::new("out")), "rttm"), Path::new("out/a/talk.v2.ch2.rttm"));
        assert_eq!(each[1].output_folder(Path::new("out")), Path::new("out/a/talk.v2.ch2"));
    }

    #[test]
    fn other_choices_are_refused_with_the_possible_ones() {
        assert_eq!("2".parse(), Ok(Channels::Choice(ChannelChoice::One(1))));
        let error = "0".parse::<Channels>().unwrap_err();
        assert_eq!(error, "'0' is no choice of channels; expected 'mix', 'each' or a channel's number from 1");
    }
}
