//! tripword
pub mod units;
pub mod audio;
