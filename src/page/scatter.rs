//! Dots with intervals, as SVG.

use std::fmt::Write;

use super::plot::{at_x, at_y};
use super::{Axis, escape, svg};

/// Half the width of an interval's ends, in the drawing's units.
const CAP: f64 = 4.0;
const RADIUS: f64 = 4.0;

/// One dot.
pub struct Dot {
    /// From left to right.
    pub x: f64,
    /// From bottom to top.
    pub y: f64,
    /// An interval of `y`.
    pub interval: Option<[f64; 2]>,
    /// What is written beside it: a number or a letter.
    pub label: String,
    /// What is told when it is pointed at, and read to those who cannot see it.
    pub title: String,
}

/// The plot of `dots`. `title` is read to those who cannot see it.
pub fn scatter(title: &str, x: &Axis, y: &Axis, dots: &[Dot]) -> String {
    let mut drawing = svg(title, x, y, &[]);
    drawing.truncate(drawing.len() - "</svg>".len());
    // Writing into a String cannot fail.
    for dot in dots {
        let (cx, cy) = (at_x(x, dot.x), at_y(y, dot.y));
        let _ = write!(drawing, "<g><title>{}</title>", escape(&dot.title));
        if let Some([low, high]) = dot.interval.map(|ends| ends.map(|end| at_y(y, end))) {
            let (left, right) = (cx - CAP, cx + CAP);
            let _ = write!(
                drawing,
                "<path class=\"whisker\" d=\"M{cx:.1} {low:.1}V{high:.1}M{left:.1} {low:.1}H{right:.1}M{left:.1} {high:.1}H{right:.1}\"/>"
            );
        }
        let _ = write!(drawing, "<circle class=\"dot\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{RADIUS}\"/>");
        let (at, above) = (cx + RADIUS + 2.0, cy - RADIUS);
        let label = escape(&dot.label);
        let _ = write!(drawing, "<text class=\"name\" x=\"{at:.1}\" y=\"{above:.1}\">{label}</text></g>");
    }
    drawing + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Scale;

    #[test]
    fn a_dot_lies_where_the_axes_say_with_its_interval() {
        let axis = |high| Axis { label: "v", scale: Scale::Linear, low: 0.0, high, ticks: Vec::new() };
        let dot = |interval| Dot { x: 5.0, y: 0.5, interval, label: "1".into(), title: "a < b".into() };
        let drawn = scatter("t", &axis(10.0), &axis(1.0), &[dot(Some([0.0, 1.0]))]);
        assert!(drawn.contains("cx=\"302.0\" cy=\"153.0\""), "{drawn}");
        assert!(drawn.contains("d=\"M302.0 294.0V12.0"), "{drawn}");
        assert!(drawn.contains("a &lt; b") && drawn.ends_with("</svg>"));
        assert!(!scatter("t", &axis(10.0), &axis(1.0), &[dot(None)]).contains("whisker"));
    }
}
