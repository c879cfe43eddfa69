//! The kernels against candle's own layers, against a plain reference in `f64`, and against themselves cut into pieces.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::rnn::{GRUConfig, LSTMConfig, RNN};
use candle_nn::{VarBuilder, VarMap};
use proptest::prelude::*;
use tripword::kernels::{
    Activation, ConvShape, Isa, PackedDense, PackedRecurrent, RecurrentCell, RecurrentScratch, recurrent_sequence,
    unfold_conv,
};

const CPU: Device = Device::Cpu;

/// `(batch, time, inputs, hidden)`: below, at and above whole vectors and register tiles.
const SIZES: [(usize, usize, usize, usize); 9] = [
    (1, 1, 1, 1),
    (3, 4, 2, 1),
    (3, 7, 5, 17),
    (1, 9, 40, 64),
    (3, 1, 96, 96),
    (13, 20, 33, 96),
    (2, 11, 17, 100),
    (3, 5, 64, 129),
    (1, 131, 3, 20),
];

/// Every kind of cell at every size.
fn cells_and_sizes() -> impl Iterator<Item = (RecurrentCell, (usize, usize, usize, usize))> {
    RecurrentCell::ALL.into_iter().flat_map(|cell| SIZES.map(|size| (cell, size)))
}

fn supported() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_supported())
}

/// Numbers in -scale..scale, the same for the same seed (SplitMix64).
fn random(seed: u64, n: usize, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 40
    };
    (0..n).map(|_| (next() as f32 / (1 << 23) as f32 - 1.0) * scale).collect()
}

fn tensor(seed: u64, shape: &[usize], scale: f32) -> Tensor {
    Tensor::from_vec(random(seed, shape.iter().product(), scale), shape, &CPU).expect("numbers fill the shape")
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("an f32 tensor")
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// The largest difference, as a fraction of the largest magnitude of `expected` or of 1.
fn distance(actual: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    actual.iter().zip(expected).fold(0.0f32, |m, (a, b)| if (a - b).is_nan() { f32::NAN } else { m.max((a - b).abs()) })
        / scale
}

fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    let distance = distance(actual, expected);
    assert!(distance < tolerance, "{what}: differs by {distance}, more than {tolerance}");
}

/// A layer's parameters, of the size that training starts from.
struct Layer {
    cell: RecurrentCell,
    n_hidden: usize,
    w_ih: Vec<f32>,
    w_hh: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn random(cell: RecurrentCell, seed: u64, n_inputs: usize, n_hidden: usize) -> Self {
        let scale = 1.5 / (n_hidden as f32).sqrt();
        Self {
            cell,
            n_hidden,
            w_ih: random(seed, cell.n_gates() * n_hidden * n_inputs, scale),
            w_hh: random(seed + 1, cell.n_gates() * n_hidden * n_hidden, scale),
            bias: random(seed + 2, cell.n_bias_parts() * n_hidden, 0.5),
        }
    }

    fn packed(&self, isa: Isa) -> PackedRecurrent {
        PackedRecurrent::with_isa(isa, self.cell, &self.w_ih, &self.w_hh, &self.bias)
    }

    fn state_size(&self) -> usize {
        self.cell.state_size(self.n_hidden)
    }

    /// w_ih, w_hh and bias.
    fn variables(&self) -> Result<[Var; 3]> {
        let n_lines = self.cell.n_gates() * self.n_hidden;
        Ok([
            Var::from_slice(&self.w_ih, (n_lines, self.w_ih.len() / n_lines), &CPU)?,
            Var::from_slice(&self.w_hh, (n_lines, self.n_hidden), &CPU)?,
            Var::from_slice(&self.bias, self.bias.len(), &CPU)?,
        ])
    }
}

