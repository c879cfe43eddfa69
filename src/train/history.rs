//! What is remembered of a training, to be looked at later: small, whatever its length, and kept with the checkpoint.

use serde::{Deserialize, Serialize};

use super::learner::LearnerStep;

/// Stretches that the steps are gathered into, at most. A plot is not much wider.
const MAX_STRETCHES: usize = 512;
/// Validations that are remembered, at most.
const MAX_VALIDATIONS: usize = 512;
/// Looks back through time that are remembered, at most.
const MAX_REACHES: usize = 32;
/// Stands for a number that grew beyond all bounds, which a file of JSON could not hold.
const BEYOND: f64 = 1e30;

/// How a training went so far. Steps are gathered into stretches of equal length; when there are too many, each two become one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The tensors of the network, as [`Stretch::tensor_norms`] counts them.
    pub tensors: Vec<String>,
    /// Steps of a stretch; the last one may have fewer.
    pub n_steps_per_stretch: u64,
    /// In the order of time.
    pub stretches: Vec<Stretch>,
    /// In the order of time.
    pub validations: Vec<ValidationRecord>,
    /// In the order of time, the first before the first step.
    pub reaches: Vec<ReachRecord>,
    /// Time spent, in seconds, validations included.
    pub seconds: f64,
}

/// Some steps in a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stretch {
    /// Steps done after the first of them.
    pub first_step: u64,
    /// How many they are.
    pub n_steps: u64,
    /// Loss.
    pub loss: Spread,
    /// Norm of the gradient before clipping.
    pub gradient_norm: Spread,
    /// Steps whose gradient was scaled down.
    pub n_clipped: u64,
    /// The last step's learning rate.
    pub learning_rate: f32,
    /// Mean norm of each tensor's gradient before clipping.
    pub tensor_norms: Vec<f32>,
}

impl Stretch {
    /// Its middle, in steps done.
    pub fn middle(&self) -> f64 {
        self.first_step as f64 + (self.n_steps.max(1) - 1) as f64 / 2.0
    }

    fn append(&mut self, later: &Self) {
        let (n, n_later) = (self.n_steps as f32, later.n_steps as f32);
        let mean = |a: f32, b: f32| (a * n + b * n_later) / (n + n_later);
        for (ours, theirs) in [(&mut self.loss, later.loss), (&mut self.gradient_norm, later.gradient_norm)] {
            *ours = Spread {
                mean: mean(ours.mean, theirs.mean),
                low: ours.low.min(theirs.low),
                high: ours.high.max(theirs.high),
            };
        }
        for (ours, theirs) in self.tensor_norms.iter_mut().zip(&later.tensor_norms) {
            *ours = mean(*ours, *theirs);
        }
        self.n_steps += later.n_steps;
        self.n_clipped += later.n_clipped;
        self.learning_rate = later.learning_rate;
    }
}

/// The mean of some numbers, and their ends.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f32,
    /// Lowest.
    pub low: f32,
    /// Highest.
    pub high: f32,
}

impl Spread {
    fn of(value: f64) -> Self {
        let value = bounded(value);
        Self { mean: value, low: value, high: value }
    }
}

/// One validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Steps done.
    pub step: u64,
    /// Mean miss rate over the words.
    pub miss_rate: f32,
    /// That of each word.
    pub words: Vec<f32>,
    /// Whether it was the best until then.
    pub is_best: bool,
}

/// How far back the network could be reached through time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReachRecord {
    /// Steps done.
    pub step: u64,
    /// For each recurrent layer, from the input upwards.
    pub layers: Vec<LayerReach>,
}

/// The norm of the gradient of what the network says at a step at the input of a layer, by the distance of that input in steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerReach {
    /// Of earlier inputs, the step's own first.
    pub back: Vec<f32>,
    /// Of later ones, the step's own first; empty where nothing is heard before its time, as in a network of one direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<f32>,
}

