//! What goes on inside the recurrent layers while they hear something: every gate of every unit, step by step.
//!
//! The kernels keep their gates to themselves; here they are computed again from what goes into a layer and what comes out,
//! which is all that they depend on. The equations are those of [`RecurrentCell`].

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::sigmoid;

use crate::model::{DirectionNames, LayerInputs, ModelConfig, Network, RecurrentCell, Weights, direction_suffixes};

/// An example and what each layer makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Features `(frames, n_mels)`.
    pub features: Vec<f32>,
    /// Bands.
    pub n_mels: usize,
    /// Steps of the network.
    pub n_steps: usize,
    /// Probabilities `(steps, n_words)`.
    pub probabilities: Vec<f32>,
    /// What they are to be, 0 or 1, `(steps, n_words)`.
    pub targets: Vec<f32>,
    /// The recurrent layers from the input upwards.
    pub layers: Vec<LayerActivations>,
}

/// One recurrent layer in one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerActivations {
    /// As people call it: `gru l0`.
    pub name: String,
    /// Its gates in the order of its weights, then what else it has: the LSTM's c, and h.
    pub parts: Vec<UnitValues>,
}

/// A number of each unit at each step.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitValues {
    /// The letter it has in the equations.
    pub name: &'static str,
    /// What that does.
    pub meaning: &'static str,
    /// Where the numbers lie.
    pub range: ValueRange,
    /// Units.
    pub n_units: usize,
    /// `(steps, units)`.
    pub values: Vec<f32>,
}

/// Where the numbers of a gate or state lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRange {
    /// From 0, closed, to 1, open: a sigmoid.
    Gate,
    /// From -1 to 1: a hyperbolic tangent.
    Signed,
    /// Anywhere: the sum that an LSTM remembers.
    Unbounded,
}

/// A gate nearer than this to either end is saturated: hardly any gradient passes its slope.
const SATURATED_WITHIN: f32 = 0.1;

impl UnitValues {
    /// The shares of values that lie at the lower and at the upper end; none where there are no ends.
    pub fn saturated(&self) -> Option<[f64; 2]> {
        let [low, high] = match self.range {
            ValueRange::Gate => [SATURATED_WITHIN, 1.0 - SATURATED_WITHIN],
            ValueRange::Signed => [SATURATED_WITHIN - 1.0, 1.0 - SATURATED_WITHIN],
            ValueRange::Unbounded => return None,
        };
        let share = |n: usize| n as f64 / self.values.len().max(1) as f64;
        let n_low = self.values.iter().filter(|&&value| value < low).count();
        let n_high = self.values.iter().filter(|&&value| value > high).count();
        Some([share(n_low), share(n_high)])
    }
}

/// Runs the network over `features` `(1, frames, n_mels)` from the zero state and looks inside.
///
/// # Errors
/// When a shape does not fit.
pub(super) fn activations(
    config: &ModelConfig,
    weights: &Weights,
    features: &Tensor,
    targets: Vec<f32>,
) -> Result<Activations> {
    let (n_rows, _, n_mels) = features.dims3()?;
    ensure!(n_rows == 1, "{n_rows} rows of features, expected one");
    let network = Network::new(config, n_mels, weights)?;
    let mut recorder = Recorder::default();
    let (logits, _) = network.seq(features, &network.zero_state(1)?, &mut recorder)?;
    let (_, n_steps, _) = logits.dims3()?;
    // What a layer gives is what the next one hears; the head hears the last.
    let inputs: Vec<Tensor> = recorder.inputs.iter().map(|input| input.squeeze(0)).collect::<Result<_, _>>()?;
    let mut layers = Vec::new();
    for (layer, io) in inputs.windows(2).enumerate() {
        for (direction, suffix) in direction_suffixes(config).iter().enumerate() {
            let direction = Direction::new(config, weights, layer, suffix, direction)?;
            layers.push(LayerActivations {
                name: format!("{} l{layer}{}", config.cell.name(), suffix.replace('_', " ")),
                parts: direction.parts(&io[0], &io[1])?,
            });
        }
    }
    Ok(Activations {
        features: features.flatten_all()?.to_vec1()?,
        n_mels,
        n_steps,
        probabilities: sigmoid(&logits)?.flatten_all()?.to_vec1()?,
        targets,
        layers,
    })
}

/// Keeps what each layer hears.
#[derive(Default)]
struct Recorder {
    inputs: Vec<Tensor>,
}

impl LayerInputs for Recorder {
    fn pass(&mut self, _layer: usize, x: Tensor) -> candle_core::Result<Tensor> {
        self.inputs.push(x.clone());
        Ok(x)
    }
}

/// One direction of a layer: its weights, and its part of the output.
struct Direction {
    cell: RecurrentCell,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    /// h before the first step, and behind it the LSTM's c, `(1, state)`.
    initial: Tensor,
    n_units: usize,
    /// Where its units begin in the output.
    first_unit: usize,
    is_backward: bool,
}

