//! Any rate to any other, chiefly a device's or file's rate to the model's, with an anti-alias filter (rubato).
//!
//! Samples are gathered into blocks of a fixed size before they are converted, so the result does not depend on how a stream
//! was cut into chunks: not in one bit. The converter's own delay is cut off at the start and flushed out at the end:
//! sample `n` of the output lies at time `n / to` (within half a sample, a fixed offset that is 0 for 8, 16, 24, 32, 48 kHz
//! and their multiples), and `n_in` samples become `ceil(n_in * to / from)`.
//!
//! Two engines, by the greatest common divisor of the rates. The usual rates go through FFT blocks, which are cheapest. Rates
//! with little in common (11 025 or 17 123 Hz) would need blocks of up to a second that way; they go through
//! an interpolated windowed sinc. Both use the same window and the same transition band.

mod source;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    calculate_cutoff,
};

use super::AudioError;
use crate::units::{Milliseconds, SampleRate, copy_limited};

pub use source::{Resampled, at_model_rate};

/// The lowest rate that is converted; nothing that carries speech is below it.
pub const RATE_MIN: SampleRate = SampleRate::new(1000);
/// The highest rate that is converted, twice what any sound hardware does; a bound on memory when a header lies.
pub const RATE_MAX: SampleRate = SampleRate::new(1_536_000);

/// Length of the anti-alias filter in samples of the slower of the two rates: 10 ms at 16 kHz.
/// With the window below the response is flat to 0.88 of the slower Nyquist frequency (7.05 kHz of 8), 6 dB down
/// at 0.94 and silent from 1.0 on.
const FILTER_SAMPLES: usize = 160;

/// Sidelobes below -100 dB, and a narrower transition band than Blackman-Harris squared.
const WINDOW: WindowFunction = WindowFunction::Blackman2;

/// FFT blocks no longer than this keep the delay, one and a half blocks, at 30 ms; rates that need longer ones use the sinc.
/// As blocks are multiples of `1 / gcd(from, to)` seconds, it is a bound on the divisor.
const FFT_GCD_MIN: u32 = 50;

/// Blocks a second for the sinc engine, whose block length is free.
const SINC_BLOCKS_A_SECOND: u32 = 100;

/// Converts a stream from one rate to another.
pub struct Resampler {
    from: SampleRate,
    to: SampleRate,
    /// `None` when the rates are equal: samples pass untouched.
    engine: Option<Engine>,
    n_in: u64,
    n_out: u64,
}

struct Engine {
    rubato: Box<dyn rubato::Resampler<f32>>,
    /// Delay of `rubato`, in samples of its output.
    delay: usize,
    block_in: Box<[f32]>,
    n_gathered: usize,
    block_out: Box<[f32]>,
    n_to_trim: usize,
    n_unusable: u64,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Resampler {
    /// A converter at the beginning of a stream. Everything is allocated here.
    ///
    /// # Errors
    /// When one of the rates is not within [`RATE_MIN`] and [`RATE_MAX`].
    pub fn new(from: SampleRate, to: SampleRate) -> Result<Self, AudioError> {
        let known = RATE_MIN..=RATE_MAX;
        if !known.contains(&from) || !known.contains(&to) {
            return Err(AudioError::RateOutOfRange { from, to, min: RATE_MIN, max: RATE_MAX });
        }
        let engine = (from != to).then(|| Engine::new(from.hz(), to.hz()));
        Ok(Self { from, to, engine, n_in: 0, n_out: 0 })
    }

    /// Samples so far that were not finite or far beyond full scale, and were limited. Where nothing is converted they pass.
    pub fn n_unusable_samples(&self) -> u64 {
        self.engine.as_ref().map_or(0, |engine| engine.n_unusable)
    }

    /// Forgets everything but what it has counted: the next sample pushed is the first of a new stream.
    pub fn reset(&mut self) {
        self.n_in = 0;
        self.n_out = 0;
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
    }

    /// Takes samples of any number and appends to `out` what can be converted by now. Allocates nothing but room in `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.n_in += samples.len() as u64;
        let n_before = out.len();
        match &mut self.engine {
            None => out.extend_from_slice(samples),
            Some(engine) => engine.push(samples, out),
        }
        self.n_out += (out.len() - n_before) as u64;
    }

    /// Samples to push until about `n_out` more have been appended.
    fn n_in_for(&self, n_out: usize) -> usize {
        self.engine.as_ref().map_or(n_out, |engine| engine.n_in_for(n_out))
    }

