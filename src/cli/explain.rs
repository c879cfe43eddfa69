//! `tripword explain`

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use super::audio_progress::AudioProgress;
use super::context::Context;
use super::hearing::HearingArgs;
use super::{Outcome, print_line};
use crate::audio::ChannelChoice;
use crate::audio::file::FileSource;
use crate::explain::{Decision, Explanation, Reason, explain};
use crate::label::{Channels, Recording};
use crate::units::SampleRate;

/// Tell why a word was heard at a moment of a recording, or why not
#[derive(Args)]
#[command(after_help = "Examples:
  tripword explain talk.wav --at 12.3                   which part of the rule decided, and how good the sound is there
  tripword explain talk.mp3 --at 1:02:03.5 --window 3
  tripword explain call.wav --at 80 --channel 2 --json | jq '.words[] | {word, reason, best_score}'

The parts of the rule, in the order in which they decide: threshold, smoothing (the score is a mean over smoothing_ms), warm_up (the
first moments of a stream), min_duration, refractory (too soon after an event), release (the score has not fallen since an event).")]
pub(super) struct ExplainArgs {
    /// The recording, of any kind that 'label' reads
    file: PathBuf,
    /// The moment: seconds, M:S or H:M:S from the beginning of the recording
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: f64,
    /// How much is looked at before and after it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.5)]
    window: f64,
    #[command(flatten)]
    hearing: HearingArgs,
    /// Channel to hear, counted from 1, or 'mix'
    #[arg(long)]
    channel: Option<String>,
    /// For machines: one JSON object with everything
    #[arg(long)]
    json: bool,
}

/// `12.3`, `2:03.5` or `1:02:03.5` in seconds.
fn parse_time(text: &str) -> Result<f64, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let seconds = parts.iter().try_fold(0.0, |sum: f64, part| {
        let number = part.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)?;
        Some(sum * 60.0 + number)
    });
    seconds
        .filter(|_| parts.len() <= 3)
        .ok_or_else(|| "expected seconds, M:S or H:M:S, as in 12.3, 2:03.5 or 1:02:03.5".to_owned())
}

pub(super) fn run(args: &ExplainArgs, mut context: Context) -> Result<Outcome> {
    args.hearing.apply(&mut context)?;
    if let Some(channel) = &args.channel {
        context.set_flag("--channel", "input.channel", channel.as_str())?;
    }
    if !(args.window > 0.0 && args.window <= 60.0) {
        bail!("--window {}: expected more than 0 and at most 60 seconds", args.window);
    }
    let channel: ChannelChoice = context.settings()?.input.channel.parse()?;
    let bundle = context.load_model()?;
    let recording = Recording::named(&args.file);
    if args.file.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        bail!("{}: cannot be read twice, which explaining it needs; save it as a file first", args.file.display());
    }
    let channels = Channels::Choice(channel);
    let source = FileSource::open(&args.file, channel)?;
    if let Some(duration_s) = source.duration_s().filter(|duration_s| args.at > *duration_s) {
        bail!("--at {}: {} is {duration_s:.2} s long", args.at, args.file.display());
    }
    let progress = if args.json {
        AudioProgress::hidden()
    } else {
        AudioProgress::shown(std::iter::once(args.file.as_path()), channels)
    };
    let window_s = (args.at - args.window).max(0.0)..args.at + args.window;
    let track = channels.first_track(&recording);
    let never = AtomicBool::new(false);
    let file_progress = progress.file(0);
    let explanation = explain(&track, source, &bundle, window_s, &never, &|n_samples| file_progress.heard(n_samples))
        .map_err(|error| anyhow!(error))?;
    drop(file_progress);
    progress.finish();
    if args.json {
        print_line(&serde_json::to_string(&explanation)?)?;
    } else {
        print(&explanation)?;
    }
    Ok(Outcome::Success)
}

fn print(explanation: &Explanation) -> Result<()> {
    let Explanation { file, channel, n_channels, model, duration_s, window_s, words, level, sound, warnings } =
        explanation;
    let heard = match (channel, n_channels) {
        (Some(channel), _) => format!("channel {channel} of {n_channels}"),
        (None, 1) => "one channel".to_owned(),
        (None, _) => format!("mix of {n_channels} channels"),
    };
    print_line(&format!("{}: {duration_s:.1} s, {} Hz, {heard}; model {model}", file.display(), sound.sample_rate_hz))?;
    print_line(&format!("from {:.2} to {:.2} s:", window_s.start, window_s.end))?;
    let width = words.iter().map(|word| word.word.chars().count()).max().unwrap_or(0);
    for decision in words {
        print_line(&format!("  {:width$}  {}", decision.word, told(decision)))?;
    }
    print_line(&format!("sound: {}", sound_line(explanation)))?;
    if let Some(level) = level {
        print_line(&format!(
            "level of '{}': {:.1} dBFS, {:.0} dB above the quiet before it",
            level.nearest_word, level.level_dbfs, level.snr_db
        ))?;
    }
    for remark in remarks(explanation) {
        print_line(&format!("note: {remark}"))?;
    }
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(())
}

