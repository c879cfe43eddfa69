//! AdamW and the running average of the weights.
//!
//! candle-nn's AdamW keeps its moments to itself, so a run that resumes would start them anew; here they are part of the
//! checkpoint.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Result, Tensor, Var};

use super::TrainConfig;
use super::adapt::PartRates;
use crate::model::Weights;

/// Exponential decay of the first and second moment, and the term that keeps the division finite (Kingma & Ba 2015).
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// One weight tensor with all that is kept for it.
struct Parameter {
    var: Var,
    shape: Vec<usize>,
    values: Vec<f32>,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
    average: Vec<f32>,
    /// Biases are not decayed.
    is_decayed: bool,
}

/// Gradients by name, flattened.
pub(super) type Gradients = BTreeMap<String, Vec<f32>>;

/// Length of all gradients together.
pub(super) fn norm(gradients: &Gradients) -> f64 {
    gradients.values().flatten().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt()
}

/// The variables of a training and their optimiser state.
pub(super) struct Optimizer {
    parameters: BTreeMap<String, Parameter>,
    n_updates: u64,
    part_rates: PartRates,
}

impl Optimizer {
    /// Starts from `weights`.
    pub(super) fn new(weights: &Weights, names: impl Iterator<Item = String>) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for name in names {
            let tensor = weights.get(&name).map_err(candle_core::Error::wrap)?;
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            let zeros = vec![0.0; values.len()];
            parameters.insert(
                name.clone(),
                Parameter {
                    var: Var::from_tensor(tensor)?,
                    shape: tensor.dims().to_vec(),
                    average: values.clone(),
                    values,
                    first_moment: zeros.clone(),
                    second_moment: zeros,
                    is_decayed: !name.contains("bias"),
                },
            );
        }
        Ok(Self { parameters, n_updates: 0, part_rates: PartRates::default() })
    }

    /// From now on, parts of the network learn at rates of their own.
    pub(super) fn set_part_rates(&mut self, part_rates: PartRates) {
        self.part_rates = part_rates;
    }

    /// The variables as weights of a network: gradients of what is computed from them reach the variables.
    pub(super) fn variables(&self) -> Weights {
        Weights::new(self.parameters.iter().map(|(name, p)| (name.clone(), p.var.as_tensor().clone())).collect())
    }

    /// Names and variables, in the fixed order of the names.
    pub(super) fn vars(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.parameters.iter().map(|(name, parameter)| (name, &parameter.var))
    }

    /// The weights.
    pub(super) fn values(&self) -> Result<Weights> {
        self.copied(|parameter| &parameter.values)
    }

    /// The running average of the weights, or the weights themselves while `config` averages nothing.
    pub(super) fn averaged(&self, config: &TrainConfig) -> Result<Weights> {
        self.copied(|parameter| if config.average_decay > 0.0 { &parameter.average } else { &parameter.values })
    }

    fn copied(&self, numbers: impl Fn(&Parameter) -> &Vec<f32>) -> Result<Weights> {
        let tensors = self.parameters.iter().map(|(name, parameter)| {
            let tensor = Tensor::from_slice(numbers(parameter), parameter.shape.as_slice(), &Device::Cpu)?;
            Ok((name.clone(), tensor))
        });
        Ok(Weights::new(tensors.collect::<Result<_>>()?))
    }

    /// One update by AdamW (Loshchilov & Hutter 2019) along `gradients`, whose norm is `norm`, scaled down to `config.clip_norm` if
    /// longer. `step` is the training's, counted from 0.
    pub(super) fn update(
        &mut self,
        gradients: &Gradients,
        norm: f64,
        learning_rate: f64,
        step: u64,
        config: &TrainConfig,
    ) -> Result<()> {
        let scale = if norm > config.clip_norm { config.clip_norm / norm } else { 1.0 } as f32;
        self.n_updates += 1;
        let correction = BETA.map(|beta| 1.0 - beta.powf(self.n_updates as f64));
        let root_correction = correction[1].sqrt() as f32;
        let [beta1, beta2] = BETA.map(|beta| beta as f32);
        // Early on the average would be dominated by the initial weights: let it follow faster.
        let average_decay = config.average_decay.min((1.0 + self.n_updates as f64) / (10.0 + self.n_updates as f64));
        let towards = (1.0 - average_decay) as f32;
        for (name, parameter) in &mut self.parameters {
            let Some(gradient) = gradients.get(name) else { continue };
            let learning_rate = learning_rate * self.part_rates.of(name, step);
            let step_size = (learning_rate / correction[0]) as f32;
            let decay = (learning_rate * config.weight_decay) as f32;
            let shrink = if parameter.is_decayed { 1.0 - decay } else { 1.0 };
            let moments = parameter.first_moment.iter_mut().zip(&mut parameter.second_moment);
            let kept = parameter.values.iter_mut().zip(&mut parameter.average);
            for (((value, average), (first, second)), &gradient) in kept.zip(moments).zip(gradient) {
                let gradient = gradient * scale;
                *first += (1.0 - beta1) * (gradient - *first);
                *second += (1.0 - beta2) * (gradient * gradient - *second);
                *value = *value * shrink - step_size * *first / (second.sqrt() / root_correction + EPSILON as f32);
                *average += towards * (*value - *average);
            }
            parameter.var.set(&Tensor::from_slice(&parameter.values, parameter.shape.as_slice(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Everything a resumed run needs, by name.
    pub(super) fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (name, p) in &self.parameters {
            for (part, values) in [
                ("value", &p.values),
                ("first_moment", &p.first_moment),
                ("second_moment", &p.second_moment),
                ("average", &p.average),
            ] {
                let tensor = Tensor::from_slice(values, p.shape.as_slice(), &Device::Cpu)?;
                state.insert(format!("{part}/{name}"), tensor);
            }
        }
        Ok(state)
    }

    /// Goes on from a [`state`](Self::state) after `n_updates` updates.
    pub(super) fn restore(&mut self, state: &HashMap<String, Tensor>, n_updates: u64) -> Result<()> {
        self.n_updates = n_updates;
        for (name, p) in &mut self.parameters {
            for (part, values) in [
                ("value", &mut p.values),
                ("first_moment", &mut p.first_moment),
                ("second_moment", &mut p.second_moment),
                ("average", &mut p.average),
            ] {
                let key = format!("{part}/{name}");
                let Some(tensor) = state.get(&key) else {
                    candle_core::bail!("the checkpoint has no '{key}'");
                };
                if tensor.dims() != p.shape {
                    let found = tensor.dims();
                    candle_core::bail!("'{key}' has shape {found:?} in the checkpoint, {:?} here", p.shape);
                }
                *values = tensor.flatten_all()?.to_vec1()?;
            }
            p.var.set(&Tensor::from_slice(&p.values, p.shape.as_slice(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

    fn weights() -> Weights {
        let tensor = Tensor::new(&[[0.5f32, -1.0], [2.0, 0.25]], &Device::Cpu).unwrap();
        Weights::new(HashMap::from([("head.weight".to_owned(), tensor)]))
    }

    /// The gradient of the sum of squares.
    fn gradients(optimizer: &Optimizer) -> Gradients {
        let values = optimizer.parameters["head.weight"].values.iter().map(|value| 2.0 * value).collect();
        BTreeMap::from([("head.weight".to_owned(), values)])
    }

    fn update(optimizer: &mut Optimizer, learning_rate: f64, config: &TrainConfig) {
        let gradients = gradients(optimizer);
        optimizer.update(&gradients, norm(&gradients), learning_rate, 0, config).unwrap();
    }

    #[test]
    fn steps_as_candle_nn_does() {
        let config = TrainConfig { clip_norm: f64::INFINITY, weight_decay: 0.01, ..TrainConfig::default() };
        let mut ours = Optimizer::new(&weights(), std::iter::once("head.weight".to_owned())).unwrap();
        let var = Var::from_tensor(weights().get("head.weight").unwrap()).unwrap();
        let params = ParamsAdamW { lr: 0.1, weight_decay: 0.01, ..ParamsAdamW::default() };
        let mut theirs = AdamW::new(vec![var.clone()], params).unwrap();
        for _ in 0..5 {
            update(&mut ours, 0.1, &config);
            theirs.backward_step(&var.sqr().unwrap().sum_all().unwrap()).unwrap();
        }
        let reference = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (ours, theirs) in ours.parameters["head.weight"].values.iter().zip(&reference) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }

    #[test]
    fn a_restored_run_goes_on_to_the_bit() {
        let config = TrainConfig::default();
        let names = || std::iter::once("head.weight".to_owned());
        let mut straight = Optimizer::new(&weights(), names()).unwrap();
        update(&mut straight, 0.01, &config);
        let mut resumed = Optimizer::new(&weights(), names()).unwrap();
        resumed.restore(&straight.state().unwrap(), 1).unwrap();
        for optimizer in [&mut straight, &mut resumed] {
            update(optimizer, 0.01, &config);
        }
        assert_eq!(straight.parameters["head.weight"].values, resumed.parameters["head.weight"].values);
    }
}
