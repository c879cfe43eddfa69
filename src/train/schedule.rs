//! The learning rate over the steps.

use super::TrainConfig;

/// Linear warm-up, then a cosine to the final rate (Loshchilov & Hutter 2017, without restarts). `step` counts from 0.
pub(super) fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    if step < config.warm_up_steps {
        return config.learning_rate * (step + 1) as f64 / config.warm_up_steps as f64;
    }
    let n_decay = config.n_steps.saturating_sub(config.warm_up_steps).max(1);
    let done = ((step - config.warm_up_steps) as f64 / n_decay as f64).min(1.0);
    let ratio = config.final_learning_rate_ratio;
    config.learning_rate * (ratio + (1.0 - ratio) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_the_highest_rate_and_falls_to_the_final_one() {
        let config = TrainConfig { n_steps: 1000, warm_up_steps: 10, ..TrainConfig::default() };
        assert!((learning_rate(&config, 0) - config.learning_rate / 10.0).abs() < 1e-12);
        assert!((learning_rate(&config, 10) - config.learning_rate).abs() < 1e-12);
        let last = learning_rate(&config, 1000);
        assert!((last - config.learning_rate * config.final_learning_rate_ratio).abs() < 1e-12);
    }
}
