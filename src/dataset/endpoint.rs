//! Where the word lies in a clip: an energy detector relative to the clip's own floor and peak.
//!
//! Recorders differ in everything absolute: some leave digital silence around a word, some gate at -80 dB, some hiss at
//! -50 dB. So the threshold lies between the clip's quiet frames and its loud ones, and never below what 16 bits can tell
//! from silence.

use crate::units::power_to_decibels;

/// Distance of the level readings, in samples: 5 ms.
const HOP: usize = 80;
/// Samples under one level reading: 20 ms, two periods of a deep voice.
const WINDOW: usize = 320;
/// Quieter than this is silence whatever surrounds it, in dBFS: two or three steps of 16 bits.
pub(super) const SILENCE_DBFS: f32 = -70.0;
/// The floor is the level below which this share of the readings lies.
const FLOOR_QUANTILE: f32 = 0.1;
/// A reading is sound when it is this much above the floor, in dB...
const ABOVE_FLOOR_DB: f32 = 10.0;
/// ...and at most this much below the loudest one. Weak ends of words, such as the /s/ of "jarvis", lie 25 to 35 dB down.
const BELOW_PEAK_DB: f32 = 34.0;
/// The threshold is never nearer to the peak than this, or a noisy clip would have no word, in dB.
const NEAREST_TO_PEAK_DB: f32 = 9.0;
/// A shorter pause belongs to the word, in readings: 0.3 s, longer than the closure before a plosive and most gaps between
/// the words of a phrase.
const LONGEST_PAUSE: usize = 60;
/// Sound shorter than this is a click, in readings: 35 ms.
const LONGEST_CLICK: usize = 7;

/// Where the sound lies in a clip, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// First sample of the word.
    pub start: usize,
    /// One past its last sample.
    pub end: usize,
}

/// Finds the word in a clip at 16 kHz: of the stretches of sound with no long pause inside, the one with the most energy above the
/// threshold. `None` if the clip is silent.
pub fn find_endpoints(samples: &[f32]) -> Option<Endpoints> {
    let levels = levels_dbfs(samples);
    let peak = levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if peak < SILENCE_DBFS {
        return None;
    }
    let threshold = threshold_dbfs(&levels, peak);
    let best = stretches(&levels, threshold)
        .into_iter()
        .max_by(|a, b| loudness(&levels[a.0..a.1], threshold).total_cmp(&loudness(&levels[b.0..b.1], threshold)))?;
    // Everything under a reading that is sound: reading i covers the samples from i·HOP on.
    let start = best.0 * HOP;
    let end = ((best.1 - 1) * HOP + WINDOW).min(samples.len());
    (start < end).then_some(Endpoints { start, end })
}

/// Level of each window, hop by hop.
fn levels_dbfs(samples: &[f32]) -> Vec<f32> {
    let n_readings = samples.len().saturating_sub(WINDOW) / HOP + 1;
    (0..n_readings)
        .map(|i| {
            let window = &samples[i * HOP..(i * HOP + WINDOW).min(samples.len())];
            let mean = window.iter().sum::<f32>() / window.len().max(1) as f32;
            let power = window.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / window.len().max(1) as f32;
            power_to_decibels(power.max(1e-12))
        })
        .collect()
}

fn threshold_dbfs(levels: &[f32], peak: f32) -> f32 {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let floor = sorted[(sorted.len() as f32 * FLOOR_QUANTILE) as usize].max(SILENCE_DBFS - ABOVE_FLOOR_DB);
    (floor + ABOVE_FLOOR_DB).max(peak - BELOW_PEAK_DB).min(peak - NEAREST_TO_PEAK_DB)
}

/// Runs of readings above the threshold as (first, one past the last), clicks removed, short pauses bridged.
fn stretches(levels: &[f32], threshold: f32) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut first = None;
    for (i, &level) in levels.iter().chain([&f32::NEG_INFINITY]).enumerate() {
        match (first, level >= threshold) {
            (None, true) => first = Some(i),
            (Some(start), false) => {
                runs.push((start, i));
                first = None;
            }
            _ => {}
        }
    }
    runs.retain(|(start, end)| end - start > LONGEST_CLICK);
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.0 - last.1 <= LONGEST_PAUSE => last.1 = run.1,
            _ => joined.push(run),
        }
    }
    joined
}

/// Decibels above the threshold, summed: long and loud beats short and loud.
fn loudness(levels: &[f32], threshold: f32) -> f32 {
    levels.iter().map(|level| (level - threshold).max(0.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.8 s floor, a word of `n_word` samples with soft edges and a closure in the middle, 0.6 s floor.
    fn clip(floor: f32, peak: f32, n_word: usize) -> Vec<f32> {
        let mut noise = 1u32;
        let mut next = move || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let (before, after) = (12_800, 9_600);
        (0..before + n_word + after)
            .map(|i| {
                let place = i as f32 - before as f32;
                let inside = place >= 0.0 && place < n_word as f32;
                let closure = (place - n_word as f32 / 2.0).abs() < 800.0;
                let edge = (place.min(n_word as f32 - place) / 480.0).clamp(0.0, 1.0);
                let word = if inside && !closure { peak * edge * (i as f32 * 0.09).sin() } else { 0.0 };
                word + floor * next()
            })
            .collect()
    }

    #[test]
    fn words_are_found_within_30_ms_over_any_floor() {
        for (floor, peak) in [(0.0, 0.3), (1e-4, 0.3), (1e-3, 0.02), (1e-2, 0.3), (0.0, 0.003)] {
            let found = find_endpoints(&clip(floor, peak, 9_600)).unwrap();
            let error_ms = |found: usize, truth: usize| (found as f32 - truth as f32).abs() / 16.0;
            let (start, end) = (error_ms(found.start, 12_800), error_ms(found.end, 22_400));
            assert!(start <= 30.0 && end <= 30.0, "floor {floor}, peak {peak}: {start} ms, {end} ms");
        }
    }

    #[test]
    fn a_loud_click_far_from_the_word_is_not_the_word() {
        let mut samples = clip(1e-4, 0.1, 9_600);
        samples[2_000..2_080].fill(0.9);
        let found = find_endpoints(&samples).unwrap();
        assert!(found.start > 12_000, "{found:?}");
    }

    #[test]
    fn silence_has_no_word() {
        assert_eq!(find_endpoints(&[0.0; 16_000]), None);
        assert_eq!(find_endpoints(&clip(1e-5, 0.0, 9_600)), None);
        assert_eq!(find_endpoints(&[]), None);
    }
}