impl History {
    /// Remembers the step after which `n_steps` are done; `tensor_norms` are the norms of the gradient of each tensor.
    pub(super) fn record_step<'a>(
        &mut self,
        n_steps: u64,
        step: &LearnerStep,
        is_clipped: bool,
        tensor_norms: impl Iterator<Item = (&'a str, f64)>,
    ) {
        let (names, tensor_norms): (Vec<&str>, Vec<f32>) =
            tensor_norms.map(|(name, norm)| (name, bounded(norm))).unzip();
        if self.tensors.is_empty() {
            self.tensors = names.into_iter().map(str::to_owned).collect();
        }
        let step = Stretch {
            first_step: n_steps,
            n_steps: 1,
            loss: Spread::of(step.loss),
            gradient_norm: Spread::of(step.gradient_norm),
            n_clipped: u64::from(is_clipped),
            learning_rate: bounded(step.learning_rate),
            tensor_norms,
        };
        self.n_steps_per_stretch = self.n_steps_per_stretch.max(1);
        match self.stretches.last_mut() {
            Some(last) if last.n_steps < self.n_steps_per_stretch => last.append(&step),
            _ => self.stretches.push(step),
        }
        if self.stretches.len() > MAX_STRETCHES {
            let pairs = self.stretches.chunks(2).map(|pair| {
                let mut both = pair[0].clone();
                pair.iter().skip(1).for_each(|later| both.append(later));
                both
            });
            self.stretches = pairs.collect();
            self.n_steps_per_stretch *= 2;
        }
    }

    /// Remembers a validation. Of very many, some in the middle are forgotten, never the best.
    pub(super) fn record_validation(&mut self, validation: ValidationRecord) {
        self.validations.push(validation);
        let best = self.validations.iter().rposition(|validation| validation.is_best);
        thin(&mut self.validations, MAX_VALIDATIONS, best);
    }

    /// Remembers a look back through time. Of very many, some in the middle are forgotten.
    pub(super) fn record_reach(&mut self, step: u64, layers: Vec<LayerReach>) {
        self.reaches.push(ReachRecord { step, layers });
        thin(&mut self.reaches, MAX_REACHES, None);
    }

    /// The best validation.
    pub fn best(&self) -> Option<&ValidationRecord> {
        self.validations.iter().rev().find(|validation| validation.is_best)
    }

    /// Steps done, as far as anything is remembered.
    pub fn last_step(&self) -> u64 {
        self.stretches.last().map_or(0, |last| last.first_step + last.n_steps - 1)
    }

    /// Steps that are remembered, and those of them whose gradient was scaled down.
    pub fn n_clipped(&self) -> (u64, u64) {
        let sum = |of: fn(&Stretch) -> u64| self.stretches.iter().map(of).sum();
        (sum(|stretch| stretch.n_steps), sum(|stretch| stretch.n_clipped))
    }
}

/// Keeps every second one, the first, the last and the one at `kept` where there are more than `n_max`.
fn thin<T>(records: &mut Vec<T>, n_max: usize, kept: Option<usize>) {
    let n = records.len();
    if n > n_max {
        let mut idx = 0..n;
        records.retain(|_| idx.next().is_some_and(|i| i % 2 == 0 || i + 1 == n || Some(i) == kept));
    }
}

/// The number as it is remembered.
pub(super) fn bounded(value: f64) -> f32 {
    if value.is_finite() { value.clamp(-BEYOND, BEYOND) as f32 } else { BEYOND as f32 }
}