/// The states `(batch, time, hidden)` of candle's own layer, with the variables behind w_ih, w_hh and the bias's parts.
fn candle_layer(layer: &Layer, x: &Tensor, initial: &Tensor) -> Result<(Tensor, [Var; 3], Option<Var>)> {
    let Layer { cell, n_hidden, .. } = *layer;
    let (_, n_steps, n_inputs) = x.dims3()?;
    let at = |time: usize| x.narrow(1, time, 1)?.squeeze(1)?.contiguous();
    let h0 = initial.narrow(1, 0, n_hidden)?.contiguous()?;
    let mut states = Vec::new();
    if cell == RecurrentCell::Rnn {
        let [w_ih, w_hh, bias] = layer.variables()?;
        let mut h = h0;
        for time in 0..n_steps {
            let sums = (at(time)?.matmul(&w_ih.t()?)? + h.matmul(&w_hh.t()?)?)?.broadcast_add(&bias)?;
            h = sums.tanh()?;
            states.push(h.clone());
        }
        return Ok((Tensor::stack(&states, 1)?, [w_ih, w_hh, bias], None));
    }
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &CPU);
    let gru = candle_nn::gru(n_inputs, n_hidden, GRUConfig::default(), builder.pp("gru"))?;
    let lstm = candle_nn::lstm(n_inputs, n_hidden, LSTMConfig::default(), builder.pp("lstm"))?;
    let n_summed = if cell == RecurrentCell::Gru { 2 } else { 4 } * n_hidden;
    // The biases of gates that are plain sums are all on the side of the inputs.
    let n_input_biases = cell.n_gates() * n_hidden;
    let b_hh = [&vec![0.0; n_summed][..], &layer.bias[n_input_biases..]].concat();
    let variable = |name: &str, values: &[f32]| -> Result<Var> {
        let variable = variables.data().lock().expect("one thread")[&format!("{}.{name}", cell.name())].clone();
        variable.set(&Tensor::from_slice(values, variable.shape(), &CPU)?)?;
        Ok(variable)
    };
    let parameters = [
        variable("weight_ih_l0", &layer.w_ih)?,
        variable("weight_hh_l0", &layer.w_hh)?,
        variable("bias_ih_l0", &layer.bias[..n_input_biases])?,
    ];
    let b_hh = variable("bias_hh_l0", &b_hh)?;
    if cell == RecurrentCell::Gru {
        let mut state = candle_nn::rnn::GRUState { h: h0 };
        for time in 0..n_steps {
            state = gru.step(&at(time)?, &state)?;
            states.push(state.h.clone());
        }
    } else {
        let mut state = candle_nn::rnn::LSTMState { h: h0, c: initial.narrow(1, n_hidden, n_hidden)?.contiguous()? };
        for time in 0..n_steps {
            state = lstm.step(&at(time)?, &state)?;
            states.push(state.h().clone());
        }
    }
    Ok((Tensor::stack(&states, 1)?, parameters, Some(b_hh)))
}

#[test]
fn recurrent_layers_and_their_gradients_agree_with_candle() -> Result<()> {
    for (cell, (n_rows, n_steps, n_inputs, n_hidden)) in cells_and_sizes() {
        let layer = Layer::random(cell, 7, n_inputs, n_hidden);
        let x = Var::from_tensor(&tensor(3, &[n_rows, n_steps, n_inputs], 1.0))?;
        let [w_ih, w_hh, bias] = layer.variables()?;
        let initial = tensor(4, &[n_rows, layer.state_size()], 1.0);
        let output_gradient = tensor(5, &[n_rows, n_steps, n_hidden], 1.0);

        let (output, _) = recurrent_sequence(cell, &x, &w_ih, &w_hh, &bias, Some(&initial))?;
        let gradients = (&output * &output_gradient)?.sum_all()?.backward()?;
        let (reference_output, reference_parameters, reference_b_hh) = candle_layer(&layer, &x, &initial)?;
        let reference_gradients = (&reference_output * &output_gradient)?.sum_all()?.backward()?;

        let size = format!("{cell:?}, {n_rows} rows, {n_steps} steps, {n_inputs} inputs, {n_hidden} hidden");
        // Both sum in f32 in different orders; the gates agree within 2e-7 and errors grow over the steps.
        assert_close(&format!("output, {size}"), &numbers(&output), &numbers(&reference_output), 5e-6);
        let of = |variable: &Var| numbers(gradients.get(variable).expect("a gradient"));
        let of_reference = |variable: &Var| numbers(reference_gradients.get(variable).expect("a gradient"));
        assert_close(&format!("input gradient, {size}"), &of(&x), &of_reference(&x), 1e-5);
        let [reference_w_ih, reference_w_hh, reference_b_ih] = &reference_parameters;
        assert_close(&format!("w_ih gradient, {size}"), &of(&w_ih), &of_reference(reference_w_ih), 1e-5);
        assert_close(&format!("w_hh gradient, {size}"), &of(&w_hh), &of_reference(reference_w_hh), 1e-5);
        let mut reference_bias = of_reference(reference_b_ih);
        if let (RecurrentCell::Gru, Some(b_hh)) = (cell, &reference_b_hh) {
            reference_bias.extend(&of_reference(b_hh)[2 * n_hidden..]);
        }
        assert_close(&format!("bias gradient, {size}"), &of(&bias), &reference_bias, 1e-5);
    }
    Ok(())
}

