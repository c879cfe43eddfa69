//! Connectionist temporal classification (Graves et al. 2006): how probable the words of a row are in their order, at whatever steps.
//!
//! The blank, "no word at this step", has the logit 0, so that the head has no output for it: a step says word w with probability
//! e^x_w / (1 + Σ e^x). Of a single word that is the sigmoid which runs; of several it is at most that.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// The words said in a row, in the order of their ends, and the steps they are said in.
pub(super) struct SaidWords {
    pub(super) words: Vec<usize>,
    pub(super) steps: Range<usize>,
}

/// The sum over rows of −ln p, times `scale`, a scalar: p is the probability of `rows` under `logits` `(rows, steps, n_words)`. A row
/// whose words do not fit into its steps counts nothing.
///
/// # Errors
/// When a tensor cannot be made.
pub(super) fn ctc_loss(logits: &Tensor, rows: &[SaidWords], scale: f64) -> Result<Tensor> {
    let (_, n_steps, n_words) = logits.dims3()?;
    let values = logits.flatten_all()?.to_vec1::<f32>()?;
    let mut gradient = vec![0.0f32; values.len()];
    let mut loss = 0.0;
    let row_len = n_steps * n_words;
    for (row, (values, gradient)) in
        rows.iter().zip(values.chunks_exact(row_len).zip(gradient.chunks_exact_mut(row_len)))
    {
        let counted = row.steps.start * n_words..row.steps.end * n_words;
        if let Some(path) = Lattice::new(&values[counted.clone()], n_words, &row.words) {
            loss -= path.log_probability;
            path.write_gradient(&mut gradient[counted], scale);
        }
    }
    let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
    logits.apply_op1(KnownGradient { value: (scale * loss) as f32, gradient })
}

/// A scalar that was computed together with its gradient.
struct KnownGradient {
    value: f32,
    gradient: Tensor,
}

impl CustomOp1 for KnownGradient {
    fn name(&self) -> &'static str {
        "known-gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![self.value]), ().into()))
    }

    fn bwd(&self, _argument: &Tensor, _result: &Tensor, result_gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.gradient.broadcast_mul(result_gradient)?))
    }
}

/// All paths through one row that say its words: a path is at each step in a blank or a word of `states`, which hold a blank before,
/// between and after the words, and stays, goes on by one, or skips a blank between two different words.
struct Lattice {
    /// The class of each state: a word, or `n_words` for the blank.
    states: Vec<usize>,
    n_words: usize,
    /// ln p of each class at each step, `(steps, n_words + 1)`.
    log_p: Vec<f64>,
    /// ln of the sum over paths from the first step to this step and state, both emitted, `(steps, states)`.
    forward: Vec<f64>,
    /// ln of the sum over all paths.
    log_probability: f64,
}

impl Lattice {
    /// `None` if no path says the words: there are fewer steps than words and the blanks that repeated words need between them.
    fn new(logits: &[f32], n_words: usize, words: &[usize]) -> Option<Self> {
        let n_steps = logits.len() / n_words;
        let n_repeats = words.windows(2).filter(|pair| pair[0] == pair[1]).count();
        if n_steps < (words.len() + n_repeats).max(1) {
            return None;
        }
        let states: Vec<usize> =
            std::iter::once(n_words).chain(words.iter().flat_map(|&word| [word, n_words])).collect();
        let log_p = logits.chunks_exact(n_words).flat_map(log_probabilities).collect();
        let n_states = states.len();
        let mut lattice = Self {
            states,
            n_words,
            log_p,
            forward: vec![f64::NEG_INFINITY; n_steps * n_states],
            log_probability: f64::NEG_INFINITY,
        };
        for state in 0..n_states.min(2) {
            lattice.forward[state] = lattice.emitted(0, state);
        }
        for step in 1..n_steps {
            for state in 0..n_states {
                let before = &lattice.forward[(step - 1) * n_states..step * n_states];
                let mut sum = before[state];
                if state >= 1 {
                    sum = log_add(sum, before[state - 1]);
                }
                if lattice.is_skipped_to(state) {
                    sum = log_add(sum, before[state - 2]);
                }
                lattice.forward[step * n_states + state] = sum + lattice.emitted(step, state);
            }
        }
        // A path ends in the last word or in the blank after it.
        let last = &lattice.forward[(n_steps - 1) * n_states..];
        lattice.log_probability = last.iter().rev().take(2).copied().fold(f64::NEG_INFINITY, log_add);
        Some(lattice)
    }

