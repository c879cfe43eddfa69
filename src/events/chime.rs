//! The chime: two notes a fifth apart that ring out, made by arithmetic.

/// Samples a second of the chime.
pub const CHIME_RATE: u32 = 48_000;

/// The chime as it is shipped: a WAV file of [`synthesize_chime`], 16 bits.
pub const CHIME_WAV: &[u8] = include_bytes!("../../assets/chime.wav");

/// Length of the whole.
const LENGTH_S: f64 = 0.45;
/// Fundamentals in hertz, the second after [`SECOND_NOTE_S`]: A5 and E6.
const NOTES_HZ: [f64; 2] = [880.0, 1320.0];
const SECOND_NOTE_S: f64 = 0.09;
/// Overtones with their strength; their sum is the loudest that a note can be.
const OVERTONES: [(f64, f64); 3] = [(1.0, 0.70), (2.0, 0.22), (3.0, 0.08)];
/// A note falls to 1/e in this time, and rises within [`ATTACK_S`].
const DECAY_S: f64 = 0.11;
const ATTACK_S: f64 = 0.004;
/// The end is faded out, so that it does not click.
const FADE_S: f64 = 0.05;
/// Both notes together stay below this, to full scale.
const PEAK: f64 = 0.25;

/// The samples of the chime at [`CHIME_RATE`], 16 bits.
pub fn synthesize_chime() -> Vec<i16> {
    let n_samples = (LENGTH_S * f64::from(CHIME_RATE)) as usize;
    (0..n_samples)
        .map(|i| {
            let time = i as f64 / f64::from(CHIME_RATE);
            let notes = note(NOTES_HZ[0], time) + note(NOTES_HZ[1], time - SECOND_NOTE_S);
            let fade = ((LENGTH_S - time) / FADE_S).min(1.0);
            (notes * fade * PEAK / 2.0 * f64::from(i16::MAX)).round() as i16
        })
        .collect()
}

fn note(hz: f64, time: f64) -> f64 {
    if time < 0.0 {
        return 0.0;
    }
    let envelope = (time / ATTACK_S).min(1.0) * (-time / DECAY_S).exp();
    let turns = std::f64::consts::TAU * hz * time;
    envelope * OVERTONES.iter().map(|(multiple, strength)| strength * (multiple * turns).sin()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TRIPWORD_WRITE_CHIME=1 cargo test chime` writes the file anew.
    #[test]
    fn the_shipped_file_is_what_the_generator_makes() {
        let samples = synthesize_chime();
        if std::env::var_os("TRIPWORD_WRITE_CHIME").is_some() {
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: CHIME_RATE,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/chime.wav");
            let mut writer = hound::WavWriter::create(path, spec).unwrap();
            samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
            return writer.finalize().unwrap();
        }
        let mut shipped = hound::WavReader::new(CHIME_WAV).unwrap();
        assert_eq!(shipped.spec().sample_rate, CHIME_RATE);
        let shipped: Vec<i16> = shipped.samples().map(Result::unwrap).collect();
        assert_eq!(shipped.len(), samples.len());
        // Sines may differ in the last bit from one machine's library to another's.
        assert!(shipped.iter().zip(&samples).all(|(a, b)| a.abs_diff(*b) <= 1));
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((2000..9000).contains(&peak), "{peak}");
        assert!(samples.last().unwrap().unsigned_abs() < 20);
    }
}