/// The layer that a tensor belongs to, as people call it: `conv0`, `gru l1`, `head`.
pub fn layer_of(tensor: &str) -> String {
    let (prefix, rest) = tensor.split_once('.').unwrap_or((tensor, ""));
    // Recurrent tensors end with their layer, and the direction if there are two: `weight_hh_l0`, `weight_hh_l0_reverse`.
    match rest.rsplit_once("_l").filter(|(_, layer)| layer.starts_with(|c: char| c.is_ascii_digit())) {
        Some((_, layer)) => format!("{prefix} l{}", layer.replace('_', " ")),
        None => prefix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of `n_steps` steps, the loss of each the steps done, every third clipped.
    fn history(n_steps: u64) -> History {
        let mut history = History::default();
        for n in 1..=n_steps {
            let step = LearnerStep { loss: n as f64, gradient_norm: 1.0, learning_rate: 1.0 / n as f64 };
            history.record_step(n, &step, n % 3 == 0, [("conv0.weight", 2.0), ("head.bias", n as f64)].into_iter());
        }
        history
    }

    #[test]
    fn a_short_training_is_remembered_step_by_step() {
        let history = history(5);
        assert_eq!(history.tensors, ["conv0.weight", "head.bias"]);
        assert_eq!(history.stretches.len(), 5);
        assert_eq!(history.stretches[3].loss, Spread { mean: 4.0, low: 4.0, high: 4.0 });
        assert_eq!(history.stretches[3].tensor_norms, [2.0, 4.0]);
    }

    #[test]
    fn a_long_one_in_stretches_that_leave_no_step_out() {
        for n_steps in [512, 513, 1024, 5000] {
            let history = history(n_steps);
            assert!(history.stretches.len() <= MAX_STRETCHES && history.stretches.len() * 4 >= MAX_STRETCHES);
            assert_eq!(history.last_step(), n_steps);
            assert_eq!(history.n_clipped(), (n_steps, n_steps / 3));
            for (i, stretch) in history.stretches.iter().enumerate() {
                let (first, last) = (stretch.first_step, stretch.first_step + stretch.n_steps - 1);
                assert_eq!(first, 1 + i as u64 * history.n_steps_per_stretch);
                let middle = (first + last) as f32 / 2.0;
                assert_eq!(stretch.loss.low, first as f32);
                assert_eq!(stretch.loss.high, last as f32);
                assert!((stretch.loss.mean - middle).abs() < 1e-3 * middle, "{stretch:?}");
                assert!((stretch.tensor_norms[1] - middle).abs() < 1e-3 * middle, "{stretch:?}");
                assert_eq!(stretch.middle() as f32, middle);
                assert_eq!(stretch.learning_rate, (1.0 / last as f64) as f32);
            }
        }
    }

    #[test]
    fn what_grows_beyond_all_bounds_survives_a_file() {
        let mut history = history(1);
        let step = LearnerStep { loss: 1.0, gradient_norm: f64::INFINITY, learning_rate: 1e-3 };
        history.record_step(2, &step, true, [("conv0.weight", f64::NAN), ("head.bias", 1.0)].into_iter());
        history.record_reach(2, vec![LayerReach { back: vec![bounded(f64::INFINITY), 0.5], ahead: Vec::new() }]);
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
        assert_eq!(history.stretches[1].gradient_norm.high, BEYOND as f32);
    }

    #[test]
    fn of_many_validations_the_best_the_first_and_the_last_stay() {
        let mut history = History::default();
        for step in 1..=3 * MAX_VALIDATIONS as u64 {
            let is_best = step <= 7;
            history.record_validation(ValidationRecord { step, miss_rate: 0.5, words: vec![0.5], is_best });
            history.record_reach(step, Vec::new());
            assert_eq!(history.validations.last().unwrap().step, step);
        }
        assert!(history.validations.len() <= MAX_VALIDATIONS && history.reaches.len() <= MAX_REACHES);
        assert_eq!(history.best().unwrap().step, 7);
        assert_eq!([history.validations[0].step, history.reaches[0].step], [1, 1]);
    }

    #[test]
    fn tensors_belong_to_layers() {
        let names = ["conv0.bias", "gru.weight_hh_l1", "lstm.bias_l0_reverse", "head.weight"];
        assert_eq!(names.map(layer_of), ["conv0", "gru l1", "lstm l0 reverse", "head"]);
    }
}