/// What decided, in a sentence.
fn told(decision: &Decision) -> String {
    let Decision { rule, reason, best_score, best_score_at_s, best_probability, best_probability_at_s, .. } = decision;
    let threshold = rule.threshold;
    let best = format!("score {best_score:.3} at {best_score_at_s:.2} s, threshold {threshold:.3}");
    match reason {
        Reason::Fired { events } => {
            let all = events.iter().map(|event| {
                format!(
                    "heard from {:.2} to {:.2} s, decided at {:.2} s with score {:.3}, threshold {threshold:.3}",
                    event.start_s, event.end_s, event.time_s, event.score
                )
            });
            all.collect::<Vec<_>>().join("; ")
        }
        Reason::Threshold => format!("below the threshold: {best}"),
        Reason::Smoothing { above } => format!(
            "smoothed away: probability {best_probability:.3} at {best_probability_at_s:.2} s, {} ms at or above the threshold, but the mean over {} ms is {best}",
            above.0, rule.smoothing_ms.0
        ),
        Reason::MinDuration { lasted } => {
            format!("too short: {best}, held for {} of min_duration_ms {}", lasted.0, rule.min_duration_ms.0)
        }
        Reason::Refractory { event_at_s, until_s } => {
            format!("too soon after the event at {event_at_s:.2} s, nothing before {until_s:.2} s: {best}")
        }
        Reason::Release { event_at_s } => format!(
            "still the event at {event_at_s:.2} s: the score has not fallen below the release threshold {:.3} since; {best}",
            rule.release_threshold
        ),
        Reason::WarmUp { until_s } => format!("the stream had only begun, nothing before {until_s:.2} s: {best}"),
    }
}

fn sound_line(explanation: &Explanation) -> String {
    let sound = &explanation.sound;
    let holes = match sound.hole_s() {
        0.0 => "no drop-outs".to_owned(),
        hole_s => format!("{} drop-outs ({:.0} ms)", sound.drop_outs.len(), hole_s * 1000.0),
    };
    format!(
        "{:.1} dBFS, peak {:.1} dBFS, DC offset {:+.4}, {} clipped samples, {holes}",
        sound.rms_dbfs, sound.peak_dbfs, sound.dc_offset, sound.n_clipped_samples
    )
}

/// What may be the matter, and what to do about it.
fn remarks(explanation: &Explanation) -> Vec<String> {
    let Explanation { words, sound, level, window_s, .. } = explanation;
    let mut remarks = Vec::new();
    if sound.n_samples == 0 {
        remarks.push("there is no sound at this moment".to_owned());
        return remarks;
    }
    let nobody_fired = !words.iter().any(|word| matches!(word.reason, Reason::Fired { .. }));
    let near = words.iter().filter(|word| word.reason == Reason::Threshold && word.best_score >= 0.1);
    if let Some(word) = near.max_by(|a, b| a.best_score.total_cmp(&b.best_score)).filter(|_| nobody_fired) {
        remarks.push(format!(
            "--threshold {:.2} would hear '{}' here; 'tripword label --threshold' tells what else it would hear",
            (word.best_score * 100.0).floor() / 100.0,
            word.word
        ));
    }
    if sound.sample_rate_hz < SampleRate::MODEL.hz() {
        remarks.push(format!(
            "recorded at {} Hz: nothing above {} Hz is there, and the model was trained up to 8000 Hz",
            sound.sample_rate_hz,
            sound.sample_rate_hz / 2
        ));
    }
    if sound.n_clipped_samples * 1000 > sound.n_samples {
        remarks.push("more than one sample in a thousand is clipped: record with less gain".to_owned());
    }
    if sound.dc_offset.abs() > 0.01 {
        remarks
            .push("a DC offset of more than 1 % of full scale: the microphone or its amplifier is not well".to_owned());
    }
    if let Some(first) = sound.drop_outs.first() {
        remarks.push(format!(
            "{:.0} ms of one value, first at {:.3} s: samples were lost, or silence was put there",
            sound.hole_s() * 1000.0,
            first.start_s
        ));
    }
    if sound.rms_dbfs < -60.0 {
        remarks.push("very quiet: raise the gain of the recorder".to_owned());
    }
    if let Some(level) = level.as_ref().filter(|level| level.snr_db < 6.0) {
        remarks.push(format!(
            "only {:.0} dB above what is heard before it: words are missed in so much noise",
            level.snr_db
        ));
    }
    if explanation.duration_s < window_s.end - 0.5 && nobody_fired {
        remarks.push("the recording ends here: of a word that is cut off little can be heard".to_owned());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        assert_eq!(parse_time("12.3"), Ok(12.3));
        assert_eq!(parse_time("2:03.5"), Ok(123.5));
        assert_eq!(parse_time("1:02:03.5"), Ok(3723.5));
        for wrong in ["", "x", "-1", "1:2:3:4", "1::2", "nan", "inf"] {
            assert!(parse_time(wrong).unwrap_err().starts_with("expected seconds"), "{wrong}");
        }
    }
}
