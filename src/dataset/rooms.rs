//! Room responses by the image method: a wall is a mirror, and every mirror image of the source is heard later and weaker
//! (Allen & Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65, 1979).

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::units::SampleRate;

/// Metres a second, in air at 20 °C.
const SPEED_OF_SOUND: f64 = 343.0;
/// Sabine's constant for metric rooms, in seconds a metre.
const SABINE: f64 = 0.161;
/// Nobody stands nearer to a wall, in metres.
const WALL_DISTANCE: f64 = 0.2;

/// The rooms that are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomConfig {
    /// How many rooms are computed.
    pub n_rooms: usize,
    /// Shortest and longest length, in metres.
    pub length_m: [f64; 2],
    /// Least and greatest width, in metres.
    pub width_m: [f64; 2],
    /// Least and greatest height, in metres.
    pub height_m: [f64; 2],
    /// Shortest and longest time for the sound to fall by 60 dB, in seconds.
    pub reverberation_s: [f64; 2],
    /// Walls swallow at most this share of the energy, 0 to 1.
    pub absorption_max: f64,
    /// Nearest and farthest distance from mouth to microphone, in metres.
    pub distance_m: [f64; 2],
    /// A response ends after this time, in seconds.
    pub response_s: f64,
    /// Probability that an image's sign is flipped, which breaks up the regular echoes of a box.
    pub flip_probability: f64,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            n_rooms: 120,
            length_m: [2.8, 8.0],
            width_m: [2.5, 6.0],
            height_m: [2.3, 3.6],
            reverberation_s: [0.15, 0.8],
            absorption_max: 0.9,
            distance_m: [0.3, 5.0],
            response_s: 0.5,
            flip_probability: 0.25,
        }
    }
}

impl RoomConfig {
    /// Samples of a response.
    pub(super) fn n_taps(&self) -> usize {
        (SampleRate::MODEL.samples(self.response_s) as usize).max(1)
    }
}

/// The response of a random room at 16 kHz: direct sound at sample 0, unit energy.
pub fn random_room(config: &RoomConfig, rng: &mut impl Rng) -> Vec<f32> {
    let size = [config.length_m, config.width_m, config.height_m].map(|range| between(range, rng));
    let reverberation_s = between(config.reverberation_s, rng);
    let (microphone, mouth) = random_places(size, config.distance_m, rng);

    let [x, y, z] = size;
    let (volume, surface) = (x * y * z, 2.0 * (x * y + y * z + z * x));
    let absorption = (SABINE * volume / (surface * reverberation_s)).min(config.absorption_max);
    let reflection = (1.0 - absorption).sqrt();

    let direct_m = distance(mouth, microphone);
    let reach_m = direct_m + config.response_s * SPEED_OF_SOUND;
    let mut taps = vec![0f32; config.n_taps()];
    let axes: [Vec<(f64, i32)>; 3] = std::array::from_fn(|i| images(size[i], mouth[i], microphone[i], reach_m));
    // No image that is heard has been mirrored more often than this.
    let n_mirrors_max = axes.iter().flat_map(|axis| axis.iter().map(|image| image.1)).max().unwrap_or(0) * 3;
    let strength: Vec<f64> = (0..=n_mirrors_max).map(|n| reflection.powi(n)).collect();
    let samples_per_m = f64::from(SampleRate::MODEL.hz()) / SPEED_OF_SOUND;
    for &(dx2, nx) in &axes[0] {
        for &(dy2, ny) in axes[1].iter().filter(|(dy2, _)| dx2 + dy2 < reach_m * reach_m) {
            for &(dz2, nz) in axes[2].iter().filter(|(dz2, _)| dx2 + dy2 + dz2 < reach_m * reach_m) {
                let path_m = (dx2 + dy2 + dz2).sqrt();
                let tap_idx = ((path_m - direct_m) * samples_per_m).round() as usize;
                let n_mirrors = nx + ny + nz;
                let is_flipped = n_mirrors > 0 && rng.random::<f64>() < config.flip_probability;
                if let Some(tap) = taps.get_mut(tap_idx) {
                    let sign = if is_flipped { -1.0 } else { 1.0 };
                    *tap += (sign * strength[n_mirrors as usize] / path_m) as f32;
                }
            }
        }
    }
    with_unit_energy(taps)
}

/// A recorded response made like the computed ones: its direct sound moved to sample 0, cut, unit energy. `None` if it is empty.
pub(super) fn recorded_room(samples: &[f32], config: &RoomConfig) -> Option<Vec<f32>> {
    let (direct, peak) = samples.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    if *peak == 0.0 {
        return None;
    }
    let end = samples.len().min(direct + config.n_taps());
    Some(with_unit_energy(samples[direct..end].to_vec()))
}

