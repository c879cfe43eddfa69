//! The binary as a user runs it.

#[path = "../common/binary.rs"]
mod binary;
#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "train")]
mod align;
mod archive;
mod catalogue;
mod combine;
#[cfg(feature = "train")]
mod compare;
mod config;
mod ctl;
mod diff_labels;
#[cfg(unix)]
mod engines;
#[cfg(feature = "train")]
mod eval;
mod explain;
mod label;
mod listen;
#[cfg(target_os = "linux")]
mod microphone;
mod misc;
mod plot;
#[cfg(feature = "train")]
mod recorded_speech;
mod report;
mod service;
#[cfg(feature = "train")]
mod streams;
#[cfg(feature = "train")]
mod teacher;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod train_labels;

use std::path::Path;
use std::process::Command;

use binary::*;