impl Direction {
    fn new(config: &ModelConfig, weights: &Weights, layer: usize, suffix: &str, idx: usize) -> Result<Self> {
        let names = DirectionNames::new(config, layer, suffix);
        let (cell, n_units) = (config.cell, config.hidden_size);
        let initial = match &names.initial {
            Some(name) => weights.get(name)?.unsqueeze(0)?,
            None => Tensor::zeros((1, cell.state_size(n_units)), DType::F32, &Device::Cpu)?,
        };
        Ok(Self {
            cell,
            weight_ih: weights.get(&names.weight_ih)?.clone(),
            weight_hh: weights.get(&names.weight_hh)?.clone(),
            bias: weights.get(&names.bias)?.clone(),
            initial,
            n_units,
            first_unit: idx * n_units,
            is_backward: idx == 1,
        })
    }

    /// The gates and states over `input` `(steps, inputs)`, where the layer gives `output` `(steps, directions · hidden)`.
    fn parts(&self, input: &Tensor, output: &Tensor) -> candle_core::Result<Vec<UnitValues>> {
        let output = output.narrow(1, self.first_unit, self.n_units)?.contiguous()?;
        if !self.is_backward {
            return self.forward_parts(input, &output);
        }
        let mut parts = self.forward_parts(&input.flip(&[0])?, &output.flip(&[0])?)?;
        for part in &mut parts {
            part.values = part.values.chunks(self.n_units).rev().flatten().copied().collect();
        }
        Ok(parts)
    }

    fn forward_parts(&self, input: &Tensor, output: &Tensor) -> candle_core::Result<Vec<UnitValues>> {
        let (n_steps, n_units) = output.dims2()?;
        let before = Tensor::cat(&[&self.initial.narrow(1, 0, n_units)?, output], 0)?;
        let from_input = input.matmul(&self.weight_ih.t()?)?;
        let from_hidden = before.narrow(0, 0, n_steps)?.contiguous()?.matmul(&self.weight_hh.t()?)?;
        let gate = |sums: &Tensor, idx: usize| sums.narrow(1, idx * n_units, n_units);
        let bias = |idx: usize| self.bias.narrow(0, idx * n_units, n_units);
        let sum = |idx: usize| (gate(&from_input, idx)? + gate(&from_hidden, idx)?)?.broadcast_add(&bias(idx)?);
        let values = |name, meaning, range, tensor: &Tensor| -> candle_core::Result<UnitValues> {
            Ok(UnitValues { name, meaning, range, n_units, values: tensor.flatten_all()?.to_vec1()? })
        };
        use ValueRange::{Gate, Signed, Unbounded};
        let mut parts = match self.cell {
            RecurrentCell::Gru => {
                let (r, z) = (sigmoid(&sum(0)?)?, sigmoid(&sum(1)?)?);
                let recurrent_n = gate(&from_hidden, 2)?.broadcast_add(&bias(3)?)?;
                let n = (gate(&from_input, 2)?.broadcast_add(&bias(2)?)? + (&r * recurrent_n)?)?.tanh()?;
                vec![
                    values("r", "reset gate: how much of the past the candidate hears", Gate, &r)?,
                    values("z", "update gate: how much of the past is kept", Gate, &z)?,
                    values("n", "candidate: what would replace the past", Signed, &n)?,
                ]
            }
            RecurrentCell::Lstm => {
                let (i, f, g, o) = (sigmoid(&sum(0)?)?, sigmoid(&sum(1)?)?, sum(2)?.tanh()?, sigmoid(&sum(3)?)?);
                let added = (&i * &g)?;
                let mut memory = self.initial.narrow(1, n_units, n_units)?;
                let mut memories = Vec::with_capacity(n_steps);
                for step in 0..n_steps {
                    memory = ((f.narrow(0, step, 1)? * memory)? + added.narrow(0, step, 1)?)?;
                    memories.push(memory.clone());
                }
                vec![
                    values("i", "input gate: how much of the new is remembered", Gate, &i)?,
                    values("f", "forget gate: how much of the memory is kept", Gate, &f)?,
                    values("g", "candidate: what is new", Signed, &g)?,
                    values("o", "output gate: how much of the memory is shown", Gate, &o)?,
                    values("c", "memory", Unbounded, &Tensor::cat(&memories, 0)?)?,
                ]
            }
            RecurrentCell::Rnn => Vec::new(),
        };
        parts.push(values("h", "hidden state: what the layer gives", Signed, output)?);
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InitialState, NamedTensors};
    use crate::train::initial::initial_weights;

