//! What a running `listen` tells of its parts: the input, the outputs, the Wyoming clients.

use serde_json::{Value, json};

use super::wyoming::WyomingCounts;
use crate::audio::supervised::{DeviceState, DeviceWatch};
use crate::control::{Flow, Part};
use crate::events::{OutputStatus, OutputView};
use crate::metrics::Page;

/// The microphone, or what stands in for it.
pub(super) struct Input {
    pub(super) name: String,
    pub(super) devices: Option<DeviceWatch>,
}

impl Part for Input {
    fn name(&self) -> &str {
        "input"
    }

    fn status(&self) -> Value {
        match &self.devices {
            None => json!({ "name": self.name }),
            Some(devices) => {
                let status = devices.status();
                let mut value = serde_json::to_value(&status).unwrap_or_default();
                value["name"] = json!(status.device.as_ref().unwrap_or(&self.name));
                value
            }
        }
    }

    fn write_metrics(&self, page: &mut Page) {
        let Some(status) = self.devices.as_ref().map(DeviceWatch::status) else { return };
        let is_heard = matches!(status.state, DeviceState::Listening | DeviceState::Fallback);
        for (name, help, value) in [
            ("tripword_capture_is_heard", "1 while a microphone is heard.", f64::from(u8::from(is_heard))),
            (
                "tripword_capture_is_fallback",
                "1 while the default device stands in for the preferred one.",
                f64::from(u8::from(status.state == DeviceState::Fallback)),
            ),
        ] {
            page.gauge(name, help).value(&[], value);
        }
        for (name, help, value) in [
            (
                "tripword_capture_samples_total",
                "Samples that the microphone delivered, at its own rate.",
                status.samples_delivered,
            ),
            ("tripword_capture_lost_samples_total", "Samples of the microphone that were lost.", status.samples_lost),
            (
                "tripword_capture_overruns_total",
                "Times that the detector was too slow for the microphone.",
                status.overruns,
            ),
            ("tripword_capture_xruns_total", "Overruns within the sound system.", status.xruns),
            ("tripword_capture_errors_total", "Errors of the sound system.", status.callback_errors),
            ("tripword_capture_losses_total", "Times that the microphone was lost.", status.n_losses),
            ("tripword_capture_reopenings_total", "Times that a microphone was opened again.", status.n_reopenings),
            (
                "tripword_capture_failed_openings_total",
                "Attempts to open a microphone that failed.",
                status.n_failed_openings,
            ),
        ] {
            page.counter(name, help).value(&[], value as f64);
        }
    }
}

/// Where events go.
pub(super) struct Outputs {
    pub(super) views: Vec<OutputView>,
    pub(super) has_stdout: bool,
}

impl Part for Outputs {
    fn name(&self) -> &str {
        "outputs"
    }

    fn status(&self) -> Value {
        let stdout = self.has_stdout.then(|| json!({ "name": "standard output", "sends": "events" }));
        let statuses = self.views.iter().map(|view| serde_json::to_value(view.status()).unwrap_or_default());
        stdout.into_iter().chain(statuses).collect()
    }

    fn write_metrics(&self, page: &mut Page) {
        type Count = fn(&OutputStatus) -> u64;
        let counters: [(&'static str, &str, Count); 4] = [
            ("tripword_output_delivered_events_total", "Events delivered.", |status| status.n_delivered),
            ("tripword_output_retries_total", "Attempts beyond the first.", |status| status.n_retries),
            ("tripword_output_failed_events_total", "Events given up.", |status| status.n_failed),
            ("tripword_output_dropped_events_total", "Events that found the queue full.", |status| status.n_dropped),
        ];
        let statuses: Vec<OutputStatus> = self.views.iter().map(OutputView::status).collect();
        if statuses.is_empty() {
            return;
        }
        for (name, help, count) in counters {
            let mut family = page.counter(name, help);
            for status in &statuses {
                family.value(&[("output", status.name)], count(status) as f64);
            }
        }
        let mut queued = page.gauge("tripword_output_queued_events", "Events that wait or are under way.");
        for status in &statuses {
            queued.value(&[("output", status.name)], status.n_queued as f64);
        }
    }

    fn flows(&self) -> Vec<Flow> {
        let stdout = self.has_stdout.then(|| Flow::sent("events", "standard output"));
        let flow = |view: &OutputView| {
            let status = view.status();
            if status.is_kept {
                Flow::recorded(&status.sends, status.target)
            } else {
                Flow::sent(&status.sends, status.target)
            }
        };
        stdout.into_iter().chain(self.views.iter().map(flow)).collect()
    }
}

/// Clients of the Wyoming protocol.
pub(super) struct WyomingClients(pub(super) WyomingCounts);

impl Part for WyomingClients {
    fn name(&self) -> &str {
        "wyoming"
    }

    fn status(&self) -> Value {
        let addresses = self.0.now().into_iter().map(|(address, given, counts)| {
            let mut value = serde_json::to_value(counts).unwrap_or_default();
            value["address"] = json!(address);
            value["given"] = json!(given);
            value
        });
        addresses.collect()
    }

    fn write_metrics(&self, page: &mut Page) {
        let all = self.0.now();
        let mut clients = page.gauge("tripword_wyoming_clients", "Wyoming clients that are connected.");
        for (address, _, counts) in &all {
            clients.value(&[("address", *address)], counts.n_clients as f64);
        }
        let mut served = page.counter("tripword_wyoming_served_clients_total", "Wyoming clients so far.");
        for (address, _, counts) in &all {
            served.value(&[("address", *address)], counts.n_served as f64);
        }
        let mut refused =
            page.counter("tripword_wyoming_refused_clients_total", "Wyoming clients that were turned away.");
        for (address, _, counts) in &all {
            refused.value(&[("address", *address)], counts.n_refused as f64);
        }
    }

    fn flows(&self) -> Vec<Flow> {
        let flow = |(address, given, _): (&str, &str, _)| Flow::sent(given, format!("Wyoming clients at {address}"));
        self.0.now().into_iter().map(flow).collect()
    }
}
