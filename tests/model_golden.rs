//! The GRU against PyTorch's numbers, forward and backward; `data/gru_golden.py` made them.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use tripword::kernels::{GruScratch, PackedGru, gru_sequence};

const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const BATCH: usize = 2;
const TIME: usize = 5;
/// Both sides compute in single precision; the numbers are stored with eight decimals.
const TOLERANCE: f32 = 5e-6;

fn golden() -> BTreeMap<String, Vec<f32>> {
    serde_json::from_str(include_str!("data/gru_golden.json")).unwrap()
}

/// `[b_r, b_z, b_in, b_hn]` of PyTorch's two bias vectors.
fn folded_bias(golden: &BTreeMap<String, Vec<f32>>) -> Vec<f32> {
    let (b_ih, b_hh) = (&golden["b_ih"], &golden["b_hh"]);
    let sums = (0..2 * HIDDEN).map(|i| b_ih[i] + b_hh[i]);
    sums.chain(b_ih[2 * HIDDEN..].iter().copied()).chain(b_hh[2 * HIDDEN..].iter().copied()).collect()
}

fn assert_close(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0), "{name}[{i}]: {ours} {theirs}");
    }
}

#[test]
fn training_agrees_with_pytorch() {
    let golden = golden();
    let var = |values: &[f32], shape: &[usize]| {
        Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu).unwrap()).unwrap()
    };
    let x = var(&golden["x"], &[BATCH, TIME, INPUTS]);
    let w_ih = var(&golden["w_ih"], &[3 * HIDDEN, INPUTS]);
    let w_hh = var(&golden["w_hh"], &[3 * HIDDEN, HIDDEN]);
    let bias = var(&folded_bias(&golden), &[4 * HIDDEN]);
    let h0 = Tensor::from_slice(&golden["h0"], (BATCH, HIDDEN), &Device::Cpu).unwrap();
    let y = gru_sequence(&x, &w_ih, &w_hh, &bias, Some(&h0)).unwrap();
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_close("y", &flat(&y), &golden["y"]);

    let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = |var: &Var| flat(gradients.get(var).unwrap());
    assert_close("dx", &gradient(&x), &golden["dx"]);
    assert_close("dw_ih", &gradient(&w_ih), &golden["dw_ih"]);
    assert_close("dw_hh", &gradient(&w_hh), &golden["dw_hh"]);
    // The gradient of a sum is that of each summand.
    let expected: Vec<f32> = golden["db_ih"].iter().chain(&golden["db_hh"][2 * HIDDEN..]).copied().collect();
    assert_close("dbias", &gradient(&bias), &expected);
}

#[test]
fn running_agrees_with_pytorch_step_by_step() {
    let golden = golden();
    let gru = PackedGru::new(&golden["w_ih"], &golden["w_hh"], &folded_bias(&golden));
    let mut scratch = GruScratch::default();
    for row in 0..BATCH {
        let mut hidden = golden["h0"][row * HIDDEN..(row + 1) * HIDDEN].to_vec();
        for step in 0..TIME {
            let at = row * TIME + step;
            let mut output = vec![0.0; HIDDEN];
            gru.sequence(&golden["x"][at * INPUTS..(at + 1) * INPUTS], 1, &mut hidden, &mut scratch, &mut output);
            assert_close("y", &output, &golden["y"][at * HIDDEN..(at + 1) * HIDDEN]);
            assert_eq!(hidden, output);
        }
    }
}