/// Along one axis, the squared distance from the microphone and the number of mirrorings of every image within reach.
fn images(size: f64, mouth: f64, microphone: f64, reach_m: f64) -> Vec<(f64, i32)> {
    let n_rooms = (reach_m / (2.0 * size)).ceil() as i32 + 1;
    let mut images: Vec<(f64, i32)> = (-n_rooms..=n_rooms)
        .flat_map(|n| {
            let shift = 2.0 * f64::from(n) * size;
            [(shift + mouth, (2 * n).abs()), (shift - mouth, (2 * n - 1).abs())]
        })
        .map(|(place, n_mirrors)| ((place - microphone).powi(2), n_mirrors))
        .filter(|(squared, _)| *squared < reach_m * reach_m)
        .collect();
    images.sort_by(|a, b| a.0.total_cmp(&b.0));
    images
}

/// A place for the microphone and one for the mouth; if the room is too small for the distance drawn, another is drawn.
fn random_places(size: [f64; 3], distance_m: [f64; 2], rng: &mut impl Rng) -> ([f64; 3], [f64; 3]) {
    let inside = |place: [f64; 3]| (0..3).all(|i| (WALL_DISTANCE..=size[i] - WALL_DISTANCE).contains(&place[i]));
    loop {
        let microphone = size.map(|side| between([WALL_DISTANCE, side - WALL_DISTANCE], rng));
        let radius = between(distance_m, rng);
        // Uniform on the sphere (Archimedes): the height is uniform.
        let (height, angle) = (between([-1.0, 1.0], rng), between([0.0, std::f64::consts::TAU], rng));
        let flat = (1.0 - height * height).sqrt();
        let direction = [flat * angle.cos(), flat * angle.sin(), height];
        let mouth = std::array::from_fn(|i| microphone[i] + radius * direction[i]);
        if inside(mouth) {
            return (microphone, mouth);
        }
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

fn between(range: [f64; 2], rng: &mut impl Rng) -> f64 {
    range[0] + (range[1] - range[0]) * rng.random::<f64>()
}

fn with_unit_energy(mut taps: Vec<f32>) -> Vec<f32> {
    let energy: f64 = taps.iter().map(|&tap| f64::from(tap) * f64::from(tap)).sum();
    let scale = (1.0 / energy.sqrt()) as f32;
    taps.iter_mut().for_each(|tap| *tap *= scale);
    taps
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn energy(taps: &[f32]) -> f32 {
        taps.iter().map(|tap| tap * tap).sum()
    }

    #[test]
    fn the_direct_sound_comes_first_and_the_energy_decays() {
        for seed in 0..6 {
            let taps = random_room(&RoomConfig::default(), &mut Pcg64Mcg::seed_from_u64(seed));
            assert_eq!(taps.len(), 8000);
            assert!((energy(&taps) - 1.0).abs() < 1e-3);
            assert!(taps[0] > 0.0 && taps[1..40].iter().all(|tap| tap.abs() <= taps[0]), "{:?}", &taps[..8]);
            // 100 ms parts, each weaker than the one before.
            let parts: Vec<f32> = taps.chunks(1600).map(energy).collect();
            assert!(parts.windows(2).all(|pair| pair[1] < pair[0]), "{parts:?}");
        }
    }

    #[test]
    fn the_reverberation_time_is_about_the_one_asked_for() {
        // Sabine holds for even absorption in rooms of like sides; the slope is read between -5 and -25 dB (ISO 3382, T20).
        let config = RoomConfig {
            length_m: [4.0, 4.0],
            width_m: [3.8, 3.8],
            height_m: [3.5, 3.5],
            reverberation_s: [0.5, 0.5],
            ..RoomConfig::default()
        };
        let taps = random_room(&config, &mut Pcg64Mcg::seed_from_u64(1));
        let mut remaining = energy(&taps);
        let (mut start, mut end) = (0, 0);
        for (i, tap) in taps.iter().enumerate() {
            remaining -= tap * tap;
            if remaining > 10f32.powf(-0.5) {
                start = i;
            }
            if remaining > 10f32.powf(-2.5) {
                end = i;
            }
        }
        let reverberation_s = 3.0 * (end - start) as f32 / 16_000.0;
        assert!((0.3..0.7).contains(&reverberation_s), "{reverberation_s} s");
    }

    #[test]
    fn a_recorded_response_begins_with_its_loudest_sample() {
        let mut samples = vec![0.0; 500];
        samples[100] = -0.5;
        samples[130] = 0.2;
        let taps = recorded_room(&samples, &RoomConfig::default()).unwrap();
        assert!(taps[0] < -0.9 && taps[30] > 0.3);
        assert_eq!(recorded_room(&[0.0; 10], &RoomConfig::default()), None);
    }
}
