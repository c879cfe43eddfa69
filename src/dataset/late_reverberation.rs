//! A room's tail in the domain of mel power: what was heard goes on and decays, as in Polack's model of late reverberation.
//!
//! The bank's room variants hold real convolutions, but few, and each recording in one room only. This gives every mixture a room of
//! its own, and the same one to all that is said in it.

/// A room, as far as its tail goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct LateReverberation {
    /// Frames in which the lowest band falls by 60 dB.
    pub(super) decay_frames: f32,
    /// By which part the highest band decays sooner, 0 to below 1: air and furniture swallow high frequencies first.
    pub(super) damping: f32,
    /// Power of all that follows a sound against that of the sound itself.
    pub(super) tail_power: f32,
}

impl LateReverberation {
    /// Adds the tail to `frames` `(n_frames, n_mels)`. `scratch` is overwritten.
    pub(super) fn add(&self, frames: &mut [f32], n_mels: usize, scratch: &mut Vec<f32>) {
        // For each band: what a frame keeps of the one before, and what of it is heard.
        scratch.clear();
        scratch.resize(3 * n_mels, 0.0);
        let (decays, rest) = scratch.split_at_mut(n_mels);
        let (gains, tail) = rest.split_at_mut(n_mels);
        for (band, (decay, gain)) in decays.iter_mut().zip(gains.iter_mut()).enumerate() {
            let sooner = 1.0 - self.damping * band as f32 / n_mels as f32;
            *decay = 10f32.powf(-6.0 / (self.decay_frames * sooner).max(1e-3));
            *gain = self.tail_power * (1.0 - *decay);
        }
        for frame in frames.chunks_exact_mut(n_mels) {
            for (((power, tail), &decay), &gain) in frame.iter_mut().zip(tail.iter_mut()).zip(&*decays).zip(&*gains) {
                let sound = *power;
                *power += gain * *tail;
                *tail = decay * *tail + sound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_is_followed_by_a_tail_of_the_power_and_decay_asked_for() {
        let room = LateReverberation { decay_frames: 30.0, damping: 0.5, tail_power: 0.25 };
        let mut frames = vec![0.0; 100 * 2];
        frames[..2].fill(8.0);
        room.add(&mut frames, 2, &mut Vec::new());
        let band = |band: usize| frames.iter().skip(band).step_by(2).copied();
        assert_eq!(band(0).next(), Some(8.0));
        let tail: f32 = band(0).skip(1).sum();
        assert!((tail - 2.0).abs() < 1e-3, "{tail}");
        // 60 dB in 30 frames; the second of two bands a quarter sooner.
        let fall_db = |idx: usize, n: usize| 10.0 * (band(idx).nth(1).unwrap() / band(idx).nth(1 + n).unwrap()).log10();
        assert!((fall_db(0, 15) - 30.0).abs() < 0.01, "{}", fall_db(0, 15));
        assert!((fall_db(1, 15) - 40.0).abs() < 0.01, "{}", fall_db(1, 15));
    }
}
