//! The recurrent layers against PyTorch's numbers, forward and backward; `data/recurrent_golden.py` made them.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use tripword::kernels::{PackedRecurrent, RecurrentCell, RecurrentScratch, recurrent_sequence};
use tripword::model::{InitialState, ModelConfig, Network, StreamingNetwork, Weights};

const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const BATCH: usize = 2;
const TIME: usize = 5;
/// Both sides compute in single precision; the numbers are stored with eight decimals.
const TOLERANCE: f32 = 5e-6;

type Golden = BTreeMap<String, Vec<f32>>;

/// Every kind of cell with its numbers.
fn golden() -> impl Iterator<Item = (RecurrentCell, Golden)> {
    RecurrentCell::ALL.into_iter().map(|cell| {
        let text = match cell {
            RecurrentCell::Gru => include_str!("data/gru_golden.json"),
            RecurrentCell::Lstm => include_str!("data/lstm_golden.json"),
            RecurrentCell::Rnn => include_str!("data/rnn_golden.json"),
        };
        (cell, serde_json::from_str(text).unwrap())
    })
}

/// The bias of our layer from `summed` of PyTorch's two: those of the GRU's n stay apart, all others are sums.
fn folded(cell: RecurrentCell, b_ih: &[f32], b_hh: &[f32], summed: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let n_apart = (cell.n_bias_parts() - cell.n_gates()) * HIDDEN;
    let (ih, ih_apart) = b_ih.split_at(b_ih.len() - n_apart);
    let (hh, hh_apart) = b_hh.split_at(b_hh.len() - n_apart);
    ih.iter().zip(hh).map(|(&a, &b)| summed(a, b)).chain(ih_apart.iter().chain(hh_apart).copied()).collect()
}

fn bias(cell: RecurrentCell, golden: &Golden) -> Vec<f32> {
    folded(cell, &golden["b_ih"], &golden["b_hh"], |a, b| a + b)
}

/// The state before the first step: h, and behind it the LSTM's c.
fn initial(golden: &Golden, row: usize) -> Vec<f32> {
    let row = row * HIDDEN..(row + 1) * HIDDEN;
    let memory = golden.get("c0").map_or(&[][..], |memory| &memory[row.clone()]);
    [&golden["h0"][row], memory].concat()
}

fn assert_close(cell: RecurrentCell, name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{cell:?} {name}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0), "{cell:?} {name}[{i}]: {ours} {theirs}");
    }
}

#[test]
fn training_agrees_with_pytorch() {
    let var = |values: &[f32], shape: &[usize]| {
        Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu).unwrap()).unwrap()
    };
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (cell, golden) in golden() {
        let n_lines = cell.n_gates() * HIDDEN;
        let x = var(&golden["x"], &[BATCH, TIME, INPUTS]);
        let w_ih = var(&golden["w_ih"], &[n_lines, INPUTS]);
        let w_hh = var(&golden["w_hh"], &[n_lines, HIDDEN]);
        let bias = var(&bias(cell, &golden), &[cell.n_bias_parts() * HIDDEN]);
        let state: Vec<f32> = (0..BATCH).flat_map(|row| initial(&golden, row)).collect();
        let state = Tensor::from_vec(state, (BATCH, cell.state_size(HIDDEN)), &Device::Cpu).unwrap();
        let (y, last_state) = recurrent_sequence(cell, &x, &w_ih, &w_hh, &bias, Some(&state)).unwrap();
        assert_close(cell, "y", &flat(&y), &golden["y"]);
        if let Some(last_memory) = golden.get("cn") {
            assert_close(cell, "cn", &flat(&last_state.narrow(1, HIDDEN, HIDDEN).unwrap()), last_memory);
        }

        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = |var: &Var| flat(gradients.get(var).unwrap());
        assert_close(cell, "dx", &gradient(&x), &golden["dx"]);
        assert_close(cell, "dw_ih", &gradient(&w_ih), &golden["dw_ih"]);
        assert_close(cell, "dw_hh", &gradient(&w_hh), &golden["dw_hh"]);
        // The gradient of a sum is that of each summand.
        let expected = folded(cell, &golden["db_ih"], &golden["db_hh"], |of_either, _| of_either);
        assert_close(cell, "dbias", &gradient(&bias), &expected);
    }
}

