//! What of an MP4 file's sound is meant to be heard: its edit list (ISO 14496-12, 8.6.6) leaves out what the encoder put before and after.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use mp4parse::TrackType;

/// A stretch of the decoded sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edit {
    /// Before it, in seconds.
    pub(super) start_s: f64,
    /// Its length, where the list tells one.
    pub(super) duration_s: Option<f64>,
}

/// The edit of the first track with sound; none where there is no list, or no MP4 file.
pub(super) fn edit_of(path: &Path) -> Option<Edit> {
    let mut file = BufReader::new(File::open(path).ok()?);
    if !is_mp4(&mut file).unwrap_or(false) {
        return None;
    }
    let movie = mp4parse::read_mp4(&mut file).ok()?;
    let track = movie.tracks.iter().find(|track| track.track_type == TrackType::Audio)?;
    let own_tick_s = 1.0 / track.timescale.filter(|scale| scale.0 > 0)?.0 as f64;
    let movie_tick_s = 1.0 / movie.timescale.filter(|scale| scale.0 > 0)?.0 as f64;
    Some(Edit {
        start_s: track.media_time?.0 as f64 * own_tick_s,
        // No length in a file that was written before its end was known.
        duration_s: track.edited_duration.map(|time| time.0 as f64 * movie_tick_s).filter(|&seconds| seconds > 0.0),
    })
}

fn is_mp4(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut head = [0; 8];
    file.read_exact(&mut head)?;
    file.rewind()?;
    Ok(&head[4..] == b"ftyp")
}