    /// Ends the stream: appends what the converter still holds, so that the whole stream's length comes out exact,
    /// and starts anew.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let n_total = scaled(self.n_in, self.from, self.to);
        if let Some(engine) = &mut self.engine {
            while self.n_out < n_total {
                let n_before = out.len();
                engine.push_silent_rest(out);
                self.n_out += (out.len() - n_before) as u64;
            }
        }
        debug_assert!(self.n_out - n_total <= out.len() as u64, "delay keeps the output behind the input");
        out.truncate(out.len() - (self.n_out - n_total) as usize);
        self.reset();
    }

    /// How long after a sample was pushed its counterpart is appended, at most: one block and the filter's half.
    /// It is a wait, not a shift: the samples' times stay right. 15 ms from 44.1 and 48 kHz to 16 kHz, 30 ms from 8 kHz.
    pub fn delay(&self) -> Milliseconds {
        let seconds = self.engine.as_ref().map_or(0.0, |engine| {
            let block = engine.block_in.len() as f64 / f64::from(self.from.hz());
            block + engine.delay as f64 / f64::from(self.to.hz())
        });
        Milliseconds((seconds * 1000.0).ceil() as u32)
    }
}

impl Engine {
    /// For two different rates within the bounds.
    fn new(from: u32, to: u32) -> Self {
        let slower = from.min(to);
        let divisor = gcd(from, to);
        let engine: Box<dyn rubato::Resampler<f32>>;
        let block_in;
        let delay;
        if divisor >= FFT_GCD_MIN {
            // Blocks of about the filter's length. An even number of units makes the delay a whole number of samples.
            let unit = (slower / divisor) as usize;
            let n_units = match (FILTER_SAMPLES + unit / 2) / unit {
                0 | 1 => 1,
                n => n & !1,
            };
            block_in = n_units * (from / divisor) as usize;
            let fft = Fft::new_custom(from as usize, to as usize, block_in, 1, 1, WINDOW, FixedSync::Both)
                .expect("rates and block are not zero");
            delay = rubato::Resampler::<f32>::output_delay(&fft);
            engine = Box::new(fft);
        } else {
            // Lengths count samples of the input here, so the filter grows with the ratio; the cutoff is the FFT's.
            // rubato rounds the length up in the same way.
            let sinc_len = (FILTER_SAMPLES * from as usize).div_ceil(slower as usize).next_multiple_of(8);
            let parameters = SincInterpolationParameters {
                sinc_len,
                f_cutoff: Some(calculate_cutoff(FILTER_SAMPLES, WINDOW)),
                oversampling_factor: 128,
                interpolation: SincInterpolationType::Cubic,
                window: WINDOW,
            };
            block_in = (from / SINC_BLOCKS_A_SECOND) as usize;
            let ratio = f64::from(to) / f64::from(from);
            let sinc = Async::new_sinc(ratio, 1.0, &parameters, block_in, 1, FixedAsync::Input)
                .expect("ratio and block are not zero");
            // rubato 5.0.1 takes a step before its first sample and does not count it in `output_delay`, which also
            // rounds down: together up to two samples. Measured with a pulse, see the test.
            delay = (sinc_len as f64 / 2.0 * ratio - 1.0).round() as usize;
            engine = Box::new(sinc);
        }
        let block_out = vec![0.0; engine.output_frames_max()].into_boxed_slice();
        debug_assert_eq!(engine.input_frames_next(), block_in);
        Self {
            rubato: engine,
            delay,
            block_in: vec![0.0; block_in].into_boxed_slice(),
            n_gathered: 0,
            block_out,
            n_to_trim: delay,
            n_unusable: 0,
        }
    }

    fn reset(&mut self) {
        self.rubato.reset();
        self.n_gathered = 0;
        self.n_to_trim = self.delay;
    }

    fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let mut rest = samples;
        while !rest.is_empty() {
            let room = &mut self.block_in[self.n_gathered..];
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            // A filter spreads each sample over its length and an FFT over the whole block: one that is not finite would be heard for
            // long, and rubato refuses it. So they are limited here, as the features do where nothing is converted.
            self.n_unusable += copy_limited(now, &mut room[..now.len()]);
            self.n_gathered += now.len();
            rest = later;
            if self.n_gathered == self.block_in.len() {
                self.convert_block(out);
            }
        }
    }

    fn n_in_for(&self, n_out: usize) -> usize {
        let n_blocks = (n_out + self.n_to_trim).div_ceil(self.block_out.len());
        (n_blocks * self.block_in.len()).saturating_sub(self.n_gathered)
    }

    /// Completes the block at hand with silence and converts it.
    fn push_silent_rest(&mut self, out: &mut Vec<f32>) {
        self.block_in[self.n_gathered..].fill(0.0);
        self.convert_block(out);
    }

    fn convert_block(&mut self, out: &mut Vec<f32>) {
        self.n_gathered = 0;
        let block_in = InterleavedSlice::new(&self.block_in, 1, self.block_in.len()).expect("one channel, whole block");
        let n_room = self.block_out.len();
        let mut block_out =
            InterleavedSlice::new_mut(&mut self.block_out, 1, n_room).expect("one channel, whole block");
        let (_, n_out) = self
            .rubato
            .process_into_buffer(&block_in, &mut block_out, None)
            .expect("the blocks have the lengths that the engine asked for");
        let n_trimmed = self.n_to_trim.min(n_out);
        self.n_to_trim -= n_trimmed;
        out.extend_from_slice(&self.block_out[n_trimmed..n_out]);
    }
}

