//! Putting an item into a mixture: stretch in time, warp of the mel axis, colouring and gain, added as power.

use super::frames::Frames;

/// A stretch of cached frames.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    pub(super) frames: &'a Frames,
    pub(super) range: std::ops::Range<usize>,
}

/// How an item is changed on its way into the mixture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    /// Factor of the length in time.
    pub(super) stretch: f32,
    /// Factor of the mel axis.
    pub(super) warp: f32,
    /// Power gain of each band.
    pub(super) gains: &'a [f32],
}

/// Frames that `n_frames` become.
pub(super) fn stretched_len(n_frames: usize, stretch: f32) -> usize {
    ((n_frames as f32 * stretch).round() as usize).max(usize::from(n_frames > 0))
}

/// Copies the pieces one after the other into `source`, as linear mel power.
pub(super) fn gather(pieces: &[Piece], source: &mut Vec<f32>) {
    source.clear();
    for piece in pieces {
        piece.frames.append_to(piece.range.clone(), source);
    }
}

/// Adds `source` `(n_frames, n_mels)` to `mix` `(n_frames, n_mels)` from its first frame on; what does not fit is left out.
pub(super) fn add(source: &[f32], shape: Shape, n_mels: usize, mix: &mut [f32]) {
    let n_source = source.len() / n_mels;
    let n_out = stretched_len(n_source, shape.stretch);
    let row = |idx: usize| &source[idx * n_mels..(idx + 1) * n_mels];
    let bands = (shape.warp != 1.0).then(|| warped_bands(shape.warp, n_mels));
    let mut between = vec![0.0; n_mels];
    for (t, out) in mix.chunks_exact_mut(n_mels).take(n_out).enumerate() {
        let place = (t as f32 / shape.stretch).min((n_source - 1) as f32);
        let (idx, fraction) = (place as usize, place.fract());
        let (now, next) = (row(idx), row((idx + 1).min(n_source - 1)));
        for ((value, &now), &next) in between.iter_mut().zip(now).zip(next) {
            *value = now + fraction * (next - now);
        }
        match &bands {
            None => {
                for ((out, value), gain) in out.iter_mut().zip(&between).zip(shape.gains) {
                    *out += gain * value;
                }
            }
            Some(bands) => {
                for ((out, &(low, high, fraction)), gain) in out.iter_mut().zip(bands).zip(shape.gains) {
                    *out += gain * (between[low] + fraction * (between[high] - between[low]));
                }
            }
        }
    }
}

/// For each band, the two bands it is read from and the weight of the second.
fn warped_bands(warp: f32, n_mels: usize) -> Vec<(usize, usize, f32)> {
    let last = n_mels - 1;
    (0..n_mels)
        .map(|band| {
            let place = (band as f32 * warp).min(last as f32);
            (place as usize, (place as usize + 1).min(last), place.fract())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Shape = Shape { stretch: 1.0, warp: 1.0, gains: &[1.0, 1.0, 1.0] };

    #[test]
    fn a_plain_item_is_added_as_it_is_and_cut_at_the_end() {
        let source = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut mix = [10.0; 3];
        add(&source, PLAIN, 3, &mut mix);
        assert_eq!(mix, [11.0, 12.0, 13.0]);
    }

    #[test]
    fn stretching_interpolates_between_frames() {
        let source = [0.0, 0.0, 0.0, 2.0, 2.0, 2.0];
        let mut mix = [0.0; 12];
        add(&source, Shape { stretch: 2.0, ..PLAIN }, 3, &mut mix);
        assert_eq!(mix, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn warping_moves_bands_and_gains_follow_the_band_that_is_written() {
        let mut mix = [0.0; 3];
        add(&[0.0, 2.0, 4.0], Shape { warp: 0.5, gains: &[1.0, 1.0, 10.0], ..PLAIN }, 3, &mut mix);
        assert_eq!(mix, [0.0, 1.0, 20.0]);
    }
}
