//! The binary as a user runs it.

#[path = "../common/binary.rs"]
mod binary;
#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "train")]
mod align;
mod combine;
#[cfg(feature = "train")]
mod compare;
mod config;
mod ctl;
mod diff_labels;
#[cfg(feature = "train")]
mod eval;
mod label;
mod listen;
#[cfg(target_os = "linux")]
mod microphone;
mod misc;
#[cfg(feature = "train")]
mod recorded_speech;
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
