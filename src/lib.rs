//! tripword

pub mod audio;
pub mod bundle;
pub mod cli;
pub mod config;
pub mod daemon;
#[cfg(feature = "train")]
pub mod dataset;
pub mod detector;
#[cfg(feature = "train")]
pub mod eval;
pub mod events;
pub mod features;
pub mod kernels;
pub mod label;
pub mod model;
pub mod pipeline;
#[cfg(feature = "train")]
pub mod train;
pub mod units;