/// The loss `sum(weights * states)` of a recurrent layer, written as the equations are, in `f64`. The last weights are those of
/// the LSTM's c after the last step.
fn reference_loss(
    cell: RecurrentCell,
    parameters: &[f64],
    (x, initial): (&[f64], &[f64]),
    weights: &[f64],
    (n_inputs, n_hidden): (usize, usize),
) -> f64 {
    let (w_ih, rest) = parameters.split_at(cell.n_gates() * n_hidden * n_inputs);
    let (w_hh, bias) = rest.split_at(cell.n_gates() * n_hidden * n_hidden);
    let dot = |row: &[f64], x: &[f64]| row.iter().zip(x).map(|(a, b)| a * b).sum::<f64>();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (hidden, memory) = initial.split_at(n_hidden);
    let (mut hidden, mut memory) = (hidden.to_vec(), memory.to_vec());
    let (weights, memory_weights) = weights.split_at(x.len() / n_inputs * n_hidden);
    let mut loss = 0.0;
    for (x, weights) in x.chunks(n_inputs).zip(weights.chunks(n_hidden)) {
        let next: Vec<f64> = (0..n_hidden)
            .map(|unit| {
                let input = |gate: usize| dot(&w_ih[(gate * n_hidden + unit) * n_inputs..][..n_inputs], x);
                let state = |gate: usize| dot(&w_hh[(gate * n_hidden + unit) * n_hidden..][..n_hidden], &hidden);
                let b = |part: usize| bias[part * n_hidden + unit];
                let sum = |gate: usize| input(gate) + state(gate) + b(gate);
                match cell {
                    RecurrentCell::Gru => {
                        let (r, z) = (sigmoid(sum(0)), sigmoid(sum(1)));
                        let n = (input(2) + b(2) + r * (state(2) + b(3))).tanh();
                        n + z * (hidden[unit] - n)
                    }
                    RecurrentCell::Lstm => {
                        memory[unit] = sigmoid(sum(1)) * memory[unit] + sigmoid(sum(0)) * sum(2).tanh();
                        sigmoid(sum(3)) * memory[unit].tanh()
                    }
                    RecurrentCell::Rnn => sum(0).tanh(),
                }
            })
            .collect();
        hidden = next;
        loss += dot(weights, &hidden);
    }
    loss + dot(memory_weights, &memory)
}

#[test]
fn gradients_pass_from_one_sequence_to_the_one_before() -> Result<()> {
    for cell in RecurrentCell::ALL {
        let (n_rows, n_inputs, n_hidden) = (3, 5, 17);
        let layer = Layer::random(cell, 21, n_inputs, n_hidden);
        let x = Var::from_tensor(&tensor(22, &[n_rows, 7, n_inputs], 1.0))?;
        let initial = Var::from_tensor(&tensor(23, &[n_rows, layer.state_size()], 1.0))?;
        let run = |n_first: usize| -> Result<Vec<Vec<f32>>> {
            let [w_ih, w_hh, bias] = layer.variables()?;
            let part = |start, n, state: &Tensor| {
                recurrent_sequence(cell, &x.narrow(1, start, n)?, &w_ih, &w_hh, &bias, Some(state))
            };
            let (first, between) = part(0, n_first, &initial)?;
            let (second, last) = part(n_first, 7 - n_first, &between)?;
            let output = Tensor::cat(&[&first, &second], 1)?;
            let gradients = (output.sqr()?.sum_all()? + last.sqr()?.sum_all()?)?.backward()?;
            let variables = [&x, &initial, &w_ih, &w_hh, &bias];
            Ok(variables.map(|variable| numbers(gradients.get(variable).expect("a gradient"))).into())
        };
        let at_once = run(0)?;
        for n_first in [1, 4] {
            for (parts, whole) in run(n_first)?.iter().zip(&at_once) {
                assert_close(&format!("{cell:?}, {n_first} steps first"), parts, whole, 1e-5);
            }
        }
    }
    Ok(())
}

