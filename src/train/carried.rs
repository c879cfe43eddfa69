//! What the rows of a shard carry from update to update and from batch to batch.
//!
//! The state after an update is a constant to the next one's gradient. Where gradients are to go back further, the state from before
//! the last segments is kept with their features, and they are run again with the weights of the day.

use std::collections::VecDeque;

use candle_core::{Result, Tensor};

use super::dropout::SeededDropout;
use crate::model::{Network, NetworkState};

/// A stretch of sound that all rows of a shard hear at once.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// `(rows, frames, n_mels)`.
    pub(super) features: Tensor,
    /// Rows that forget everything before it; none: no row does.
    pub(super) is_reset: Option<Vec<bool>>,
}

/// The network that learns, as the rows of a shard carry it.
#[derive(Debug, Clone)]
pub(super) struct CarriedState {
    /// The state before the first of the segments, or now; a constant.
    pub(super) state: NetworkState,
    /// The last segments, which the next gradient goes back through, the oldest first.
    pub(super) segments: VecDeque<Segment>,
}

impl Segment {
    /// `state` as the segment begins.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub(super) fn begin(&self, state: &NetworkState) -> Result<NetworkState> {
        match &self.is_reset {
            Some(is_reset) => state.reset_rows(is_reset),
            None => Ok(state.clone()),
        }
    }
}

impl CarriedState {
    /// That of rows that have heard nothing but what `state` holds.
    pub(super) fn new(state: NetworkState) -> Self {
        Self { state, segments: VecDeque::new() }
    }

