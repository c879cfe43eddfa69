//! Bars with intervals, one below the other, as SVG.

use std::fmt::Write;

use super::escape;

/// Size of the drawing, in its own units; it scales with the page.
const WIDTH: f64 = 560.0;
const ROW: f64 = 34.0;
/// The name stands above its bar.
const NAME: f64 = 14.0;
const BAR: f64 = 10.0;
/// Room for the figure right of the longest bar.
const RIGHT: f64 = 60.0;

/// One bar.
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its length, from 0.
    pub value: f64,
    /// An interval of it.
    pub interval: Option<[f64; 2]>,
    /// The value as it is written at the end.
    pub text: String,
}

/// The plot of `bars`. `title` is read to those who cannot see it.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let ends = bars.iter().map(|bar| bar.interval.map_or(bar.value, |[_, high]| high.max(bar.value)));
    let longest = ends.fold(0.0, f64::max);
    let at = |value: f64| if longest > 0.0 { value / longest * (WIDTH - RIGHT) } else { 0.0 };
    let height = ROW * bars.len() as f64;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escape(title));
    // Writing into a String cannot fail.
    for (i, bar) in bars.iter().enumerate() {
        let top = ROW * i as f64;
        let (y, middle) = (top + NAME + 4.0, top + NAME + 4.0 + BAR / 2.0);
        let _ = write!(svg, "<text class=\"name\" x=\"0\" y=\"{}\">{}</text>", top + NAME, escape(&bar.name));
        let _ = write!(svg, "<rect class=\"bar\" x=\"0\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\"/>", at(bar.value));
        let mut end = at(bar.value);
        if let Some([low, high]) = bar.interval.map(|ends| ends.map(at)) {
            let _ = write!(svg, "<path class=\"whisker\" d=\"M{low:.1} {middle}H{high:.1}\"/>");
            end = end.max(high);
        }
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", end + 6.0, middle + 4.0, escape(&bar.text));
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_end_fills_the_width_and_nothing_is_no_division_by_zero() {
        let bar = |value, interval| Bar { name: "a & b".into(), value, interval, text: "x".into() };
        let drawn = bars("t", &[bar(1.0, None), bar(0.5, Some([0.25, 2.0]))]);
        assert!(drawn.contains("width=\"250.0\"") && drawn.contains("width=\"125.0\""), "{drawn}");
        assert!(drawn.contains("d=\"M62.5 57H500.0\"") && drawn.contains("a &amp; b"), "{drawn}");
        assert!(bars("t", &[bar(0.0, None)]).contains("width=\"0.0\""));
    }
}