#[test]
fn recurrent_gradients_agree_with_finite_differences() -> Result<()> {
    for (cell, n_hidden) in RecurrentCell::ALL.into_iter().flat_map(|cell| [1, 5, 17].map(|n| (cell, n))) {
        let (n_steps, n_inputs) = (6, 3);
        let layer = Layer::random(cell, 11, n_inputs, n_hidden);
        let x = random(12, n_steps * n_inputs, 1.0);
        let initial = random(14, layer.state_size(), 1.0);
        let n_memory = layer.state_size() - n_hidden;
        let weights = random(13, n_steps * n_hidden + n_memory, 1.0);
        let exact = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();

        let input = Var::from_slice(&x, (1, n_steps, n_inputs), &CPU)?;
        let state = Var::from_slice(&initial, (1, layer.state_size()), &CPU)?;
        let [w_ih, w_hh, bias] = layer.variables()?;
        let (output, last) = recurrent_sequence(cell, &input, &w_ih, &w_hh, &bias, Some(&state))?;
        let seen = Tensor::cat(&[&output.flatten_all()?, &last.narrow(1, n_hidden, n_memory)?.flatten_all()?], 0)?;
        let loss = (seen * Tensor::from_slice(&weights, weights.len(), &CPU)?)?.sum_all()?;
        let gradients = loss.backward()?;
        let of = |variable| numbers(gradients.get(variable).expect("a gradient"));
        let actual = [of(&input), of(&state), of(&w_ih), of(&w_hh), of(&bias)].concat();

        let all = exact(&[&x[..], &initial, &layer.w_ih, &layer.w_hh, &layer.bias].concat());
        let loss_at = |all: &[f64]| {
            let (x, rest) = all.split_at(x.len());
            let (initial, parameters) = rest.split_at(initial.len());
            reference_loss(cell, parameters, (x, initial), &exact(&weights), (n_inputs, n_hidden))
        };
        assert!((f64::from(loss.to_scalar::<f32>()?) - loss_at(&all)).abs() < 1e-5);
        let step = 1e-5;
        let expected: Vec<f32> = (0..all.len())
            .map(|i| {
                let (mut above, mut below) = (all.clone(), all.clone());
                above[i] += step;
                below[i] -= step;
                ((loss_at(&above) - loss_at(&below)) / (2.0 * step)) as f32
            })
            .collect();
        // The differences are good to about 1e-9; what remains is f32 rounding of gradients of magnitude 1.
        assert_close(&format!("gradients, {cell:?}, {n_hidden} hidden"), &actual, &expected, 2e-6);
    }
    Ok(())
}

