//! Prometheus' text format, version 0.0.4: families of values, each with its help and its type.

use std::fmt::Write;

use super::HistogramCounts;

/// What a server says of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

/// A family of the page; its values have the same name and differ in their labels.
#[derive(Debug)]
pub struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Page {
    /// What only grows. `name` ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        debug_assert!(name.ends_with("_total"), "{name}: the name of a counter ends in _total");
        self.family(name, "counter", help)
    }

    /// What goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// How values are distributed.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        debug_assert!(!self.text.contains(&format!("# TYPE {name} ")), "{name}: a family stands in one place");
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Family { page: self, name }
    }

    /// The page as it is sent.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Family<'_> {
    /// A value with its labels.
    pub fn value(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// A distribution with its labels.
    pub fn counts(&mut self, labels: &[(&str, &str)], counts: &HistogramCounts) -> &mut Self {
        let mut n_values = 0;
        for (bound, n) in counts.bounds.iter().chain(&[f64::INFINITY]).zip(&counts.counts) {
            n_values += n;
            self.line("_bucket", labels, Some(*bound), n_values as f64);
        }
        self.line("_sum", labels, None, counts.sum);
        self.line("_count", labels, None, n_values as f64);
        self
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>, value: f64) {
        let escaped = labels.iter().map(|(name, text)| {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{text}\"")
        });
        let bound = bound.map(|bound| format!("le=\"{}\"", number(bound)));
        let labels = escaped.chain(bound).collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        // Text takes everything.
        let _ = writeln!(self.page.text, "{}{suffix}{labels} {}", self.name, number(value));
    }
}

/// A number as Go's `ParseFloat` reads it.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;

    #[test]
    fn families_have_help_and_type_and_labels_are_escaped() {
        let mut page = Page::default();
        page.counter("x_total", "All x.\nEver.").value(&[("word", "say \"x\\y\"\n")], 3.0).value(&[], 1e15);
        page.gauge("y", "Now.").value(&[], f64::NAN);
        assert_eq!(
            page.text(),
            "# HELP x_total All x.\\nEver.\n# TYPE x_total counter\n\
             x_total{word=\"say \\\"x\\\\y\\\"\\n\"} 3\nx_total 1000000000000000\n\
             # HELP y Now.\n# TYPE y gauge\ny NaN\n"
        );
    }

    #[test]
    fn ranges_of_a_histogram_add_up() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        [0.25, 0.75, 2.0].into_iter().for_each(|value| histogram.observe(value));
        let mut page = Page::default();
        page.histogram("z", "How much.").counts(&[("word", "a")], &histogram.counts());
        assert_eq!(
            page.text(),
            "# HELP z How much.\n# TYPE z histogram\n\
             z_bucket{word=\"a\",le=\"0.5\"} 1\nz_bucket{word=\"a\",le=\"1\"} 2\nz_bucket{word=\"a\",le=\"+Inf\"} 3\n\
             z_sum{word=\"a\"} 3\nz_count{word=\"a\"} 3\n"
        );
    }
}
