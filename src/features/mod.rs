//! Samples to features: causal log-mel spectra, the same code for training and for running.
//!
//! `samples → framing → window → FFT → mel power → compression → feature frames (time, n_mels)`
//!
//! Feature frame `t` covers the samples `[(t + 1)·hop − window, (t + 1)·hop)`: it needs nothing from the future, and what
//! lies before the first sample is zero. Two neighbouring frames share one complex FFT, so frames come in pairs.

mod compression;
mod config;
mod extractor;
mod mel;
mod power;
mod window;

pub use compression::{Compression, Compressor};
pub use config::{FeatureConfig, FeatureConfigError};
pub use extractor::FeatureExtractor;
pub use mel::{MelFilterbank, mel_place};
pub use power::{FRAMES_PER_FFT, MelPowerExtractor};
pub use window::periodic_hann;