    /// ln of the probability that `step` says the class of `state`.
    fn emitted(&self, step: usize, state: usize) -> f64 {
        self.log_p[step * (self.n_words + 1) + self.states[state]]
    }

    /// Whether a path may come to `state` past a blank.
    fn is_skipped_to(&self, state: usize) -> bool {
        state >= 2 && self.states[state] != self.n_words && self.states[state] != self.states[state - 2]
    }

    /// The gradient of −ln p by the logits, times `scale`: what the steps say, less what they say on the paths.
    fn write_gradient(&self, gradient: &mut [f32], scale: f64) {
        let n_states = self.states.len();
        // ln of the sum over paths from each state to the end, what the step itself says left out.
        let mut backward = vec![f64::NEG_INFINITY; n_states];
        backward[n_states.saturating_sub(2)..].fill(0.0);
        let mut occupied = vec![0.0; self.n_words + 1];
        for (step, gradient) in gradient.chunks_exact_mut(self.n_words).enumerate().rev() {
            occupied.fill(0.0);
            for state in 0..n_states {
                let both = self.forward[step * n_states + state] + backward[state];
                occupied[self.states[state]] += (both - self.log_probability).exp();
            }
            for (word, gradient) in gradient.iter_mut().enumerate() {
                let said = self.log_p[step * (self.n_words + 1) + word].exp();
                *gradient = (scale * (said - occupied[word])) as f32;
            }
            (0..n_states).for_each(|state| backward[state] += self.emitted(step, state));
            // Upwards, so that what is still needed has not changed.
            for state in 0..n_states {
                if state + 1 < n_states {
                    backward[state] = log_add(backward[state], backward[state + 1]);
                }
                if state + 2 < n_states && self.is_skipped_to(state + 2) {
                    backward[state] = log_add(backward[state], backward[state + 2]);
                }
            }
        }
    }
}

/// ln of the probabilities of all words and, last, of the blank, from the words' logits.
fn log_probabilities(logits: &[f32]) -> impl Iterator<Item = f64> {
    let highest = f64::from(logits.iter().copied().fold(0.0, f32::max));
    let sum: f64 = logits.iter().chain([&0.0]).map(|&x| (f64::from(x) - highest).exp()).sum();
    let log_sum = highest + sum.ln();
    logits.iter().chain([&0.0]).map(move |&x| f64::from(x) - log_sum)
}