    /// Runs the kept segments and `newest`. Gives the logits of `newest` `(rows, steps, n_words)`, whose gradient goes back to the first
    /// segment, and what is carried on, with the last segments that have `n_kept_frames` frames, as few as do.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub(super) fn hear(
        &self,
        network: &Network,
        newest: Segment,
        n_kept_frames: usize,
        dropout: &mut SeededDropout,
    ) -> Result<(Tensor, Self)> {
        let mut next = Self { state: self.state.clone(), segments: self.segments.clone() };
        let mut states = Vec::with_capacity(self.segments.len() + 1);
        let mut state = self.state.clone();
        for segment in &self.segments {
            state = network.seq(&segment.features, &segment.begin(&state)?, dropout)?.1;
            states.push(state.clone());
        }
        let (logits, last) = network.seq(&newest.features, &newest.begin(&state)?, dropout)?;
        states.push(last);
        next.segments.push_back(newest);
        let mut n_frames = 0;
        for segment in &next.segments {
            n_frames += segment.features.dim(1)?;
        }
        for state in states {
            let Some(oldest) = next.segments.front() else { break };
            let n_oldest = oldest.features.dim(1)?;
            if n_frames - n_oldest < n_kept_frames {
                break;
            }
            n_frames -= n_oldest;
            next.segments.pop_front();
            next.state = state.detached();
        }
        Ok((logits, next))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::model::{ConvolutionConfig, InitialState, ModelConfig, RecurrentCell, Weights};
    use crate::train::initial::initial_weights;

    const N_MELS: usize = 3;
    /// Of a segment, and steps of it.
    const N_FRAMES: usize = 12;

    /// A network over variables of its own.
    fn network(cell: RecurrentCell) -> (Network, Vec<Var>) {
        let config = ModelConfig {
            convolutions: vec![ConvolutionConfig { channels: 4, kernel: 3, stride: 2 }],
            cell,
            hidden_size: 5,
            initial_state: InitialState::Learned,
            ..ModelConfig::default()
        };
        let initial = initial_weights(&config, N_MELS, 2, 1).unwrap();
        let names = Weights::expected(&config, N_MELS, 2).into_iter().map(|(name, _)| name);
        let vars: Vec<(String, Var)> =
            names.map(|name| (name.clone(), Var::from_tensor(initial.get(&name).unwrap()).unwrap())).collect();
        let weights = Weights::new(vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect());
        (Network::new(&config, N_MELS, &weights).unwrap(), vars.into_iter().map(|(_, var)| var).collect())
    }

    fn segment(seed: usize, is_reset: Option<Vec<bool>>) -> Segment {
        let values = (0..2 * N_FRAMES * N_MELS).map(|i| ((i + 31 * seed) * 7919 % 1009) as f32 / 250.0 - 2.0).collect();
        Segment { features: Tensor::from_vec(values, (2, N_FRAMES, N_MELS), &Device::Cpu).unwrap(), is_reset }
    }

    fn gradient(logits: &Tensor, vars: &[Var]) -> Vec<f32> {
        let gradients = logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let numbers = |var: &Var| match gradients.get(var) {
            Some(gradient) => gradient.flatten_all().unwrap().to_vec1().unwrap(),
            None => vec![0.0; var.elem_count()],
        };
        vars.iter().flat_map(numbers).collect()
    }

    fn assert_close(found: &[f32], expected: &[f32], what: &str) {
        let scale = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        for (found, expected) in found.iter().zip(expected) {
            // Sums over steps in another order.
            assert!((found - expected).abs() < 1e-5 * scale, "{what}: {found} {expected} of {scale}");
        }
    }

    #[test]
    fn the_gradient_goes_back_through_the_kept_segments_and_no_further() {
        for cell in RecurrentCell::ALL {
            let (network, vars) = network(cell);
            let mut dropout = SeededDropout::new(1, 0.0);
            let mut hear = |carried: &CarriedState, segment, n_kept_frames| {
                carried.hear(&network, segment, n_kept_frames, &mut dropout).unwrap()
            };
            let fresh = CarriedState::new(network.zero_state(2).unwrap());
            let (_, after_a) = hear(&fresh, segment(0, None), 2 * N_FRAMES);
            let (_, after_b) = hear(&after_a, segment(1, None), N_FRAMES + 1);
            assert_eq!((after_a.segments.len(), after_b.segments.len()), (1, 2), "whole segments are kept");
            let (logits, after_c) = hear(&after_b, segment(2, None), N_FRAMES);
            assert_eq!(after_c.segments.len(), 1);

            let all = [0, 1, 2].map(|seed| segment(seed, None).features);
            let (whole, _) = network.seq(&Tensor::cat(&all, 1).unwrap(), &fresh.state, &mut ()).unwrap();
            let last = whole.narrow(1, N_FRAMES, N_FRAMES / 2).unwrap();
            assert_eq!(logits.to_vec3::<f32>().unwrap(), last.to_vec3::<f32>().unwrap());
            assert_close(&gradient(&logits, &vars), &gradient(&last, &vars), "three segments");

            // Only c is kept, with the state before it: the gradient of d reaches back to there.
            let (logits, after_d) = hear(&after_c, segment(3, None), 0);
            assert!(after_d.segments.is_empty());
            let two = [2, 3].map(|seed| segment(seed, None).features);
            let (_, before) = network.seq(&Tensor::cat(&all[..2], 1).unwrap(), &fresh.state, &mut ()).unwrap();
            let (whole, _) = network.seq(&Tensor::cat(&two, 1).unwrap(), &before.detached(), &mut ()).unwrap();
            let last = whole.narrow(1, N_FRAMES / 2, N_FRAMES / 2).unwrap();
            assert_close(&gradient(&logits, &vars), &gradient(&last, &vars), "two segments");
            let (alone, _) = hear(&after_d, segment(4, None), 0);
            let (attached, _) = network.seq(&segment(4, None).features, &after_d.state, &mut ()).unwrap();
            assert_eq!(gradient(&alone, &vars), gradient(&attached, &vars), "the carried state is a constant");
        }
    }

    #[test]
    fn a_row_that_is_reset_hears_nothing_of_the_kept_segments() {
        let (network, vars) = network(RecurrentCell::Gru);
        let mut dropout = SeededDropout::new(1, 0.0);
        let fresh = CarriedState::new(network.zero_state(2).unwrap());
        let (_, carried) = fresh.hear(&network, segment(0, None), N_FRAMES, &mut dropout).unwrap();
        let reset = segment(1, Some(vec![true, true]));
        let (logits, carried) = carried.hear(&network, reset, N_FRAMES, &mut dropout).unwrap();
        let (expected, _) = network.seq(&segment(1, None).features, &fresh.state, &mut ()).unwrap();
        assert_eq!(gradient(&logits, &vars), gradient(&expected, &vars));
        // Run again, the segment begins as it did.
        let (logits, _) = carried.hear(&network, segment(2, None), 0, &mut dropout).unwrap();
        let both = [1, 2].map(|seed| segment(seed, None).features);
        let (whole, _) = network.seq(&Tensor::cat(&both, 1).unwrap(), &fresh.state, &mut ()).unwrap();
        let last = whole.narrow(1, N_FRAMES / 2, N_FRAMES / 2).unwrap();
        assert_close(&gradient(&logits, &vars), &gradient(&last, &vars), "a reset segment run again");
    }
}
