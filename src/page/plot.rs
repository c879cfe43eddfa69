//! Line plots as SVG. Colours are classes, so that the page decides them for light and dark.

use std::fmt::Write;

use super::escape;

/// Size of the drawing, in its own units; it scales with the page.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 340.0;
/// Room for the labels left of, above, right of and below the plot.
const LEFT: f64 = 58.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// Values below the lowest lie at the edge, so that zero has a place.
    Logarithmic,
}

/// One direction of a plot.
pub struct Axis {
    /// What is written beside it.
    pub label: &'static str,
    /// How values become places.
    pub scale: Scale,
    /// The lowest value, at the left or the bottom.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Values with a line, and what is written there.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let map = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(self.low).ln(),
        };
        ((map(value) - map(self.low)) / (map(self.high) - map(self.low))).clamp(0.0, 1.0)
    }
}

/// Where a value lies from left to right, in the drawing's units.
pub(super) fn at_x(x: &Axis, value: f64) -> f64 {
    LEFT + x.place(value) * (WIDTH - LEFT - RIGHT)
}

/// Where a value lies from top to bottom, in the drawing's units.
pub(super) fn at_y(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM)
}

/// The plot of `lines`, each a list of (x, y); line `i` has the class `line{i}`. `title` is read to those who cannot see it.
pub fn svg(title: &str, x: &Axis, y: &Axis, lines: &[Vec<(f64, f64)>]) -> String {
    let at_x = |value: f64| at_x(x, value);
    let at_y = |value: f64| at_y(y, value);
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escape(title));
    // Writing into a String cannot fail.
    for (value, text) in &x.ticks {
        let x = at_x(*value);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
        let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", bottom + 16.0);
    }
    for (value, text) in &y.ticks {
        let y = at_y(*value);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>");
        let _ = write!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, y + 4.0);
    }
    let _ = write!(svg, "<path class=\"frame\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>");
    let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let _ = write!(svg, "<text x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">{}</text>", HEIGHT - 8.0, x.label);
    let turned = format!("transform=\"translate(13 {middle_y}) rotate(-90)\"");
    let _ = write!(svg, "<text {turned} text-anchor=\"middle\">{}</text>", y.label);
    for (i, line) in lines.iter().enumerate() {
        let mut places: Vec<String> = line.iter().map(|&(x, y)| format!("{:.1} {:.1}", at_x(x), at_y(y))).collect();
        places.dedup();
        let _ = write!(svg, "<path class=\"line{i}\" d=\"M{}\"/>", places.join("L"));
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_where_the_axes_say() {
        let axis = |scale, low, high| Axis { label: "v", scale, low, high, ticks: vec![(high, "top".into())] };
        let (x, y) = (axis(Scale::Logarithmic, 0.1, 10.0), axis(Scale::Linear, 0.0, 1.0));
        assert_eq!(
            [0.0, 0.1, 1.0, 10.0, 99.0].map(|value| (x.place(value) * 100.0).round()),
            [0.0, 0.0, 50.0, 100.0, 100.0]
        );
        let drawn = svg("a & b", &x, &y, &[vec![(0.0, 0.0), (10.0, 1.0)]]);
        assert!(drawn.contains("class=\"line0\" d=\"M58.0 294.0L546.0 12.0\""), "{drawn}");
        assert!(drawn.contains("aria-label=\"a &amp; b\""));
    }
}
