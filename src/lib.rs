//! tripword
pub mod audio;
#[cfg(feature = "train")]
pub mod dataset;
pub mod features;
pub mod units;