/// Converts a whole clip; the same bits as from the stream.
///
/// # Errors
/// When one of the rates is not within [`RATE_MIN`] and [`RATE_MAX`].
pub fn resample(samples: &[f32], from: SampleRate, to: SampleRate) -> Result<Vec<f32>, AudioError> {
    let mut resampler = Resampler::new(from, to)?;
    let n_out = scaled(samples.len() as u64, from, to) as usize;
    let block = resampler.engine.as_ref().map_or(0, |engine| engine.block_out.len());
    let mut out = Vec::with_capacity(n_out + block);
    resampler.push(samples, &mut out);
    resampler.finish(&mut out);
    Ok(out)
}

/// `ceil(n * to / from)`.
fn scaled(n: u64, from: SampleRate, to: SampleRate) -> u64 {
    let scaled = (u128::from(n) * u128::from(to.hz())).div_ceil(u128::from(from.hz()));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Usual rates, both engines, up and down.
    const RATES: [u32; 14] =
        [1000, 8000, 11_025, 12_000, 16_000, 17_123, 22_050, 24_000, 32_000, 44_100, 44_056, 48_000, 96_000, 192_000];

    fn to_model(samples: &[f32], from: u32) -> Vec<f32> {
        resample(samples, SampleRate::new(from), SampleRate::MODEL).unwrap()
    }

    fn tone(hz: f64, rate: u32, n_samples: usize) -> Vec<f32> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..n_samples).map(|n| (step * n as f64).sin() as f32).collect()
    }

    /// Level against a sine of full scale, in decibels, without the ends, where the tone is switched.
    fn level(samples: &[f32]) -> f64 {
        let inner = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let power = inner.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / inner.len() as f64;
        10.0 * (2.0 * power + 1e-30).log10()
    }

    #[test]
    fn lengths_are_exact() {
        for from in RATES {
            for n_in in [0usize, 1, 2, 159, 1000, from as usize] {
                let n_out = (n_in * 16_000).div_ceil(from as usize);
                assert_eq!(to_model(&vec![0.1; n_in], from).len(), n_out, "{n_in} samples at {from} Hz");
            }
        }
    }

    #[test]
    fn an_impulse_stays_in_place() {
        for from in RATES {
            let from_hz = f64::from(from);
            // Wide enough to lie within both bands, so that its place can be found between samples.
            let width = 2.0 / f64::from(from.min(16_000));
            let middle = 0.25;
            let pulse: Vec<f32> =
                (0..from / 2).map(|n| (-((f64::from(n) / from_hz - middle) / width).powi(2)).exp() as f32).collect();
            let out = to_model(&pulse, from);
            let sum: f64 = out.iter().map(|&s| f64::from(s)).sum();
            let found: f64 = out.iter().enumerate().map(|(n, &s)| n as f64 * f64::from(s)).sum::<f64>() / sum;
            let late = found - middle * 16_000.0;
            eprintln!(
                "{from} Hz: {late:+.3} samples late, delay {}",
                Resampler::new(SampleRate::new(from), SampleRate::MODEL).unwrap().delay()
            );
            assert!(late.abs() < 1.0, "from {from} Hz the pulse is {late} samples late");
        }
    }

    #[test]
    fn in_band_tone_keeps_its_level() {
        for from in RATES.into_iter().filter(|&from| from >= 8000) {
            let level = level(&to_model(&tone(1000.0, from, from as usize), from));
            assert!(level.abs() < 0.1, "1 kHz from {from} Hz comes out at {level} dB");
        }
    }

    #[test]
    fn the_band_is_flat_up_to_7_khz() {
        for from in RATES.into_iter().filter(|&from| from >= 16_000) {
            for hz in [100.0, 4000.0, 6500.0, 7000.0] {
                let level = level(&to_model(&tone(hz, from, from as usize), from));
                assert!(level.abs() < 0.1, "{hz} Hz from {from} Hz comes out at {level} dB");
            }
        }
    }

    #[test]
    fn tone_beyond_the_new_band_is_gone() {
        for from in RATES.into_iter().filter(|&from| from > 20_100) {
            for hz in [8000.0, 8500.0, 10_000.0] {
                let level = level(&to_model(&tone(hz, from, from as usize), from));
                eprintln!("{hz} Hz from {from} Hz: {level:.1} dB");
                assert!(level < -60.0, "{hz} Hz from {from} Hz comes out at {level} dB");
            }
        }
    }

    #[test]
    fn upsampling_leaves_no_image() {
        for from in [8000, 11_025, 12_000] {
            let out = to_model(&tone(1000.0, from, from as usize), from);
            // What is left after the tone, in whatever phase it has, is taken away.
            let inner = &out[4000..12_000];
            let step = std::f64::consts::TAU / 16.0;
            let project = |wave: fn(f64) -> f64| {
                let sum: f64 = inner.iter().enumerate().map(|(n, &s)| f64::from(s) * wave(step * n as f64)).sum();
                sum * 2.0 / inner.len() as f64
            };
            let (sine, cosine) = (project(f64::sin), project(f64::cos));
            let rest: Vec<f32> = inner
                .iter()
                .enumerate()
                .map(|(n, &s)| {
                    let phase = step * n as f64;
                    (f64::from(s) - sine * phase.sin() - cosine * phase.cos()) as f32
                })
                .collect();
            eprintln!("from {from} Hz the rest is at {:.1} dB", level(&rest));
            assert!(level(&rest) < -80.0, "from {from} Hz the rest is at {} dB", level(&rest));
        }
    }

    #[test]
    fn chunking_changes_no_bit() {
        for from in RATES {
            let samples: Vec<f32> = (0..from).map(|n| (u64::from(n).pow(2) % 1009) as f32 / 1009.0 - 0.5).collect();
            let whole = to_model(&samples, from);
            let mut resampler = Resampler::new(SampleRate::new(from), SampleRate::MODEL).unwrap();
            // Twice: a finished resampler is as new.
            for sizes in [[1, 7, 1000], [333, 2, 64]] {
                let mut out = Vec::new();
                let mut rest = &samples[..];
                for size in sizes.into_iter().cycle() {
                    let (now, later) = rest.split_at(rest.len().min(size));
                    resampler.push(now, &mut out);
                    rest = later;
                    if rest.is_empty() {
                        break;
                    }
                }
                resampler.finish(&mut out);
                assert_eq!(out, whole, "from {from} Hz");
            }
        }
    }

    #[test]
    fn what_is_no_sample_is_counted_and_harms_nothing_but_its_surroundings() {
        for rate in [44_100, 48_000, 8000, 22_051] {
            let mut resampler = Resampler::new(SampleRate::new(rate), SampleRate::MODEL).unwrap();
            let mut sound: Vec<f32> = (0..rate as usize).map(|i| (i as f32 * 0.05).sin() * 0.5).collect();
            let mut expected = Vec::new();
            resampler.push(&sound, &mut expected);
            resampler.finish(&mut expected);
            for (place, bad) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38].into_iter().enumerate() {
                sound[1000 + place] = bad;
            }
            let mut found = Vec::new();
            resampler.push(&sound, &mut found);
            resampler.finish(&mut found);
            assert_eq!(resampler.n_unusable_samples(), 4, "{rate} Hz");
            assert!(found.iter().all(|sample| sample.is_finite()));
            // The filter's length and the block around it.
            let far = (2000.0 + 0.1 * f64::from(rate)) * 16_000.0 / f64::from(rate);
            for (found, expected) in found.iter().zip(&expected).skip(far as usize) {
                assert!((found - expected).abs() < 0.01, "{rate} Hz: {found} {expected}");
            }
        }
    }

    #[test]
    fn reset_forgets_everything() {
        let mut resampler = Resampler::new(SampleRate::new(44_100), SampleRate::MODEL).unwrap();
        let mut out = Vec::new();
        resampler.push(&[1.0; 5000], &mut out);
        resampler.reset();
        out.clear();
        let samples = tone(440.0, 44_100, 3000);
        resampler.push(&samples, &mut out);
        resampler.finish(&mut out);
        assert_eq!(out, to_model(&samples, 44_100));
    }

    #[test]
    fn rates_beyond_reason_are_refused() {
        for hz in [0, 1, 999, 1_536_001, u32::MAX] {
            let error = Resampler::new(SampleRate::new(hz), SampleRate::MODEL).unwrap_err();
            assert!(matches!(error, AudioError::RateOutOfRange { .. }));
        }
        for hz in [1000, 1001, 1_535_999, 1_536_000] {
            assert!(!to_model(&vec![0.0; hz as usize / 10], hz).is_empty());
        }
    }

    #[test]
    fn usual_rates_wait_at_most_thirty_milliseconds() {
        for from in RATES.into_iter().filter(|&from| from >= 8000) {
            let delay = Resampler::new(SampleRate::new(from), SampleRate::MODEL).unwrap().delay();
            assert!(delay <= Milliseconds(30), "from {from} Hz: {delay}");
        }
    }
}
