//! tripword
pub mod units;
pub mod audio;
pub mod kernels;
