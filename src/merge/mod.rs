//! Outputs of several runs as one: of the shards of an archive, of archives. [door: files]
//!
//! `inputs → plan (what comes from where; conflicts are found here) → tree or file`
//!
//! What is of one recording lies in one shard's folder and is copied. What is of many recordings, catalogues and tables of
//! events, is put together row by row, in the order that one run over all of it gives.

mod catalogues;
mod error;
mod kind;
mod plan;
mod rows;
mod same;
mod tree;

pub use error::MergeError;
pub use plan::{MergePlan, MergeSummary};
