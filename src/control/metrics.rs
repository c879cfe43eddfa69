//! The daemon's own figures on the page of metrics.

use std::sync::atomic::Ordering::Relaxed;

use super::desk::{Desk, Reloads};
use super::process;
use crate::metrics::Page;
use crate::units::SampleRate;

pub(super) fn write(desk: &Desk, reloads: &Reloads, page: &mut Page) {
    write_process(desk, page);
    write_flow(desk, page);
    write_words(desk, page);
    page.counter("tripword_reloads_total", "Times that configuration and model were read anew.")
        .value(&[("result", "done")], reloads.n_done.load(Relaxed) as f64)
        .value(&[("result", "failed")], reloads.n_failed.load(Relaxed) as f64);
}

fn write_process(desk: &Desk, page: &mut Page) {
    let model = &desk.controls.bundle().manifest.name;
    page.gauge("tripword_info", "1, with the program's version and the model's name.")
        .value(&[("version", env!("CARGO_PKG_VERSION")), ("model", model)], 1.0);
    // Names that every exporter has.
    page.gauge("process_start_time_seconds", "When listening began, in seconds since 1970.")
        .value(&[], desk.started_at.as_millisecond() as f64 / 1000.0);
    page.counter("process_cpu_seconds_total", "Time of the processor, all threads together.")
        .value(&[], process::cpu_s());
    if let Some(bytes) = process::resident_bytes() {
        page.gauge("process_resident_memory_bytes", "Memory that lies in the machine's.").value(&[], bytes as f64);
    }
}

/// From sound to deliveries.
fn write_flow(desk: &Desk, page: &mut Page) {
    let stats = &desk.stats;
    let seconds = |n_samples: u64| SampleRate::MODEL.seconds(n_samples);
    let mut counter = |name, help, value: f64| {
        page.counter(name, help).value(&[], value);
    };
    counter("tripword_audio_seconds_total", "Sound heard.", seconds(stats.n_samples.get()));
    counter(
        "tripword_audio_lost_seconds_total",
        "Sound lost before it was heard.",
        seconds(stats.n_lost_samples.get()),
    );
    counter("tripword_audio_gaps_total", "Stretches in which sound was lost.", stats.n_gaps.get() as f64);
    counter(
        "tripword_unusable_samples_total",
        "Samples that were no number or far beyond full scale.",
        stats.n_unusable_samples.get() as f64,
    );
    counter("tripword_steps_total", "Steps of the network.", stats.n_steps.get() as f64);
    counter(
        "tripword_suppressed_steps_total",
        "Steps within a warm-up, which tell nothing.",
        stats.n_suppressed_steps.get() as f64,
    );
    counter(
        "tripword_processing_seconds_total",
        "Time spent on features and network.",
        stats.busy_nanoseconds.get() as f64 / 1e9,
    );
    counter(
        "tripword_muted_events_total",
        "Words heard and not told: muted or switched off.",
        stats.n_muted_events.get() as f64,
    );
    counter("tripword_deliveries_total", "Events delivered, over all sinks.", stats.n_delivered_events.get() as f64);
    counter(
        "tripword_failed_deliveries_total",
        "Deliveries that failed, over all sinks.",
        stats.n_failed_deliveries.get() as f64,
    );
    counter(
        "tripword_dropped_events_total",
        "Events dropped because the sinks were too slow.",
        stats.n_dropped_events.get() as f64,
    );
    page.gauge("tripword_real_time_factor_ratio", "Time spent on features and network, over sound heard.")
        .value(&[], stats.summary().real_time_factor);
    page.gauge("tripword_muted", "1 while nothing is told.")
        .value(&[], f64::from(u8::from(desk.controls.is_muted() || desk.controls.is_silenced())));
    page.histogram("tripword_event_latency_seconds", "From the estimated end of a word to its event.")
        .counts(&[], &desk.recent.latency().counts());
}

fn write_words(desk: &Desk, page: &mut Page) {
    let words = desk.words();
    let mut gauge = |name, help, value: fn(&super::WordStatus) -> f64| {
        let mut family = page.gauge(name, help);
        for word in &words {
            family.value(&[("word", &word.name)], value(word));
        }
    };
    gauge("tripword_word_enabled", "1 if the word is told.", |word| f64::from(u8::from(word.is_enabled)));
    gauge("tripword_word_threshold", "The score at which the word is taken as said.", |word| decimal(word.threshold));
    gauge("tripword_word_recent_score", "The word's highest score of the last ten seconds of sound.", |word| {
        decimal(word.highest_score)
    });
    let scores = desk.scores.words();
    let mut family = page.counter("tripword_events_total", "Words told.");
    for word in scores.iter() {
        family.value(&[("word", word.name())], word.n_events() as f64);
    }
    let mut family = page.histogram("tripword_score", "The word's score at each step of the network.");
    for word in scores.iter() {
        family.counts(&[("word", word.name())], &word.distribution().counts());
    }
}

/// The number that a single-precision one is written as: 0.6, not 0.6000000238418579.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
