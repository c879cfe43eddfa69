//! Levels and fades of what is laid into streams.

/// Root of the mean square; 0 for no samples.
pub(super) fn root_mean_square<'a>(samples: impl Iterator<Item = &'a f32>) -> f32 {
    let (n, energy) = samples.fold((0usize, 0f32), |(n, sum), sample| (n + 1, sum + sample * sample));
    (energy / n.max(1) as f32).sqrt()
}

/// A linear fade over the first and last `n_fade` samples.
pub(super) fn fade(samples: &mut [f32], n_fade: usize) {
    let n_fade = n_fade.min(samples.len() / 2);
    let n = samples.len();
    for i in 0..n_fade {
        let gain = i as f32 / n_fade as f32;
        samples[i] *= gain;
        samples[n - 1 - i] *= gain;
    }
}