/// ln(e^a + e^b), of minus infinity, too.
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use std::collections::BTreeMap;

    fn random_logits(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-3.0..3.0)).collect()
    }

    /// p, path by path: every class at every step; repeated classes are one, blanks none.
    fn by_enumeration(logits: &[f32], n_words: usize, words: &[usize]) -> f64 {
        let n_steps = logits.len() / n_words;
        let n_classes = n_words + 1;
        let mut total = 0.0;
        for mut path in 0..n_classes.pow(n_steps as u32) {
            let (mut p, mut said, mut before) = (1.0, Vec::new(), n_words);
            for step in logits.chunks_exact(n_words) {
                let class = path % n_classes;
                path /= n_classes;
                let denominator = 1.0 + step.iter().map(|&x| f64::from(x).exp()).sum::<f64>();
                p *= step.get(class).map_or(1.0, |&x| f64::from(x).exp()) / denominator;
                if class != before && class != n_words {
                    said.push(class);
                }
                before = class;
            }
            total += if said == words { p } else { 0.0 };
        }
        total
    }

    #[test]
    fn agrees_with_the_sum_over_all_paths() {
        let sequences: [&[usize]; 7] = [&[], &[0], &[1], &[0, 1], &[0, 0], &[1, 0, 1], &[1, 1, 0]];
        for (seed, words) in sequences.into_iter().enumerate() {
            for n_steps in 1..=6 {
                let logits = random_logits(n_steps * 2, seed as u64);
                let expected = by_enumeration(&logits, 2, words);
                match Lattice::new(&logits, 2, words) {
                    Some(lattice) => {
                        let distance = (lattice.log_probability - expected.ln()).abs();
                        assert!(
                            distance < 1e-9,
                            "{words:?} in {n_steps}: {} {}",
                            lattice.log_probability,
                            expected.ln()
                        );
                    }
                    None => assert_eq!(expected, 0.0, "{words:?} in {n_steps}"),
                }
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        const STEP: f32 = 1e-3;
        for (words, seed) in [(vec![], 1), (vec![2], 2), (vec![0, 1, 1], 3), (vec![1, 0, 2, 0], 4)] {
            let logits = random_logits(8 * 3, seed);
            let mut gradient = vec![0.0; logits.len()];
            Lattice::new(&logits, 3, &words).unwrap().write_gradient(&mut gradient, 1.0);
            for i in 0..logits.len() {
                let loss = |by: f32| {
                    let mut moved = logits.clone();
                    moved[i] += by;
                    -Lattice::new(&moved, 3, &words).unwrap().log_probability
                };
                let expected = (loss(STEP) - loss(-STEP)) / (2.0 * f64::from(STEP));
                // Single precision moves a logit by not quite the step.
                assert!((f64::from(gradient[i]) - expected).abs() < 1e-4, "{words:?} {i}: {} {expected}", gradient[i]);
            }
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        // Made by ctc_golden.py beside it.
        let golden: BTreeMap<String, Vec<f64>> =
            serde_json::from_str(include_str!("../../../tests/data/ctc_golden.json")).unwrap();
        let (n_rows, n_steps, n_words) = (3, 12, 4);
        let logits: Vec<f32> = golden["logits"].iter().map(|&x| x as f32).collect();
        let logits = Var::from_vec(logits, (n_rows, n_steps, n_words), &Device::Cpu).unwrap();
        let rows: Vec<SaidWords> = (0..n_rows)
            .map(|row| SaidWords {
                words: golden[&format!("words{row}")].iter().map(|&word| word as usize).collect(),
                steps: 0..golden["n_steps"][row] as usize,
            })
            .collect();
        let loss = ctc_loss(&logits, &rows, 0.5).unwrap();
        let expected: f64 = 0.5 * golden["losses"].iter().sum::<f64>();
        let found = f64::from(loss.to_scalar::<f32>().unwrap());
        // Theirs are in single precision, stored with eight decimals.
        assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
        let gradients = (loss * 3.0).unwrap().backward().unwrap();
        let found = gradients.get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (i, (found, expected)) in found.iter().zip(&golden["gradient"]).enumerate() {
            assert!((f64::from(*found) - 1.5 * expected).abs() < 1e-5, "{i}: {found} {expected}");
        }
    }

    #[test]
    fn of_one_word_a_step_says_the_sigmoid_that_runs() {
        for x in [-30.0f32, -1.0, 0.0, 2.5, 30.0] {
            let found = log_probabilities(&[x]).next().unwrap().exp();
            assert!((found - 1.0 / (1.0 + f64::from(-x).exp())).abs() < 1e-12, "{x}: {found}");
        }
    }

    #[test]
    fn words_that_do_not_fit_count_nothing_and_huge_logits_are_finite() {
        let logits = Var::new(&[[[1.0f32], [2.0]], [[1e4], [-1e4]]], &Device::Cpu).unwrap();
        let rows = [SaidWords { words: vec![0, 0], steps: 0..2 }, SaidWords { words: vec![], steps: 0..0 }];
        let loss = ctc_loss(&logits, &rows, 1.0).unwrap();
        assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
        let gradient = loss.backward().unwrap().get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient, [0.0; 4]);

        let rows = [SaidWords { words: vec![0], steps: 0..2 }, SaidWords { words: vec![], steps: 0..2 }];
        let loss = ctc_loss(&logits, &rows, 1.0).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - 1e4).abs() < 1.0, "{loss}");
        let gradient = loss.backward().unwrap().get(&logits).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(gradient[2] == 1.0 && gradient[3] == 0.0, "{gradient:?}");
    }

    #[test]
    fn a_logit_that_is_no_number_is_not_hidden() {
        let lattice = Lattice::new(&[0.5, f32::NAN, 0.5], 1, &[0]).unwrap();
        assert!(lattice.log_probability.is_nan());
    }
}
