//! tripword listens to a stream of sound and tells when a word is said.
//!
//! It is trained on a handful of recordings, then runs for months on a microphone or through archives of files, with the
//! same features, the same network kernels and the same decision rule in all three.
//!
//! # The picture
//!
//! ```text
//!  microphone ─┐ ring          bounded channel            bounded channel
//!  raw PCM ────┼──▶ [feature thread] ──▶ [inference thread] ──▶ [event thread] ──▶ JSON lines
//!  WAV file ───┘    resample, log-mel     convolutions,           sinks
//!                                         recurrent layers,
//!                                         trigger of each word
//! ```
//!
//! `listen` is that picture; [`daemon`] assembles it. `label` runs the two pure stages of [`pipeline`] in one thread a file.
//! Training makes mixes of recordings, in the domain of mel power, and teaches the same network with the same kernels.
//!
//! # Code map
//!
//! Imports point down this list only; a test reads the `use` lines and holds it.
//!
//! | module | what it is | depends on |
//! |---|---|---|
//! | [`units`] | sample rates, milliseconds, decibels | |
//! | [`files`] | files that appear whole or not at all | |
//! | [`difference`] | where two settings differ | |
//! | [`names`] | when two spellings mean one word | |
//! | [`folders`] | where a user's configuration, models, state and sockets lie (XDG, systemd) | |
//! | [`page`] | HTML pages and plots | |
//! | `sockets` | sockets in the file system that only their owner may use | |
//! | `serving` | clients of a socket, a thread each, bounded and joined | |
//! | [`metrics`] | histograms and the page that Prometheus reads | `serving` |
//! | [`parallel`] | the same work over many things, on some threads | |
//! | [`labels`] | spans of words as other tools write them: Audacity, Praat, RTTM, WebVTT, JSON lines, CSV | `names` |
//! | [`tables`] | tables as Parquet files | `files` |
//! | [`audio`] | sources of samples: capture (hardware, looked after by a thread of its own), files, PCM (standard input); resampling | `units` |
//! | [`features`] | samples to log-mel feature frames | `units` |
//! | [`kernels`] | dense and recurrent layers in SIMD, forward and backward; the only module with unsafe code | |
//! | [`model`] | the network: differentiable in batches, packed for streams | `kernels`, `units` |
//! | [`detector`] | smoothing and trigger: probabilities to detections | `units` |
//! | [`bundle`] | one model on disk: weights, configurations, provenance (files) | `model`, `features`, `detector` |
//! | [`pipeline`] | the signal path as two pure stages | all above but `audio` |
//! | [`events`] | the wake event and where it goes: a thread and a queue for each output | `audio`, `bundle`, `detector`, `files`, `metrics`, `sockets` |
//! | [`systemd`] | what the service manager is told: ready, alive, what it does | `events` |
//! | [`picture`] | a track as people look at it: waveform, mel spectrogram, scores; as PNG and SVG | `page`, `pipeline` |
//! | [`report`] | a track as a page to look at, listen to and try thresholds on | `audio`, `detector`, `events`, `features`, `page`, `picture`, `pipeline` |
//! | [`label`] | one file through the signal path | `audio`, `pipeline`, `events`, `labels`, `report`, `tables` |
//! | [`explain`] | which part of the decision rule decided at a moment of a recording, and how good its sound is | `label`, `detector` |
//! | [`catalogue`] | what was found in an archive, as SQLite or Parquet | `label`, `tables` |
//! | [`merge`] | outputs of several runs as one | `catalogue` |
//! | [`wyoming`] | a wake service of the Wyoming protocol | `audio`, `pipeline` |
//! | [`daemon`] | threads, channels, shutdown, counters | `audio`, `pipeline`, `events`, `metrics` |
//! | `control` | questions and wishes over a socket, the status, the daemon's metrics | `daemon`, `serving` |
//! | `dataset` | folders of recordings, long recordings with labels, speakers, rooms, mixes | `audio`, `features`, `labels` |
//! | `eval` | continuous streams, hits, misses, false accepts | `dataset`, `model`, `detector` |
//! | `align` | where a trained network hears the words of recordings | `bundle`, `dataset`, `features` |
//! | `train` | the training loop | `dataset`, `eval`, `model`, `bundle` |
//! | [`config`] | defaults, file, flags | each section's owner |
//! | `compare` | several configurations trained alike, side by side | `config`, `dataset`, `eval`, `page`, `train` |
//! | [`cli`] | arguments in, words out | everything |
//!
//! `align`, `compare`, `dataset`, `eval` and `train` exist with the feature `train`, which is on by default; what runs never imports them.
//!
//! # Invariants
//!
//! - **Any portioning of the same samples gives the same events, to the bit.** Feature frames, network steps and triggers
//!   carry all their state; the kernels add in one order whatever the number of rows or steps in a call.
//! - **The signal path has no clock.** Positions are counts of samples since the stream began; wall time is added to an
//!   event in `daemon` and nowhere else. The detector does not know what a chunk is.
//! - **A microphone is never lost for good.** It is opened again, and the time without it is a gap; a file that ends has ended.
//! - **The state always steps.** No audio is skipped because it is quiet; a lost stretch is heard as silence, counted, and
//!   moves the clock.
//! - **Nothing starts from noise.** The zero state is zero; a stated warm-up suppresses events and counts the steps.
//! - **Every queue is bounded,** and what happens when it is full is written down and counted.
//! - **The audio callback** moves samples into a ring and wakes a thread; it allocates nothing, takes no lock, writes no log.
//!   Once all buffers have grown, nothing behind it allocates but an event or a gap.
//! - **A model runs only with what it was trained for:** features and shape are stored with the weights and compared.
//! - **Files are written whole or not at all.**

#[cfg(feature = "train")]
pub mod align;
pub mod audio;
pub mod bundle;
pub mod catalogue;
pub mod cli;
#[cfg(feature = "train")]
pub mod compare;
pub mod config;
#[cfg(unix)]
pub mod control;
pub mod daemon;
#[cfg(feature = "train")]
pub mod dataset;
pub mod detector;
pub mod difference;
#[cfg(feature = "train")]
pub mod eval;
pub mod events;
pub mod explain;
pub mod features;
pub mod files;
pub mod folders;
pub mod kernels;
pub mod label;
pub mod labels;
pub mod merge;
pub mod metrics;
pub mod model;
pub mod names;
pub mod page;
pub mod parallel;
pub mod picture;
pub mod pipeline;
pub mod report;
#[cfg(unix)]
pub mod serving;
#[cfg(unix)]
pub mod sockets;
pub mod systemd;
pub mod tables;
#[cfg(feature = "train")]
pub mod train;
pub mod units;
pub mod wyoming;
