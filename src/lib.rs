//! tripword
pub mod audio;
pub mod features;
pub mod units;