#[test]
fn running_agrees_with_pytorch_step_by_step() {
    for (cell, golden) in golden() {
        let layer = PackedRecurrent::new(cell, &golden["w_ih"], &golden["w_hh"], &bias(cell, &golden));
        let mut scratch = RecurrentScratch::default();
        for row in 0..BATCH {
            let mut state = initial(&golden, row);
            for step in 0..TIME {
                let at = row * TIME + step;
                let mut output = vec![0.0; HIDDEN];
                let x = &golden["x"][at * INPUTS..(at + 1) * INPUTS];
                layer.sequence(x, 1, &mut state, &mut scratch, &mut output);
                assert_close(cell, "y", &output, &golden["y"][at * HIDDEN..(at + 1) * HIDDEN]);
                assert_eq!(state[..HIDDEN], output);
            }
            if let Some(last_memory) = golden.get("cn") {
                assert_close(cell, "cn", &state[HIDDEN..], &last_memory[row * HIDDEN..(row + 1) * HIDDEN]);
            }
        }
    }
}

/// A network of two bidirectional layers that begin with a learned state, without convolutions; its words are the outputs of its last
/// layer as they are.
fn bidirectional(cell: RecurrentCell) -> (ModelConfig, BTreeMap<String, Var>, Golden) {
    let text = match cell {
        RecurrentCell::Gru => include_str!("data/gru_bidirectional_golden.json"),
        RecurrentCell::Lstm => include_str!("data/lstm_bidirectional_golden.json"),
        RecurrentCell::Rnn => include_str!("data/rnn_bidirectional_golden.json"),
    };
    let golden: Golden = serde_json::from_str(text).unwrap();
    let config = ModelConfig {
        convolutions: Vec::new(),
        cell,
        hidden_size: HIDDEN,
        n_layers: 2,
        initial_state: InitialState::Learned,
        bidirectional: true,
        ..ModelConfig::default()
    };
    let values = |name: &str| -> Vec<f32> {
        if name == "head.weight" {
            return (0..4 * HIDDEN * HIDDEN).map(|i| if i % (2 * HIDDEN + 1) == 0 { 1.0 } else { 0.0 }).collect();
        }
        let Some((_, tensor)) = name.split_once('.').filter(|_| name != "head.bias") else {
            return vec![0.0; 2 * HIDDEN];
        };
        if let Some(end) = tensor.strip_prefix("bias") {
            folded(cell, &golden[&format!("bias_ih{end}")], &golden[&format!("bias_hh{end}")], |a, b| a + b)
        } else if tensor.starts_with("initial") {
            initial(&golden, direction(tensor))
        } else {
            golden[tensor].clone()
        }
    };
    let variable = |(name, shape): (String, Vec<usize>)| {
        let values = values(&name);
        (name, Var::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    let variables = Weights::expected(&config, INPUTS, 2 * HIDDEN).into_iter().map(variable).collect();
    (config, variables, golden)
}

/// The place of a direction among PyTorch's states, by the end of its tensors' names.
fn direction(tensor: &str) -> usize {
    ["_l0", "_l0_reverse", "_l1", "_l1_reverse"].iter().position(|end| tensor.ends_with(end)).unwrap()
}

#[test]
fn bidirectional_layers_agree_with_pytorch() {
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for cell in RecurrentCell::ALL {
        let (config, variables, golden) = bidirectional(cell);
        let tensors = variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        let weights = Weights::new(tensors);
        let network = Network::new(&config, INPUTS, &weights).unwrap();
        let n_steps = golden["x"].len() / INPUTS;
        let x = Var::from_slice(&golden["x"], (1, n_steps, INPUTS), &Device::Cpu).unwrap();
        let (y, _) = network.seq(&x, &network.zero_state(1).unwrap(), &mut ()).unwrap();
        assert_close(cell, "y", &flat(&y), &golden["y"]);

        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = |var: &Var| flat(gradients.get(var).unwrap());
        assert_close(cell, "dx", &gradient(&x), &golden["dx"]);
        for (name, var) in &variables {
            let Some((_, tensor)) = name.split_once('.').filter(|(layer, _)| *layer != "head") else { continue };
            let expected = if let Some(end) = tensor.strip_prefix("bias") {
                let part = |which: &str| &golden[&format!("dbias_{which}{end}")];
                folded(cell, part("ih"), part("hh"), |of_either, _| of_either)
            } else if tensor.starts_with("initial") {
                let row = direction(tensor) * HIDDEN..(direction(tensor) + 1) * HIDDEN;
                let memory = golden.get("dc0").map_or(&[][..], |memory| &memory[row.clone()]);
                [&golden["dh0"][row], memory].concat()
            } else {
                golden[&format!("d{tensor}")].clone()
            };
            assert_close(cell, name, &gradient(var), &expected);
        }

        // The recording is shorter than a window: what runs hears all of it, too.
        let streaming = StreamingNetwork::new(&config, INPUTS, 2 * HIDDEN, &weights).unwrap();
        let expected: Vec<f32> = golden["y"].iter().map(|y| 1.0 / (1.0 + (-y).exp())).collect();
        assert_close(cell, "running", &streaming.recording(&golden["x"]), &expected);
    }
}
