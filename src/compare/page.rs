//! A comparison as one HTML page: table, misses by configuration, and what fewer misses cost. It needs neither a server nor a
//! network nor scripts.

use std::fmt::Write;

use super::table::{explanation, percent};
use super::{ConfigurationReport, Report, Table};
use crate::page::{Axis, Bar, Dot, FOOT, Scale, bars, escape, head, scatter};

/// The command that makes the page.
pub const GENERATOR: &str = "tripword compare";

/// The page.
pub(super) fn html(report: &Report) -> String {
    let mut page = head(&format!("Comparison: {}", report.words.join(", ")), GENERATOR);
    // Writing into a String cannot fail.
    let _ = write_page(&mut page, report);
    page.push_str(FOOT);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let n = report.configurations.len();
    let plural = if n == 1 { "" } else { "s" };
    writeln!(page, "<h1>{n} configuration{plural}</h1>\n<p>{}</p>", escape(&explanation(report)))?;
    let table = Table::new(report);
    write!(page, "<div class=\"wide\"><table><tr><th>")?;
    table.head.iter().try_for_each(|name| write!(page, "<th>{}", escape(name)))?;
    for (i, row) in table.rows.iter().enumerate() {
        write!(page, "<tr><td>{}", i + 1)?;
        row.iter().try_for_each(|cell| write!(page, "<td>{}", escape(cell)))?;
    }
    writeln!(page, "</table></div>")?;
    let measured: Vec<(usize, &ConfigurationReport, f64)> = (report.configurations.iter().enumerate())
        .filter_map(|(i, found)| Some((i + 1, found, found.miss_rate?.mean)))
        .collect();
    if !measured.is_empty() {
        write_bars(page, &measured)?;
        let cpu = |found: &ConfigurationReport| found.cpu.with_features_ms;
        write_scatter(page, "CPU milliseconds for a second of sound, features included", &measured, &cpu)?;
        let n_parameters = |found: &ConfigurationReport| found.n_parameters as f64;
        write_scatter(page, "parameters", &measured, &n_parameters)?;
    }
    if !report.notes.is_empty() {
        write!(page, "<h2>Notes</h2><ul>")?;
        report.notes.iter().try_for_each(|note| write!(page, "<li>{}", escape(note)))?;
        writeln!(page, "</ul>")?;
    }
    Ok(())
}

fn write_bars(page: &mut String, measured: &[(usize, &ConfigurationReport, f64)]) -> std::fmt::Result {
    let bar = |(number, found, mean): &(usize, &ConfigurationReport, f64)| Bar {
        name: format!("{number}  {}", found.name),
        value: *mean,
        interval: found.interval,
        text: percent(*mean),
    };
    let drawn = bars("Mean miss rate by configuration", &measured.iter().map(bar).collect::<Vec<_>>());
    writeln!(page, "<figure>{drawn}<figcaption>Mean missed, with 95 % intervals</figcaption></figure>")
}

fn write_scatter(
    page: &mut String,
    label: &'static str,
    measured: &[(usize, &ConfigurationReport, f64)],
    cost: &dyn Fn(&ConfigurationReport) -> f64,
) -> std::fmt::Result {
    let dots: Vec<Dot> = (measured.iter())
        .map(|(number, found, mean)| Dot {
            x: cost(found),
            y: *mean,
            interval: found.interval,
            label: number.to_string(),
            title: format!("{}: {} missed, {} {label}", found.name, percent(*mean), figure(cost(found))),
        })
        .collect();
    let tops = dots.iter().map(|dot| dot.interval.map_or(dot.y, |[_, high]| high.max(dot.y)));
    let y = rate_axis(tops.fold(0.0, f64::max));
    let x = cost_axis(label, &dots.iter().map(|dot| dot.x).collect::<Vec<_>>());
    let drawn = scatter(&format!("Mean miss rate against {label}"), &x, &y, &dots);
    writeln!(page, "<figure>{drawn}<figcaption>Numbers as in the table</figcaption></figure>")
}

/// From 0 to the least round share that holds `top`.
fn rate_axis(top: f64) -> Axis {
    let high = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|&high| high >= top).unwrap_or(1.0);
    let ticks = (0..=5)
        .map(|i| high * f64::from(i) / 5.0)
        .map(|share| (share, format!("{} %", figure(share * 100.0))))
        .collect();
    Axis { label: "mean miss rate", scale: Scale::Linear, low: 0.0, high, ticks }
}

/// Logarithmic, with some room beside the values.
fn cost_axis(label: &'static str, values: &[f64]) -> Axis {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min) / 1.5;
    let high = values.iter().copied().fold(0.0, f64::max) * 1.5;
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let rounds = decades.flat_map(|decade| [1.0, 1.5, 2.0, 3.0, 5.0, 7.0].map(|first| first * 10f64.powi(decade)));
    let ticks = rounds.filter(|value| (low..=high).contains(value)).map(|value| (value, figure(value))).collect();
    Axis { label, scale: Scale::Logarithmic, low, high, ticks }
}

/// A number with as many digits as can be told apart on a plot.
fn figure(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", round(value / 1e6)),
        value if value >= 1e3 => format!("{} k", round(value / 1e3)),
        value => round(value),
    }
}

/// Three digits.
fn round(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let n_digits = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.n_digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let found = [196_614.0, 1_250_000.0, 0.276_4, 0.05, 120.0, 2.0].map(figure);
        assert_eq!(found, ["197 k", "1.25 M", "0.276", "0.05", "120", "2"]);
    }

    #[test]
    fn axes_hold_what_is_drawn() {
        let x = cost_axis("c", &[0.2, 0.9]);
        assert_eq!(
            x.ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["0.15", "0.2", "0.3", "0.5", "0.7", "1"]
        );
        assert!(x.low < 0.2 && x.high > 0.9);
        assert_eq!(rate_axis(0.13).high, 0.2);
        assert_eq!(rate_axis(0.97).high, 1.0);
    }
}
