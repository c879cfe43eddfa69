//! The arithmetic under the network, for every instruction set of this processor.

use candle_core::{Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion};
use tripword::kernels::{
    Activation, ConvShape, Isa, PackedDense, PackedRecurrent, RecurrentCell, RecurrentScratch, recurrent_sequence,
    unfold_conv,
};

use super::clock::Clock;
use super::common::Random;

/// Width of the default network.
const HIDDEN: usize = 96;
/// Ten seconds of 80 ms steps.
const STEPS: usize = 125;
const ROWS: usize = 32;

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    let mut random = Random::new(1);
    let layers = RecurrentCell::ALL.map(|cell| {
        let n_weights = cell.n_gates() * HIDDEN * HIDDEN;
        (cell, [n_weights, n_weights, cell.n_bias_parts() * HIDDEN].map(|n| random.values(n, 0.1)))
    });
    let input = random.values(ROWS * STEPS * HIDDEN, 1.0);

    let mut group = criterion.benchmark_group("kernels");
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_supported()) {
        let name = format!("{isa:?}").to_lowercase();
        for (cell, [w_ih, w_hh, bias]) in &layers {
            let layer = PackedRecurrent::with_isa(isa, *cell, w_ih, w_hh, bias);
            let mut scratch = RecurrentScratch::default();
            for (what, n_rows, n_steps) in [("one step", 1, 1), ("32 x 10 s", ROWS, STEPS)] {
                let mut state = vec![0.0; n_rows * layer.state_size()];
                let mut output = vec![0.0; n_rows * n_steps * HIDDEN];
                let input = &input[..n_rows * n_steps * HIDDEN];
                group.bench_function(BenchmarkId::new(format!("{} {what}", cell.name()), &name), |bencher| {
                    bencher.iter(|| {
                        layer.sequence_batch(input, n_rows, n_steps, &mut state, &mut scratch, &mut output);
                    });
                });
            }
        }
        // The first convolution of the default network over 10 s of features.
        let (kernel, n_mels, stride, n_frames) = (10, 40, 4, 1000);
        let conv =
            PackedDense::with_isa(isa, &random.values(HIDDEN * kernel * n_mels, 0.1), &random.values(HIDDEN, 0.1));
        let features = random.values(n_frames * n_mels, 1.0);
        let n_windows = (n_frames - kernel) / stride + 1;
        let mut output = vec![0.0; n_windows * HIDDEN];
        group.bench_function(BenchmarkId::new("convolution 10 s", &name), |bencher| {
            bencher.iter(|| conv.forward(&features, stride * n_mels, n_windows, Activation::Relu, &mut output));
        });
    }

    let variable = |values: &[f32], shape: &[usize]| {
        Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu).unwrap()).unwrap()
    };
    let x = variable(&input, &[ROWS, STEPS, HIDDEN]);
    for (cell, [w_ih, w_hh, bias]) in &layers {
        let n_lines = cell.n_gates() * HIDDEN;
        let (w_ih, w_hh) = (variable(w_ih, &[n_lines, HIDDEN]), variable(w_hh, &[n_lines, HIDDEN]));
        let bias = variable(bias, &[bias.len()]);
        group.bench_function(format!("{} 32 x 10 s, forward and backward", cell.name()), |bencher| {
            bencher.iter(|| {
                let (output, _) = recurrent_sequence(*cell, &x, &w_ih, &w_hh, &bias, None).unwrap();
                output.sum_all().unwrap().backward().unwrap()
            });
        });
    }
    let features = Tensor::from_vec(random.values(ROWS * 1000 * 40, 1.0), (ROWS, 1000, 40), &Device::Cpu).unwrap();
    let weight = variable(&random.values(HIDDEN * 400, 0.1), &[HIDDEN, 400]);
    let bias = variable(&random.values(HIDDEN, 0.1), &[HIDDEN]);
    let shape = ConvShape { kernel: 10, stride: 4, activation: Activation::Relu };
    group.bench_function("convolution 32 x 10 s, forward and backward", |bencher| {
        bencher.iter(|| unfold_conv(&features, &weight, &bias, shape).unwrap().sum_all().unwrap().backward().unwrap());
    });
    group.finish();
}