#[test]
fn training_and_running_agree_to_the_bit() -> Result<()> {
    for (cell, (n_rows, n_steps, n_inputs, n_hidden)) in cells_and_sizes() {
        let layer = Layer::random(cell, 21, n_inputs, n_hidden);
        let n_state = layer.state_size();
        let x = random(22, n_rows * n_steps * n_inputs, 1.0);
        let initial = random(23, n_rows * n_state, 1.0);
        let [w_ih, w_hh, bias] = layer.variables()?;
        let (trained, trained_state) = recurrent_sequence(
            cell,
            Var::from_slice(&x, (n_rows, n_steps, n_inputs), &CPU)?.as_tensor(),
            w_ih.as_tensor(),
            w_hh.as_tensor(),
            bias.as_tensor(),
            Some(&Tensor::from_slice(&initial, (n_rows, n_state), &CPU)?),
        )?;
        let packed = layer.packed(Isa::detect());
        let mut scratch = RecurrentScratch::default();
        for row in 0..n_rows {
            let mut state = initial[row * n_state..][..n_state].to_vec();
            let mut output = vec![0.0; n_steps * n_hidden];
            let input = &x[row * n_steps * n_inputs..][..n_steps * n_inputs];
            packed.sequence(input, n_steps, &mut state, &mut scratch, &mut output);
            assert_eq!(bits(&numbers(&trained.get(row)?)), bits(&output));
            assert_eq!(bits(&numbers(&trained_state.get(row)?)), bits(&state));
            assert_eq!(bits(&state[..n_hidden]), bits(&output[(n_steps - 1) * n_hidden..]));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunks_and_any_batch_give_the_same_bits(
        n_rows in 1usize..20,
        n_steps in 1usize..40,
        n_inputs in 1usize..50,
        n_hidden in 1usize..70,
        seed: u32,
        cell in prop::sample::select(&RecurrentCell::ALL[..]),
        chunks in prop::collection::vec(1usize..12, 40),
    ) {
        let layer = Layer::random(cell, seed.into(), n_inputs, n_hidden);
        let n_state = layer.state_size();
        let x = random(u64::from(seed) + 5, n_rows * n_steps * n_inputs, 1.0);
        for isa in supported() {
            let packed = layer.packed(isa);
            // One scratch for all sizes: what an earlier call left there must not matter.
            let mut scratch = RecurrentScratch::default();
            let mut states = vec![0.0; n_rows * n_state];
            let mut batch = vec![0.0; n_rows * n_steps * n_hidden];
            packed.sequence_batch(&x, n_rows, n_steps, &mut states, &mut scratch, &mut batch);
            for row in 0..n_rows {
                let x = &x[row * n_steps * n_inputs..][..n_steps * n_inputs];
                let mut state = vec![0.0; n_state];
                let mut output = vec![0.0; n_steps * n_hidden];
                let mut time = 0;
                for &chunk in &chunks {
                    let end = (time + chunk).min(n_steps);
                    packed.sequence(
                        &x[time * n_inputs..end * n_inputs],
                        end - time,
                        &mut state,
                        &mut scratch,
                        &mut output[time * n_hidden..end * n_hidden],
                    );
                    time = end;
                }
                prop_assert_eq!(bits(&output), bits(&batch[row * n_steps * n_hidden..][..n_steps * n_hidden]));
                prop_assert_eq!(bits(&state), bits(&states[row * n_state..][..n_state]));
            }
        }
    }

    #[test]
    fn dense_rows_do_not_depend_on_their_neighbours(
        n_rows in 1usize..30,
        n_inputs in 1usize..90,
        row_stride in 1usize..100,
        n_outputs in 1usize..140,
        seed: u32,
    ) {
        let weight = random(seed.into(), n_outputs * n_inputs, 1.0);
        let bias = random(u64::from(seed) + 1, n_outputs, 1.0);
        let input = random(u64::from(seed) + 2, (n_rows - 1) * row_stride + n_inputs, 1.0);
        for isa in supported() {
            let dense = PackedDense::with_isa(isa, &weight, &bias);
            let mut all = vec![0.0; n_rows * n_outputs];
            dense.forward(&input, row_stride, n_rows, Activation::None, &mut all);
            for (row, outputs) in all.chunks(n_outputs).enumerate() {
                let mut alone = vec![0.0; n_outputs];
                let x = &input[row * row_stride..][..n_inputs];
                dense.forward(x, 0, 1, Activation::None, &mut alone);
                prop_assert_eq!(bits(outputs), bits(&alone));
                for (unit, &y) in outputs.iter().enumerate() {
                    let row = &weight[unit * n_inputs..][..n_inputs];
                    let exact = row.iter().zip(x).fold(f64::from(bias[unit]), |sum, (&w, &x)| sum + f64::from(w) * f64::from(x));
                    // Up to 90 products of magnitude 1, each rounded once or twice.
                    prop_assert!((f64::from(y) - exact).abs() < 1e-5);
                }
            }
            let mut rectified = vec![0.0; n_rows * n_outputs];
            dense.forward(&input, row_stride, n_rows, Activation::Relu, &mut rectified);
            prop_assert_eq!(rectified, all.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn instruction_sets_agree() {
    for (cell, (n_rows, n_steps, n_inputs, n_hidden)) in cells_and_sizes() {
        let layer = Layer::random(cell, 31, n_inputs, n_hidden);
        let x = random(32, n_rows * n_steps * n_inputs, 1.0);
        let run = |isa: Isa| {
            let mut output = vec![0.0; n_rows * n_steps * n_hidden];
            let mut state = vec![0.0; n_rows * layer.state_size()];
            let mut scratch = RecurrentScratch::default();
            layer.packed(isa).sequence_batch(&x, n_rows, n_steps, &mut state, &mut scratch, &mut output);
            output
        };
        let portable = run(Isa::Portable);
        for isa in supported() {
            // The portable path rounds products where the target has no fused multiply-add; all others give the same bits.
            assert_close(&format!("{cell:?}, {isa:?} and portable"), &run(isa), &portable, 5e-6);
        }
        if Isa::Avx512.is_supported() && Isa::Avx2.is_supported() {
            assert_eq!(bits(&run(Isa::Avx512)), bits(&run(Isa::Avx2)));
        }
    }
}

#[test]
fn nan_stays_in_its_row() {
    let (n_rows, n_steps, n_inputs, n_hidden) = (11, 6, 20, 37);
    for (isa, cell) in supported().flat_map(|isa| RecurrentCell::ALL.map(|cell| (isa, cell))) {
        let layer = Layer::random(cell, 41, n_inputs, n_hidden);
        let clean = random(42, n_rows * n_steps * n_inputs, 1.0);
        let packed = layer.packed(isa);
        let mut scratch = RecurrentScratch::default();
        let mut run = |x: &[f32]| {
            let mut output = vec![0.0; n_rows * n_steps * n_hidden];
            let mut state = vec![0.0; n_rows * layer.state_size()];
            packed.sequence_batch(x, n_rows, n_steps, &mut state, &mut scratch, &mut output);
            output
        };
        let expected = run(&clean);
        let (bad_row, bad_step) = (4, 2);
        let mut x = clean.clone();
        x[(bad_row * n_steps + bad_step) * n_inputs + 3] = f32::NAN;
        let output = run(&x);
        for (place, (y, expected)) in output.chunks(n_hidden).zip(expected.chunks(n_hidden)).enumerate() {
            let (row, step) = (place / n_steps, place % n_steps);
            if row == bad_row && step >= bad_step {
                assert!(y.iter().all(|y| y.is_nan()), "{cell:?}, {isa:?}: row {row} step {step} hides the NaN");
            } else {
                assert_eq!(bits(y), bits(expected), "{cell:?}, {isa:?}: the NaN spread to row {row} step {step}");
            }
        }
        // The scratch memory saw the NaN; a clean call after it does not.
        assert_eq!(bits(&run(&clean)), bits(&expected));
    }
    for isa in supported() {
        let layer = Layer::random(RecurrentCell::Gru, 41, n_inputs, n_hidden);
        let dense = PackedDense::with_isa(isa, &layer.w_hh, &layer.bias[..3 * n_hidden]);
        let mut output = vec![0.0; 3 * 3 * n_hidden];
        let mut rows = random(43, 3 * n_hidden, 1.0);
        rows[n_hidden] = f32::NAN;
        dense.forward(&rows, n_hidden, 3, Activation::Relu, &mut output);
        for (row, y) in output.chunks(3 * n_hidden).enumerate() {
            assert_eq!(y.iter().all(|y| y.is_nan()), row == 1, "{isa:?}: row {row}");
            assert_eq!(y.iter().any(|y| y.is_nan()), row == 1, "{isa:?}: row {row}");
        }
    }
}

#[test]
fn convolution_and_its_gradients_agree_with_candle() -> Result<()> {
    // (batch, feature frames, n_mels, channels, kernel, stride)
    for (n_rows, n_frames, n_mels, n_channels, kernel, stride) in [
        (1, 1, 1, 1, 1, 1),
        (2, 23, 40, 64, 5, 2),
        (3, 41, 40, 96, 8, 4),
        (2, 10, 7, 17, 3, 1),
        (1, 230, 13, 100, 4, 2),
        (2, 9, 5, 3, 2, 5),
    ] {
        for activation in [Activation::None, Activation::Relu] {
            let x = Var::from_tensor(&tensor(51, &[n_rows, n_frames, n_mels], 1.0))?;
            let weight = Var::from_tensor(&tensor(52, &[n_channels, kernel * n_mels], 0.2))?;
            let bias = Var::from_tensor(&tensor(53, &[n_channels], 0.2))?;
            let output = unfold_conv(&x, &weight, &bias, ConvShape { kernel, stride, activation })?;
            let n_windows = (n_frames - kernel) / stride + 1;
            assert_eq!(output.dims(), [n_rows, n_windows, n_channels]);
            let output_gradient = tensor(54, output.dims(), 1.0);
            let gradients = (&output * &output_gradient)?.sum_all()?.backward()?;

            let kernels = weight.reshape((n_channels, kernel, n_mels))?.transpose(1, 2)?.contiguous()?;
            let reference = x.transpose(1, 2)?.contiguous()?.conv1d(&kernels, 0, stride, 1, 1)?.transpose(1, 2)?;
            let reference = reference.contiguous()?.broadcast_add(&bias)?;
            let reference = if activation == Activation::Relu { reference.relu()? } else { reference };

            // Sums of up to 320 products (230 windows for gradients) in two different orders.
            let case = format!("{n_frames} frames, kernel {kernel}, stride {stride}, {activation:?}");
            assert_close(&format!("output, {case}"), &numbers(&output), &numbers(&reference), 2e-6);
            // The gradients of candle 0.11.1's conv1d are wrong (it reads a transposed kernel as if it were contiguous), so
            // they are compared with those of windows copied out and multiplied.
            let windows =
                (0..n_windows).map(|i| x.narrow(1, i * stride, kernel)?.flatten_from(1)).collect::<Result<Vec<_>>>()?;
            let unfolded = Tensor::stack(&windows, 1)?.broadcast_matmul(&weight.t()?)?.broadcast_add(&bias)?;
            let unfolded = if activation == Activation::Relu { unfolded.relu()? } else { unfolded };
            let reference_gradients = (&unfolded * &output_gradient)?.sum_all()?.backward()?;
            for (what, variable) in [("x", &x), ("weight", &weight), ("bias", &bias)] {
                let of = |store: &candle_core::backprop::GradStore| numbers(store.get(variable).expect("a gradient"));
                assert_close(&format!("{what} gradient, {case}"), &of(&gradients), &of(&reference_gradients), 3e-6);
            }
            let data = unfold_conv(&x.as_detached_tensor(), &weight, &bias, ConvShape { kernel, stride, activation })?;
            let of_data = (&data * &output_gradient)?.sum_all()?.backward()?;
            assert!(of_data.get(&x).is_none());
            assert_eq!(
                numbers(of_data.get(&weight).expect("a gradient")),
                numbers(gradients.get(&weight).expect("a gradient"))
            );
        }
    }
    Ok(())
}

#[test]
fn wrong_shapes_are_refused_by_name() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &CPU).expect("zeros");
    for cell in RecurrentCell::ALL {
        let (lines, biases) = (cell.n_gates() * 5, cell.n_bias_parts() * 5);
        let run = |w_hh: &[usize], state: &[usize]| {
            let (x, w_ih, bias) = (zeros(&[2, 3, 4]), zeros(&[lines, 4]), zeros(&[biases]));
            recurrent_sequence(cell, &x, &w_ih, &zeros(w_hh), &bias, Some(&zeros(state)))
        };
        let error = run(&[lines, 6], &[2, cell.state_size(5)]).unwrap_err().to_string();
        assert!(error.contains("recurrent_sequence") && error.contains(cell.name()), "{error}");
        let error = run(&[lines, 5], &[2, 7]).unwrap_err().to_string();
        assert!(error.contains(&format!("expected (2, {})", cell.state_size(5))), "{error}");
        assert!(run(&[lines, 5], &[2, cell.state_size(5)]).is_ok());
    }
    let shape = ConvShape { kernel: 4, stride: 2, activation: Activation::Relu };
    let error = unfold_conv(&zeros(&[1, 3, 2]), &zeros(&[5, 8]), &zeros(&[5]), shape).unwrap_err();
    assert!(error.to_string().contains("does not fit in 3"), "{error}");
}

#[test]
fn gradient_is_taken_once() -> Result<()> {
    for cell in RecurrentCell::ALL {
        let [w_ih, w_hh, bias] = Layer::random(cell, 61, 2, 3).variables()?;
        let (output, _) = recurrent_sequence(cell, &tensor(62, &[1, 4, 2], 1.0), &w_ih, &w_hh, &bias, None)?;
        let loss = output.sum_all()?;
        loss.backward()?;
        assert!(loss.backward().unwrap_err().to_string().contains("already taken"));
    }
    Ok(())
}
