//! The recurrent layers of a bidirectional network, running.
//!
//! A backward direction begins at the end of the sound and a stream has none, so it begins at the end of a window: the steps are
//! decided in blocks, each once so many steps behind it are known, and the backward direction starts anew behind them (as in the
//! latency-controlled networks of Zhang et al. 2016). The forward direction carries its state on as always. Blocks lie at fixed
//! places of the stream, so any portioning of it gives the same bits, and a sound of any length needs the memory of one window.

use super::directions::DirectionNames;
use super::packed::pack_layers;
use super::{ModelConfig, NamedTensors, WeightsError};
use crate::kernels::{PackedRecurrent, RecurrentScratch};

/// Length of a block in look-aheads: with 2, a step hears one to three look-aheads of what follows, and half as much again is computed
/// as without windows.
const LOOK_AHEADS_PER_BLOCK: usize = 2;

/// Both directions of all layers, packed.
pub(super) struct BidirectionalLayers {
    layers: Vec<[PackedRecurrent; 2]>,
    /// Of the backward directions, which begin with every window.
    backward_initial: Vec<Vec<f32>>,
    n_ahead_steps: usize,
    hidden_size: usize,
}

/// What one stream carries in them.
#[derive(Clone, Default)]
pub(super) struct WindowState {
    /// The layers' input `(steps, inputs)` that is not decided yet: less than a window between calls.
    held: Vec<f32>,
    /// Buffers of a window.
    x: Vec<f32>,
    reversed: Vec<f32>,
    outputs: [Vec<f32>; 2],
    state: Vec<f32>,
}

impl WindowState {
    /// Forgets what is held.
    pub(super) fn reset(&mut self) {
        self.held.clear();
    }
}

impl BidirectionalLayers {
    /// Packs `weights`.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub(super) fn new(config: &ModelConfig, weights: &impl NamedTensors) -> Result<Self, WeightsError> {
        let backward = pack_layers(config, weights, "_reverse")?;
        let initial = |layer| DirectionNames::new(config, layer, "_reverse").initial_values(config, weights);
        Ok(Self {
            layers: pack_layers(config, weights, "")?.into_iter().zip(backward).map(|(f, b)| [f, b]).collect(),
            backward_initial: (0..config.n_layers).map(initial).collect::<Result<_, _>>()?,
            n_ahead_steps: config.look_ahead_steps,
            hidden_size: config.hidden_size,
        })
    }

    /// Takes in `steps` `(steps, inputs)` and appends the layers' output `(steps, 2 · hidden)` of all steps that are decided now,
    /// forward and backward side by side. `states` are those of the forward directions.
    pub(super) fn push(
        &self,
        states: &mut [Vec<f32>],
        scratch: &mut RecurrentScratch,
        window: &mut WindowState,
        steps: &[f32],
        output: &mut Vec<f32>,
    ) {
        let n_inputs = self.layers[0][0].n_inputs();
        let n_block = LOOK_AHEADS_PER_BLOCK * self.n_ahead_steps;
        let n_window = n_block + self.n_ahead_steps;
        for step in steps.chunks_exact(n_inputs) {
            window.held.extend_from_slice(step);
            if window.held.len() == n_window * n_inputs {
                self.decide(states, scratch, window, n_block, output);
                window.held.drain(..n_block * n_inputs);
            }
        }
    }

    /// The output of what is left when the sound ends: there the backward direction really begins.
    pub(super) fn finish(
        &self,
        states: &mut [Vec<f32>],
        scratch: &mut RecurrentScratch,
        window: &mut WindowState,
        output: &mut Vec<f32>,
    ) {
        let n_left = window.held.len() / self.layers[0][0].n_inputs();
        self.decide(states, scratch, window, n_left, output);
        window.held.clear();
    }

    /// The first `n_decided` of the steps that are held.
    fn decide(
        &self,
        states: &mut [Vec<f32>],
        scratch: &mut RecurrentScratch,
        window: &mut WindowState,
        n_decided: usize,
        output: &mut Vec<f32>,
    ) {
        let WindowState { held, x, reversed, outputs: [forward_output, backward_output], state } = window;
        let hidden = self.hidden_size;
        let n_steps = held.len() / self.layers[0][0].n_inputs();
        x.clear();
        x.extend_from_slice(held);
        for (([forward, backward], initial), carried) in self.layers.iter().zip(&self.backward_initial).zip(states) {
            let n_inputs = forward.n_inputs();
            forward_output.resize(n_steps * hidden, 0.0);
            backward_output.resize(n_steps * hidden, 0.0);
            // What is only looked ahead at does not move the carried state.
            let (decided, ahead) = forward_output.split_at_mut(n_decided * hidden);
            forward.sequence(&x[..n_decided * n_inputs], n_decided, carried, scratch, decided);
            state.clone_from(carried);
            forward.sequence(&x[n_decided * n_inputs..], n_steps - n_decided, state, scratch, ahead);

            reversed.clear();
            reversed.extend(x.chunks_exact(n_inputs).rev().flatten());
            state.clone_from(initial);
            backward.sequence(reversed, n_steps, state, scratch, backward_output);

            x.clear();
            let backward_rows = backward_output.chunks_exact(hidden).rev();
            for (forward_row, backward_row) in forward_output.chunks_exact(hidden).zip(backward_rows) {
                x.extend_from_slice(forward_row);
                x.extend_from_slice(backward_row);
            }
        }
        output.extend_from_slice(&x[..n_decided * 2 * hidden]);
    }
}
