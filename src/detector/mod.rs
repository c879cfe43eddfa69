//! Probabilities to detections: smoothing, thresholds with hysteresis, minimum duration, refractory period.
//!
//! Every duration here is audio time, counted in the stream's samples: neither chunks nor clocks matter. The detector is
//! told how long a step is and never asks how long it took.

mod config;
mod smoothing;
mod trigger;
mod word;

pub use config::{DetectorConfigError, TriggerConfig, WordTiming};
pub use smoothing::MovingAverage;
pub use trigger::{Firing, Trigger, Verdict};
pub use word::{Detection, Detector, WordDetector};