    /// A network with two layers over noise.
    fn example(cell: RecurrentCell, config: ModelConfig) -> (Weights, ModelConfig, Activations) {
        let config = ModelConfig { cell, hidden_size: 13, ..config };
        let weights = initial_weights(&config, 20, 2, 5).unwrap();
        let features = (0..160 * 20).map(|i| ((i * 7919 % 1009) as f32 / 500.0 - 1.0) * 3.0).collect();
        let features = Tensor::from_vec(features, (1, 160, 20), &Device::Cpu).unwrap();
        let found = activations(&config, &weights, &features, vec![0.0; 40]).unwrap();
        (weights, config, found)
    }

    /// h from the other parts, unit by unit, where the state before the first step is zero.
    fn rebuilt(cell: RecurrentCell, layer: &LayerActivations) -> Vec<f32> {
        let part = |name: &str| &layer.parts.iter().find(|part| part.name == name).expect(name).values;
        let (h, n_units) = (part("h"), layer.parts[0].n_units);
        let at = |idx: usize| {
            let before = if layer.name.ends_with("reverse") { idx + n_units } else { idx.wrapping_sub(n_units) };
            let before = h.get(before).copied().unwrap_or(0.0);
            match cell {
                RecurrentCell::Gru => part("n")[idx] + part("z")[idx] * (before - part("n")[idx]),
                RecurrentCell::Lstm => part("o")[idx] * part("c")[idx].tanh(),
                RecurrentCell::Rnn => unreachable!("it has no gates"),
            }
        };
        (0..h.len()).map(at).collect()
    }

    #[test]
    fn the_gates_are_those_of_the_kernels_for_they_give_the_same_output() {
        for cell in [RecurrentCell::Gru, RecurrentCell::Lstm] {
            for bidirectional in [false, true] {
                let (_, config, found) = example(cell, ModelConfig { bidirectional, ..ModelConfig::default() });
                assert_eq!(found.layers.len(), config.n_layers * if bidirectional { 2 } else { 1 });
                assert_eq!(found.n_steps, 20);
                for layer in &found.layers {
                    let h = &layer.parts.last().unwrap().values;
                    assert_eq!(h.len(), 20 * 13);
                    assert!(h.iter().any(|value| value.abs() > 0.05), "{cell:?}: nothing happened");
                    for (ours, kernels) in rebuilt(cell, layer).iter().zip(h) {
                        assert!((ours - kernels).abs() < 1e-5, "{cell:?} {}: {ours} {kernels}", layer.name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_learned_initial_state_is_what_the_first_step_remembers() {
        let learned = ModelConfig { initial_state: InitialState::Learned, ..ModelConfig::default() };
        let (weights, ..) = example(RecurrentCell::Lstm, learned.clone());
        let initial = weights.values("lstm.initial_l0").unwrap();
        let (_, _, found) = example(RecurrentCell::Lstm, learned);
        let part = |name: &str| &found.layers[0].parts.iter().find(|part| part.name == name).unwrap().values;
        for unit in 0..13 {
            let c = part("f")[unit] * initial[13 + unit] + part("i")[unit] * part("g")[unit];
            assert!((part("c")[unit] - c).abs() < 1e-6);
            assert!((part("o")[unit] * c.tanh() - part("h")[unit]).abs() < 1e-5, "{c}");
        }
    }

    #[test]
    fn of_a_plain_network_the_output_itself_is_shown() {
        let (weights, _, found) = example(RecurrentCell::Rnn, ModelConfig::default());
        let names = |layer: &LayerActivations| layer.parts.iter().map(|part| part.name).collect::<Vec<_>>();
        assert!(found.layers.iter().all(|layer| names(layer) == ["h"]));
        // The second layer's sums over the first one's output give its own.
        let (input, output) = (&found.layers[0].parts[0].values, &found.layers[1].parts[0].values);
        let [w_ih, w_hh, bias] =
            ["weight_ih_l1", "weight_hh_l1", "bias_l1"].map(|name| weights.values(&format!("rnn.{name}")).unwrap());
        for (idx, &value) in output.iter().enumerate() {
            let (step, unit) = (idx / 13, idx % 13);
            let dot = |matrix: &[f32], step: usize, of: &[f32]| -> f32 {
                (0..13).map(|from| matrix[unit * 13 + from] * of[step * 13 + from]).sum()
            };
            let past = step.checked_sub(1).map_or(0.0, |before| dot(&w_hh, before, output));
            let expected = (dot(&w_ih, step, input) + past + bias[unit]).tanh();
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }

    #[test]
    fn shares_of_saturated_values_are_counted_at_both_ends() {
        let of = |range| UnitValues { name: "z", meaning: "", range, n_units: 2, values: vec![0.05, 0.5, 0.95, -0.95] };
        assert_eq!(of(ValueRange::Gate).saturated(), Some([0.5, 0.25]));
        assert_eq!(of(ValueRange::Signed).saturated(), Some([0.25, 0.25]));
        assert_eq!(of(ValueRange::Unbounded).saturated(), None);
    }
}
